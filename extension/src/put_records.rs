//! `PutRecords` as bytes: the request's body and signature, and what an answer means. Pure: no
//! socket, and the time is an argument.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use rightsizer_records::{Record, Reports, encode};
use serde::{Deserialize, Serialize};

use crate::credentials::Keys;
use crate::endpoint::Endpoint;
use crate::target::Target;

const OPERATION: (&str, &str) = ("x-amz-target", "Kinesis_20131202.PutRecords");
const MEDIA_TYPE: &str = "application/x-amz-json-1.1";
const AGENT: &str = concat!("rightsizer-extension/", env!("CARGO_PKG_VERSION"));

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Call<'a> {
    records: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_name: Option<&'a str>,
    #[serde(rename = "StreamARN", skip_serializing_if = "Option::is_none")]
    stream_arn: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    data: String,
    partition_key: String,
}

/// The body of a call with these records, in their order.
pub fn body(target: &Target, records: &[Reports]) -> Bytes {
    let entry = |record: &Reports| Entry {
        data: BASE64_STANDARD.encode(encode(&Record::Reports(record.clone()))),
        partition_key: record.env.to_string(),
    };
    let stream = Some(target.stream.as_str());
    let call = Call {
        records: records.iter().map(entry).collect(),
        stream_name: stream.filter(|_| !target.is_arn()),
        stream_arn: stream.filter(|_| target.is_arn()),
    };
    // Plain strings: there is nothing in it that could not be JSON.
    serde_json::to_vec(&call).unwrap_or_default().into()
}

/// Builds the request, signed for `now`. Fails if the keys or the region do not give a valid one.
pub fn request(
    endpoint: &Endpoint,
    region: &str,
    keys: &Keys,
    now: SystemTime,
    body: Bytes,
) -> anyhow::Result<Request<Bytes>> {
    let mut request = Request::post(endpoint.path.as_str())
        .header(HOST, endpoint.authority())
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .header(USER_AGENT, AGENT)
        .header(OPERATION.0, OPERATION.1);
    let id = keys.id.as_str();
    let token = keys.token.clone();
    let identity = Credentials::new(id, keys.secret.as_str(), token, None, "lambda").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kinesis")
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let signed_headers = [
        (CONTENT_TYPE.as_str(), MEDIA_TYPE),
        (HOST.as_str(), endpoint.authority()),
        OPERATION,
    ];
    let url = endpoint.url();
    let bytes = SignableBody::Bytes(&body);
    let signable = SignableRequest::new("POST", url, signed_headers.into_iter(), bytes)?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        request = request.header(name, HeaderValue::from_str(value)?);
    }
    Ok(request.body(body)?)
}

/// The response of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// For each record, in order: `None` if it was accepted, else the code of its refusal.
    Records(Vec<Option<String>>),
    /// The whole call was refused.
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// The service's code, if it sent one.
        code: Option<String>,
        /// Its words.
        message: String,
    },
}

