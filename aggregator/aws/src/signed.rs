//! Signed calls of services of which the product needs one operation. An SDK crate for each would take
//! minutes to compile (`docs/decisions/compile-time.md`).
//!
//! Credentials, region, endpoints and signatures are the SDK's own; retries are the caller's.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;
use http_body_util::BodyExt as _;
use rightsizer_updater::in_words;
use serde_json::Value;

use crate::errors::brief;

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(10);

/// A service, and how it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Its id in AWS's configuration, from which `AWS_ENDPOINT_URL_…` is made.
    pub(crate) id: &'static str,
    /// Its name in signatures.
    pub(crate) signing_name: &'static str,
    /// Its host and the region it signs for, by the region of the caller.
    pub(crate) place: fn(&str) -> (String, String),
}

/// The body of a call, with the headers that its protocol wants.
#[derive(Debug)]
pub(crate) struct Call {
    /// `Content-Type`.
    pub(crate) content_type: &'static str,
    /// `X-Amz-Target`, in the JSON protocols.
    pub(crate) target: Option<&'static str>,
    /// The body.
    pub(crate) body: String,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The service refused it.
    #[error("{code}: {message}")]
    Refused {
        /// The service's code, such as `AccessDenied`.
        code: String,
        /// Its message.
        message: String,
    },
    /// No answer, or one that is not the service's.
    #[error("{0}")]
    Unclear(String),
}

impl CallFailure {
    /// The service's code, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unclear(_) => None,
        }
    }
}

/// Calls one service.
#[derive(Debug)]
pub(crate) struct SignedClient {
    service: Service,
    config: SdkConfig,
    connector: Connector,
}

impl SignedClient {
    pub(crate) fn new(config: &SdkConfig, service: Service) -> Self {
        let connector: ConnectorBuilder<_> =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        Self {
            service,
            config: config.clone(),
            connector: connector.build(),
        }
    }

    /// Makes one call and returns the body of its answer.
    pub(crate) async fn call(&self, call: Call) -> Result<String, CallFailure> {
        let unclear = |error: anyhow::Error| CallFailure::Unclear(format!("{error:#}"));
        let request = self.request(call).await.map_err(unclear)?;
        let exchange = async {
            let request = request.try_into().context("not a request")?;
            let answer = self.connector.call(request).await;
            let answer = answer.map_err(|e| anyhow::anyhow!(brief(in_words(&e))))?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await;
            let body = body.map_err(|e| anyhow::anyhow!("the response ended early: {e}"))?;
            anyhow::Ok((
                status,
                String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            ))
        };
        let answer = tokio::time::timeout(WITHIN, exchange).await;
        let (status, body) = answer
            .map_err(|_| CallFailure::Unclear(format!("no response within {WITHIN:?}")))?
            .map_err(unclear)?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(refusal(status, &body))
    }

    async fn request(&self, call: Call) -> anyhow::Result<http::Request<SdkBody>> {
        let region = self.config.region().context("no region is set")?;
        let (host, signing_region) = (self.service.place)(region.as_ref());
        let url = self
            .endpoint()
            .unwrap_or_else(|| format!("https://{host}/"));
        let provider = self.config.credentials_provider();
        let provider = provider.context("this program uses no credentials")?;
        let credentials = provider.provide_credentials().await;
        let identity = credentials
            .map_err(|e| anyhow::anyhow!(brief(in_words(&e))))?
            .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&signing_region)
            .name(self.service.signing_name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let mut request = http::Request::post(url).header("content-type", call.content_type);
        if let Some(target) = call.target {
            request = request.header("x-amz-target", target);
        }
        let mut request = request.body(SdkBody::from(call.body.as_str()))?;
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let uri = request.uri().to_string();
        let body = SignableBody::Bytes(call.body.as_bytes());
        let signable = SignableRequest::new("POST", uri, headers, body)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// The endpoint that the user's environment or profile names for this service, or for all.
    fn endpoint(&self) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(self.service.id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        let settings = self.config.service_config();
        let own = settings.and_then(|settings| settings.load_config(key));
        own.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }
}

/// Reads an error of the JSON protocols (`__type`, `message`) or of the query protocol (`Code`, `Message`).
fn refusal(status: u16, body: &str) -> CallFailure {
    let (code, message) = match serde_json::from_str::<Value>(body) {
        Ok(json) => {
            let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
            // Some services put their namespace before the code, and a URL behind it.
            let code = text("__type").or_else(|| text("code"));
            let code = code.map(|code| {
                let code = code.rsplit('#').next().unwrap_or(&code);
                code.split(':').next().unwrap_or(code).to_owned()
            });
            (code, text("message").or_else(|| text("Message")))
        }
        Err(_) => (element(body, "Code"), element(body, "Message")),
    };
    match code {
        Some(code) => CallFailure::Refused {
            code,
            message: message.unwrap_or_else(|| "no message".to_owned()),
        },
        None => CallFailure::Unclear(format!("HTTP status {status}")),
    }
}

/// The text of the first XML element of this name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_either_protocol_are_read() {
        let refused = |body: &str| match refusal(400, body) {
            CallFailure::Refused { code, message } => (code, message),
            CallFailure::Unclear(why) => (String::new(), why),
        };
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        for (body, wanted) in [
            (
                r#"{"__type":"com.amazonaws.tagging#ThrottledException","message":"slow down"}"#,
                pair("ThrottledException", "slow down"),
            ),
            (
                r#"{"__type":"AccessDeniedException:http://internal/","Message":"no"}"#,
                pair("AccessDeniedException", "no"),
            ),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                 <Message>not you</Message></Error></ErrorResponse>",
                pair("AccessDenied", "not you"),
            ),
            ("<html>Bad gateway</html>", pair("", "HTTP status 400")),
        ] {
            assert_eq!(refused(body), wanted, "{body}");
        }
    }
}
