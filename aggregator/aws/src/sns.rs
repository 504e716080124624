//! The one call of SNS that the product makes: publish a notice to a topic.

use aws_config::SdkConfig;
use aws_types::region::Region;
use rightsizer_records::Partition;

use crate::signed::{Call, CallFailure, Service, SignedClient};

/// The most characters that SNS takes as a subject.
const SUBJECT: usize = 100;

const SNS: Service = Service {
    id: "SNS",
    signing_name: "sns",
    place: |region| {
        let suffix = Partition::of_region(region).dns_suffix;
        (format!("sns.{region}.{suffix}"), region.to_owned())
    },
};

/// A topic, by the caller's credentials.
#[derive(Debug)]
pub struct Topic {
    client: SignedClient,
    arn: String,
}

impl Topic {
    /// The topic `arn`, in its own region.
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let config = match region {
            Some(region) => config
                .to_builder()
                .region(Region::new(region.to_owned()))
                .build(),
            None => config.clone(),
        };
        Self {
            client: SignedClient::new(&config, SNS),
            arn: arn.to_owned(),
        }
    }

    /// Publishes a message. Calls are not repeated.
    pub async fn publish(&self, subject: &str, message: &str) -> Result<(), CallFailure> {
        let call = Call {
            content_type: "application/x-www-form-urlencoded",
            target: None,
            body: request(&self.arn, subject, message),
        };
        self.client.call(call).await.map(drop)
    }
}

/// A subject is printable ASCII on one line.
fn request(topic: &str, subject: &str, message: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    let subject: String = subject.chars().map(plain).take(SUBJECT).collect();
    form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "Publish")
        .append_pair("Version", "2010-03-31")
        .append_pair("TopicArn", topic)
        .append_pair("Subject", &subject)
        .append_pair("Message", message)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_of_ascii() {
        assert_eq!(
            request("arn:t", "1 → 2\nx", "a&b"),
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3At&Subject=1+%3F+2%3Fx&Message=a%26b"
        );
    }
}