impl Answer {
    /// Whether the same call may be taken a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        let Self::Refused { status, code, .. } = self else {
            return false;
        };
        // The signatures' are of a request that a freeze held back for longer than they last.
        let passing = [
            "ProvisionedThroughputExceededException",
            "LimitExceededException",
            "KMSThrottlingException",
            "InvalidSignatureException",
            "RequestExpired",
        ];
        let code = code.as_deref().unwrap_or_default();
        status.is_server_error()
            || *status == StatusCode::TOO_MANY_REQUESTS
            || passing.contains(&code)
            || code.starts_with("Throttling")
    }

    /// Whether other keys may be taken.
    pub(crate) fn wants_other_keys(&self) -> bool {
        let codes = [
            "ExpiredTokenException",
            "ExpiredToken",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
        ];
        matches!(self, Self::Refused { code: Some(code), .. } if codes.contains(&code.as_str()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Taken {
    records: Vec<TakenRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TakenRecord {
    error_code: Option<String>,
}

#[derive(Deserialize, Default)]
struct Fault {
    #[serde(rename = "__type")]
    kind: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// Reads a response. Anything that is not a response of a stream is a refusal too.
pub fn answer(status: StatusCode, body: &[u8]) -> Answer {
    if status.is_success()
        && let Ok(taken) = serde_json::from_slice::<Taken>(body)
    {
        return Answer::Records(taken.records.into_iter().map(|r| r.error_code).collect());
    }
    let fault: Fault = serde_json::from_slice(body).unwrap_or_default();
    // Services name the type with or without their namespace.
    let code = fault
        .kind
        .as_deref()
        .and_then(|kind| kind.rsplit('#').next());
    Answer::Refused {
        status,
        code: code.map(str::to_owned),
        message: fault.message.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credentials::Source;

    fn target(stream: &str) -> Target {
        Target {
            stream: stream.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            ca_bundle: None,
            credentials: Source::Missing,
        }
    }

    #[test]
    fn a_stream_is_named_or_given_by_its_arn() {
        assert_eq!(
            body(&target("s"), &[]),
            r#"{"Records":[],"StreamName":"s"}"#
        );
        let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
        let with_arn = format!(r#"{{"Records":[],"StreamARN":"{arn}"}}"#);
        assert_eq!(body(&target(arn), &[]), with_arn);
    }

    #[test]
    fn a_request_is_signed_with_all_that_identifies_it() {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "secret".to_owned(),
            token: Some("session".to_owned()),
            expires: None,
        };
        let endpoint = Endpoint::parse("https://example.com/t0ken").unwrap();
        // 2026-01-31T10:00:00Z: 20,484 days and 10 hours.
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(491_626);
        let request = request(&endpoint, "us-east-1", &keys, now, Bytes::from("{}")).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(request.uri(), "/t0ken");
        assert_eq!(header("x-amz-date"), "20260131T100000Z");
        assert_eq!(header("x-amz-security-token"), "session");
        assert_eq!(header("x-amz-target"), "Kinesis_20131202.PutRecords");
        let signed = header("authorization");
        // The signature is botocore's for the same request.
        let want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/kinesis/aws4_request, \
                    SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
                    Signature=da7b3396871714f492a7aa17bf05d4483c5c91dd45fb4883d68cb251826aa18e";
        assert_eq!(signed, want);
    }

    #[test]
    fn keys_that_cannot_be_a_header_are_an_error_not_a_panic() {
        let keys = Keys {
            id: "a\nb".to_owned(),
            secret: String::new(),
            token: Some("\u{0}".to_owned()),
            expires: None,
        };
        let endpoint = Endpoint::parse("https://example.com/").unwrap();
        assert!(request(&endpoint, "", &keys, SystemTime::UNIX_EPOCH, Bytes::new()).is_err());
    }

    #[test]
    fn an_answer_is_read_record_by_record() {
        let body = br#"{"FailedRecordCount":1,"Records":[{"SequenceNumber":"1","ShardId":"s"},{"ErrorCode":"InternalFailure","ErrorMessage":"m"}]}"#;
        let want = vec![None, Some("InternalFailure".to_owned())];
        assert_eq!(answer(StatusCode::OK, body), Answer::Records(want));
    }

    #[test]
    fn a_refusal_is_recognised_by_its_code() {
        let refused =
            |status, body: &str| answer(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let missing = refused(
            400,
            r#"{"__type":"a.b#ResourceNotFoundException","message":"m"}"#,
        );
        let want = Answer::Refused {
            status: StatusCode::BAD_REQUEST,
            code: Some("ResourceNotFoundException".to_owned()),
            message: "m".to_owned(),
        };
        assert_eq!(missing, want);
        assert!(!missing.is_passing() && !missing.wants_other_keys());
        assert!(refused(503, "<html>").is_passing());
        let throttled = r#"{"__type":"ProvisionedThroughputExceededException"}"#;
        assert!(refused(400, throttled).is_passing());
        let no_time = r#"{"__type":"KMSThrottlingException"}"#;
        assert!(refused(400, no_time).is_passing());
        let denied = r#"{"__type":"KMSAccessDeniedException"}"#;
        assert!(!refused(400, denied).is_passing());
        let late = r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#;
        assert!(refused(400, late).is_passing());
        let expired = r#"{"__type":"ExpiredTokenException","Message":"m"}"#;
        assert!(refused(400, expired).wants_other_keys());
        // A 200 that is not a response of a stream accepted nothing.
        assert!(matches!(refused(200, "hello"), Answer::Refused { .. }));
    }
}
