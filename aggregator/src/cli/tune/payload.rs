//! The payloads of a run, from the command line, files, standard input and S3.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use aws_config::SdkConfig;
use rightsizer_aws::errors::words;
use rightsizer_formats::power_tuning::{PayloadSource, Payloads};
use serde_json::{Value, json};

use super::WhatArgs;
use super::input::s3_parts;

/// Lambda takes at most 6 MB in a synchronous invocation.
/// Source: "Lambda quotas", invocation payload.
const MOST_BYTES: usize = 6 << 20;

/// Returns where the payloads of the command line are.
pub(super) fn source(args: &WhatArgs) -> anyhow::Result<PayloadSource> {
    if let Some(file) = &args.payloads {
        return many(&text_of(file)?)
            .map(PayloadSource::Inline)
            .with_context(|| format!("cannot use the payloads in {}", file.display()));
    }
    let Some(given) = &args.payload else {
        return Ok(PayloadSource::Inline(Payloads::of_json("{}")?));
    };
    if given.starts_with("s3://") {
        let (bucket, key) = s3_parts(given).context("--payload: expected s3://BUCKET/KEY")?;
        return Ok(PayloadSource::S3 { bucket, key });
    }
    let path = Path::new(given);
    let text = if given == "-" || path.is_file() {
        text_of(path)?
    } else if serde_json::from_str::<Value>(given).is_ok() {
        given.clone()
    } else {
        bail!(
            "--payload {given:?} is neither JSON nor a file that exists; nothing was made or invoked"
        );
    };
    let payloads = Payloads::of_json(text.trim());
    Ok(PayloadSource::Inline(
        payloads.context("nothing was made or invoked")?,
    ))
}

/// Returns the payloads, and reads them from S3 if they are there.
pub(super) async fn payloads(
    source: &PayloadSource,
    config: &SdkConfig,
) -> anyhow::Result<Payloads> {
    let payloads = match source {
        PayloadSource::Inline(payloads) => payloads.clone(),
        PayloadSource::S3 { bucket, key } => {
            let place = format!("s3://{bucket}/{key}");
            let bytes = object(config, bucket, key).await.with_context(|| {
                format!("cannot read the payload {place}; nothing was made or invoked")
            })?;
            let text = String::from_utf8(bytes).ok();
            let text = text.with_context(|| format!("the payload {place} is not text"))?;
            Payloads::of_object(&text)?
        }
    };
    let largest = payloads.texts().iter().map(String::len).max().unwrap_or(0);
    ensure!(
        largest <= MOST_BYTES,
        "a payload has {largest} bytes, and Lambda takes at most {MOST_BYTES}; nothing was made or invoked"
    );
    Ok(payloads)
}

async fn object(config: &SdkConfig, bucket: &str, key: &str) -> anyhow::Result<Vec<u8>> {
    let client = aws_sdk_s3::Client::new(config);
    let answer = client.get_object().bucket(bucket).key(key).send().await;
    let answer = answer.map_err(|e| anyhow::anyhow!(words(&e)))?;
    let length = answer.content_length().unwrap_or(0);
    ensure!(
        usize::try_from(length).is_ok_and(|length| length <= MOST_BYTES),
        "it has {length} bytes, and Lambda takes at most {MOST_BYTES}"
    );
    let bytes = answer
        .body
        .collect()
        .await
        .context("the object broke off")?;
    Ok(bytes.to_vec())
}

pub(super) fn text_of(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        let read = std::io::stdin().read_to_string(&mut text);
        read.context("cannot read standard input")?;
    } else {
        let read = std::fs::read_to_string(file);
        text = read.with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(text)
}

/// Reads one payload on each line; a message of an SQS queue becomes the event that the queue sends.
fn many(text: &str) -> anyhow::Result<Payloads> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let payloads = lines.map(|(n, line)| {
        let value: Value = serde_json::from_str(line).map_err(|e| {
            anyhow::anyhow!(
                "line {} is not JSON: {e}; nothing was made or invoked",
                n + 1
            )
        })?;
        Ok(event_of_message(&value).map_or_else(|| line.trim().to_owned(), |e| e.to_string()))
    });
    let payloads: Vec<String> = payloads.collect::<anyhow::Result<_>>()?;
    ensure!(
        !payloads.is_empty(),
        "there is no payload; nothing was made or invoked"
    );
    Ok(Payloads::equal(payloads)?)
}

/// Returns the event with which Lambda passes a message of a queue on, if `value` is a message as `ReceiveMessage`
/// returns it.
/// Source: "Using Lambda with Amazon SQS", example event.
fn event_of_message(value: &Value) -> Option<Value> {
    let field = |upper: &str, lower: &str| value.get(upper).or_else(|| value.get(lower));
    let id = field("MessageId", "messageId")?.as_str()?;
    let body = field("Body", "body")?.as_str()?;
    let attributes = field("Attributes", "attributes").cloned();
    let others = field("MessageAttributes", "messageAttributes").cloned();
    Some(json!({"Records": [{
        "messageId": id,
        "receiptHandle": field("ReceiptHandle", "receiptHandle").and_then(Value::as_str).unwrap_or_default(),
        "body": body,
        "attributes": attributes.unwrap_or_else(|| json!({})),
        "messageAttributes": others.unwrap_or_else(|| json!({})),
        "md5OfBody": field("MD5OfBody", "md5OfBody").and_then(Value::as_str).unwrap_or_default(),
        "eventSource": "aws:sqs",
    }]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_queue_become_its_events() {
        let lines = "{\"order\": 1}\n\n{\"MessageId\":\"m\",\"Body\":\"{\\\"order\\\":2}\"}\n";
        let read = many(lines).unwrap();
        assert_eq!(read.texts()[0], "{\"order\": 1}");
        let event: Value = serde_json::from_str(&read.texts()[1]).unwrap();
        assert_eq!(event["Records"][0]["body"], "{\"order\":2}");
        assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
    }

    #[test]
    fn a_line_that_is_not_json_is_named() {
        let why = many("{}\n{broken\n").unwrap_err().to_string();
        assert!(why.starts_with("line 2 is not JSON"), "{why}");
        assert!(many(" \n").is_err());
    }
}
