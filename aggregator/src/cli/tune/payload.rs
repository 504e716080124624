//! The payloads of a run, from the command line, files, standard input and S3.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use aws_config::SdkConfig;
use rightsizer_aws::errors::words;
use rightsizer_formats::power_tuning::{PayloadSource, Payloads};
use rightsizer_formats::tuning::messages;
use serde_json::Value;

use super::WhatArgs;

/// Lambda takes at most 6 MB in a synchronous invocation.
/// Source: "Lambda quotas", invocation payload.
const MOST_BYTES: usize = 6 << 20;

/// Returns the source of the payloads that the command line names.
pub(super) fn source(args: &WhatArgs) -> anyhow::Result<PayloadSource> {
    if let Some(file) = &args.payloads {
        let payloads = messages(&text_of(file)?);
        return payloads.map(PayloadSource::Inline).with_context(|| {
            format!(
                "cannot use the payloads in {}; nothing was created or invoked",
                file.display()
            )
        });
    }
    let Some(given) = &args.payload else {
        return Ok(PayloadSource::Inline(Payloads::of_json("{}")?));
    };
    if given.starts_with("s3://") {
        return PayloadSource::s3(given).context("--payload: expected s3://BUCKET/KEY");
    }
    let path = Path::new(given);
    let text = if given == "-" || path.is_file() {
        text_of(path)?
    } else if serde_json::from_str::<Value>(given).is_ok() {
        given.clone()
    } else {
        bail!(
            "--payload {given:?} is neither JSON nor a file that exists; nothing was created or \
             invoked"
        );
    };
    let payloads = Payloads::of_json(text.trim());
    Ok(PayloadSource::Inline(
        payloads.context("nothing was created or invoked")?,
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
                format!("cannot read the payload {place}; nothing was created or invoked")
            })?;
            let text = String::from_utf8(bytes).ok();
            let text = text.with_context(|| format!("the payload {place} is not text"))?;
            Payloads::of_object(&text)?
        }
    };
    let largest = payloads.texts().iter().map(String::len).max().unwrap_or(0);
    ensure!(
        largest <= MOST_BYTES,
        "a payload has {largest} bytes, and Lambda takes at most {MOST_BYTES}; nothing was \
         created or invoked"
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
        .context("the object ended early")?;
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
