//! Kinesis `PutRecords`, as the SDKs speak it (AWS JSON 1.1). The answer comes after the commit:
//! what is answered with a sequence number is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::printable;
use rightsizer_records::shown::has_hidden;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Port;
use super::body::BodyError;
use super::seats::Seat;

/// The number of records per call that Kinesis accepts.
const MAX_RECORDS: usize = 500;
/// The embedded stream's only shard.
const SHARD: &str = "shardId-000000000000";
/// The longest origin: a stream's name has up to 128 characters, but a stranger may send any.
const ORIGIN_CHARS: usize = 128;
/// Records put to a stream of this name are outcomes; all other names are reports.
const DECISIONS: &str = "decisions";
/// The same for proposals.
const PROPOSALS: &str = "proposals";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecords {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    records: Vec<PutRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord {
    data: String,
}

impl PutRecords {
    fn stream(&self) -> &str {
        let arn = self.stream_arn.as_deref();
        let by_arn = arn.and_then(|arn| arn.rsplit('/').next());
        self.stream_name.as_deref().or(by_arn).unwrap_or_default()
    }

    fn channel(&self) -> Channel {
        match self.stream() {
            DECISIONS => Channel::Decisions,
            PROPOSALS => Channel::Proposals,
            _ => Channel::Reports,
        }
    }
}

/// An error in the form the SDKs understand.
struct KinesisError(StatusCode, &'static str, String);

impl IntoResponse for KinesisError {
    fn into_response(self) -> Response {
        let body = json!({ "__type": self.1, "message": self.2 });
        (
            self.0,
            [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
            Json(body),
        )
            .into_response()
    }
}

fn invalid(message: impl Into<String>) -> KinesisError {
    KinesisError(
        StatusCode::BAD_REQUEST,
        "InvalidArgumentException",
        message.into(),
    )
}

impl From<BodyError> for KinesisError {
    fn from(error: BodyError) -> Self {
        let (status, name) = match error {
            BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "InvalidArgumentException"),
            BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException"),
            // The SDKs try this one again.
            BodyError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        };
        Self(status, name, error.to_string())
    }
}

fn denied(why: &str) -> KinesisError {
    KinesisError(
        StatusCode::FORBIDDEN,
        "AccessDeniedException",
        why.to_owned(),
    )
}

/// The answer to reports if Flink decides: no part of this process would decide on them.
fn for_the_job(stream: &str) -> KinesisError {
    KinesisError(
        StatusCode::BAD_REQUEST,
        "ResourceNotFoundException",
        format!(
            "the stream {stream:?} is not taken here: with --engine flink, proposals go to the stream {PROPOSALS:?}, \
             outcomes to {DECISIONS:?}, and reports to the stream that the Flink job reads"
        ),
    )
}

pub(super) async fn without_token(State(port): State<Port>, request: Request) -> Response {
    let answer = handle(&port, None, request).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

pub(super) async fn with_token(
    State(port): State<Port>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let answer = handle(&port, Some(&token), request).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// Whether this request is taken at all, before its body is read.
fn admit(
    port: &Port,
    token: Option<&str>,
    headers: &HeaderMap,
    reserved: bool,
) -> Result<(), KinesisError> {
    let bad_request = |name, why| Err(KinesisError(StatusCode::BAD_REQUEST, name, why));
    if !port.may_look(token) {
        return Err(denied(
            "the endpoint's path does not contain this server's token",
        ));
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if target != "Kinesis_20131202.PutRecords" {
        let why = format!("{target:?} is not served here: only Kinesis PutRecords is");
        return bad_request("UnknownOperationException", why);
    }
    if reserved {
        return Err(BodyError::Busy.into());
    }
    if !port.options.embedded {
        let why = "this server reads a Kinesis stream and accepts no records itself";
        return bad_request("ResourceNotFoundException", why.to_owned());
    }
    Ok(())
}

async fn handle(
    port: &Port,
    token: Option<&str>,
    request: Request,
) -> Result<Response, KinesisError> {
    let seat = request.extensions().get::<Arc<Seat>>();
    let reserved = seat.is_some_and(|seat| seat.is_reserved());
    admit(port, token, request.headers(), reserved)?;
    let body = port.bodies.read(request).await?;
    let request: PutRecords =
        serde_json::from_slice(&body.bytes).map_err(|e| invalid(e.to_string()))?;
    if has_hidden(request.stream()) {
        return Err(invalid("StreamName has hidden characters"));
    }
    let channel = request.channel();
    // Who writes reports must not be believed about what became of recommendations.
    match channel {
        Channel::Decisions if !token.is_some_and(|token| port.may_review(token)) => {
            return Err(denied("outcomes need the --review-token"));
        }
        Channel::Proposals if !token.is_some_and(|token| port.may_review(token)) => {
            return Err(denied("proposals need the --review-token"));
        }
        Channel::Reports if !port.may_write(token) => {
            return Err(denied("reports need the --token, not the --review-token"));
        }
        Channel::Reports if port.options.from_flink => return Err(for_the_job(request.stream())),
        _ => {}
    }
    let payloads = payloads(&request)?;
    let count = payloads.len() as u64;
    let delivery = Delivery {
        origin: printable(&format!("embedded:{}", request.stream()), ORIGIN_CHARS),
        channel,
        payloads,
        checkpoint: None,
        gaps: Vec::new(),
    };
    port.writer.ingest(vec![delivery]).await.map_err(|e| {
        KinesisError(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailureException",
            e.to_string(),
        )
    })?;
    let first = port.sequence.fetch_add(count, Ordering::Relaxed);
    let records: Vec<Value> = (first..first + count)
        .map(|n| json!({ "SequenceNumber": format!("{n:056}"), "ShardId": SHARD }))
        .collect();
    let answer = json!({ "FailedRecordCount": 0, "Records": records, "EncryptionType": "NONE" });
    let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    Ok((kind, Json(answer)).into_response())
}

fn payloads(request: &PutRecords) -> Result<Vec<Vec<u8>>, KinesisError> {
    if request.records.is_empty() || request.records.len() > MAX_RECORDS {
        return Err(invalid(format!(
            "{} records, expected 1 to 500",
            request.records.len()
        )));
    }
    request
        .records
        .iter()
        .map(|record| {
            STANDARD
                .decode(&record.data)
                .map_err(|e| invalid(format!("Data: {e}")))
        })
        .collect()
}
