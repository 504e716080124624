//! Function ARNs, unqualified: the key under which everything about a function is kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An unqualified Lambda function ARN: `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionArn(String);

/// Why a text is not an unqualified function ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an unqualified function ARN ({why}); expected \
     arn:aws:lambda:REGION:ACCOUNT:function:NAME"
)]
pub struct ArnError {
    text: String,
    why: ArnFault,
}

/// What is wrong with a text that should be a function ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum ArnFault {
    #[error("it names a version or alias")]
    Qualified,
    #[error("parts missing")]
    PartsMissing,
    #[error("not of the Lambda function form")]
    Form,
    #[error("bad partition")]
    Partition,
    #[error("bad region")]
    Region,
    #[error("an account has 12 digits")]
    Account,
    #[error("a name has 1 to 64 letters, digits, - and _")]
    Name,
}

impl FunctionArn {
    /// Reads an unqualified ARN. Every part is checked: an ARN is input from a stranger.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        match check(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(why) => Err(ArnError {
                text: text.chars().take(200).collect(),
                why,
            }),
        }
    }

    /// Builds the ARN of a function from where it runs and its name.
    pub fn new(partition: &str, region: &str, account: &str, name: &str) -> Result<Self, ArnError> {
        Self::parse(&format!(
            "arn:{partition}:lambda:{region}:{account}:function:{name}"
        ))
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its region, such as `eu-central-1`.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// Its account, twelve digits.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        self.part(6)
    }

    fn part(&self, n: usize) -> &str {
        self.0.split(':').nth(n).unwrap_or_default()
    }
}

fn check(text: &str) -> Result<(), ArnFault> {
    let within = |part: &str, most: usize, extra: &str| {
        (1..=most).contains(&part.len())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let parts: Vec<&str> = text.splitn(9, ':').collect();
    let &[arn, partition, service, region, account, function, name] = parts.as_slice() else {
        return Err(if parts.len() > 7 {
            ArnFault::Qualified
        } else {
            ArnFault::PartsMissing
        });
    };
    match () {
        () if arn != "arn" || service != "lambda" || function != "function" => Err(ArnFault::Form),
        () if !within(partition, 20, "-") => Err(ArnFault::Partition),
        () if !within(region, 40, "-") => Err(ArnFault::Region),
        () if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) => {
            Err(ArnFault::Account)
        }
        () if !within(name, 64, "-_") => Err(ArnFault::Name),
        () => Ok(()),
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for FunctionArn {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FunctionArn {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_arn() {
        let arn = FunctionArn::new("aws", "eu-central-1", "123456789012", "checkout_v2").unwrap();
        assert_eq!(
            arn.as_str(),
            "arn:aws:lambda:eu-central-1:123456789012:function:checkout_v2"
        );
        assert_eq!(
            (arn.region(), arn.account()),
            ("eu-central-1", "123456789012")
        );
        assert_eq!(arn.name(), "checkout_v2");
    }

    #[test]
    fn anything_but_an_unqualified_function_arn_is_refused() {
        let refused = [
            "",
            "checkout",
            "arn:aws:lambda:eu-central-1:123456789012:function:checkout:live",
            "arn:aws:s3:eu-central-1:123456789012:function:checkout",
            "arn:aws:lambda:eu-central-1:12345:function:checkout",
            "arn:aws:lambda:eu-central-1:123456789012:function:",
            "arn:aws:lambda:eu-central-1:123456789012:function:a b",
            "arn:aws:lambda:eu central:123456789012:function:a",
            "arn:aws:lambda:eu-central-1:123456789012:layer:a",
            "arn:a w:lambda:eu-central-1:123456789012:function:a",
        ];
        let refused = refused.map(|text| FunctionArn::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(refused.join("\n"));
    }
}
