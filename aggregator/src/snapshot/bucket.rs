//! The bucket: the few calls of S3 that snapshots need, and what their errors mean. It knows neither
//! stores nor epochs.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use rightsizer_aws::config::is_of_credentials;
use rightsizer_aws::errors::words;
use rightsizer_updater::in_words;
use tokio::sync::mpsc;

use super::location::Location;
use super::pack::Part;

/// What a call on the head may take, all attempts included.
pub(super) const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// What one part of a snapshot may take.
const PART_WITHIN: Duration = Duration::from_mins(2);

/// The objects of one aggregator.
#[derive(Debug, Clone)]
pub struct Bucket {
    location: Location,
    /// Gives up soon: what it is asked decides whether something is sent.
    quick: Client,
    /// Moves snapshots.
    bulk: Client,
}

/// A call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Someone else wrote meanwhile, or the object is there already.
    #[error("it was written by another process meanwhile ({0})")]
    Changed(String),
    /// No such object.
    #[error("it does not exist ({0})")]
    Missing(String),
    /// No such bucket.
    #[error("the bucket does not exist ({0})")]
    NoBucket(String),
    /// Not allowed.
    #[error("{0}")]
    Denied(String),
    /// Anything else; also no answer at all. Whether it was done is not known.
    #[error("{0}")]
    Unclear(String),
}

impl BucketError {
    /// Whether S3 refused the call, so that nothing was done, and trying again does not help.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Denied(_) => true,
            // S3 answers with 400 that a session has expired.
            Self::Unclear(why) => is_of_credentials(why),
            Self::Changed(_) | Self::Missing(_) | Self::NoBucket(_) => false,
        }
    }

    /// Whether trying again later may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unclear(_) | Self::Changed(_))
    }
}

impl<E> From<SdkError<E, HttpResponse>> for BucketError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let bare = status.filter(|status| *status >= 300 && error.code().is_none());
        let text = bare.map_or_else(|| words(&error), |status| format!("HTTP {status}"));
        match (status, error.code()) {
            (Some(404), Some("NoSuchBucket")) => Self::NoBucket(text),
            (Some(404), _) => Self::Missing(text),
            (Some(409 | 412), _) => Self::Changed(text),
            (Some(401 | 403), _) => Self::Denied(text),
            _ => Self::Unclear(text),
        }
    }
}

impl Bucket {
    /// The bucket at `location`, with the credentials and the region of `config`.
    pub fn new(config: &SdkConfig, location: Location) -> Self {
        let client = |attempts, attempt: Duration, all: Option<Duration>| {
            let mut timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(attempt);
            timeouts.set_operation_timeout(all);
            let timeouts = timeouts.build();
            let config = aws_sdk_s3::config::Builder::from(config)
                .timeout_config(timeouts)
                .retry_config(RetryConfig::standard().with_max_attempts(attempts));
            Client::from_conf(config.build())
        };
        Self {
            location,
            quick: client(2, HEAD_WITHIN, Some(HEAD_WITHIN)),
            bulk: client(3, PART_WITHIN, None),
        }
    }

    /// Its location.
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// The head's bytes with their tag; `None` if there is none.
    pub async fn head(&self) -> Result<Option<(Vec<u8>, String)>, BucketError> {
        let request = self.quick.get_object().bucket(&self.location.bucket);
        let answer = match request.key(self.location.head()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match BucketError::from(error) {
                    BucketError::Missing(_) => Ok(None),
                    error => Err(error),
                };
            }
        };
        let tag = tag(answer.e_tag.clone())?;
        let body = tokio::time::timeout(HEAD_WITHIN, answer.body.collect()).await;
        let body = body.map_err(|_| unclear("its bytes do not arrive"))?;
        let bytes = body.map_err(|e| unclear(&in_words(&e)))?;
        Ok(Some((bytes.to_vec(), tag)))
    }

    /// The head's tag alone; `None` if there is no head.
    pub(crate) async fn head_tag(&self) -> Result<Option<String>, BucketError> {
        let request = self.quick.head_object().bucket(&self.location.bucket);
        match request.key(self.location.head()).send().await {
            Ok(answer) => tag(answer.e_tag).map(Some),
            Err(error) => match BucketError::from(error) {
                BucketError::Missing(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Writes the head in place of the one with `tag`, or if there is none; returns its tag.
    pub(crate) async fn put_head(
        &self,
        bytes: Vec<u8>,
        over: Option<&str>,
    ) -> Result<String, BucketError> {
        let request = self.quick.put_object().bucket(&self.location.bucket);
        let request = match over {
            Some(tag) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        let answer = request
            .key(self.location.head())
            .content_type("application/json")
            .body(bytes.into())
            .send()
            .await?;
        tag(answer.e_tag)
    }

    /// Whether this role may write and S3 looks at conditions, without writing anything: tried with a
    /// condition that no object fulfils.
    pub async fn may_write(&self) -> Result<(), BucketError> {
        let key = self.location.object("doctor.json");
        let request = self.quick.put_object().bucket(&self.location.bucket);
        let request = request
            .key(key)
            .if_match("\"00000000000000000000000000000000\"");
        let Err(error) = request.body(ByteStream::from_static(b"{}")).send().await else {
            self.delete("doctor.json").await?;
            return Err(unclear(
                "it ignores write conditions, so two tasks could both decide",
            ));
        };
        match BucketError::from(error) {
            BucketError::Changed(_) | BucketError::Missing(_) => Ok(()),
            error => Err(error),
        }
    }

    /// Creates the object `key` from `parts`; nothing is created if they do not end.
    pub async fn upload(
        &self,
        key: &str,
        mut parts: mpsc::Receiver<Part>,
    ) -> Result<(), BucketError> {
        let key = self.location.object(key);
        let first = next(&mut parts).await?;
        if first.last {
            let request = self.bulk.put_object().bucket(&self.location.bucket);
            let request = request.key(key).if_none_match("*");
            request.body(first.bytes.into()).send().await?;
            return Ok(());
        }
        let request = self.bulk.create_multipart_upload();
        let request = request.bucket(&self.location.bucket).key(&key);
        let begun = request.send().await?;
        let id = begun
            .upload_id
            .ok_or_else(|| unclear("the upload has no id"))?;
        let done = self.upload_parts(&key, &id, first, parts).await;
        if done.is_err() {
            let request = self.bulk.abort_multipart_upload();
            let request = request.bucket(&self.location.bucket).key(&key);
            // Else the bucket's lifecycle rule does it.
            let _ = request.upload_id(&id).send().await;
        }
        done
    }

    async fn upload_parts(
        &self,
        key: &str,
        id: &str,
        first: Part,
        mut parts: mpsc::Receiver<Part>,
    ) -> Result<(), BucketError> {
        let mut completed = Vec::new();
        let mut part = first;
        for number in 1.. {
            let request = self.bulk.upload_part().bucket(&self.location.bucket);
            let request = request.key(key).upload_id(id).part_number(number);
            let answer = request.body(ByteStream::from(part.bytes)).send().await?;
            let done = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag)
                .set_checksum_crc32(answer.checksum_crc32);
            completed.push(done.build());
            if part.last {
                break;
            }
            part = next(&mut parts).await?;
        }
        let completed = CompletedMultipartUpload::builder().set_parts(Some(completed));
        let request = self.bulk.complete_multipart_upload();
        let request = request.bucket(&self.location.bucket).key(key);
        let request = request.upload_id(id).if_none_match("*");
        request.multipart_upload(completed.build()).send().await?;
        Ok(())
    }

    /// The object `key`, its bytes still to come.
    pub async fn download(&self, key: &str) -> Result<GetObjectOutput, BucketError> {
        let request = self.bulk.get_object().bucket(&self.location.bucket);
        Ok(request.key(self.location.object(key)).send().await?)
    }

    /// The keys of all snapshots that there are, as a head names them.
    pub async fn snapshot_keys(&self) -> Result<Vec<String>, BucketError> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let request = self.bulk.list_objects_v2().bucket(&self.location.bucket);
            let request = request.prefix(self.location.snapshots());
            let page = request.set_continuation_token(next).send().await?;
            let own = page.contents().iter().filter_map(|object| object.key());
            let below = format!("{}/", self.location.prefix);
            keys.extend(
                own.filter_map(|key| key.strip_prefix(&below))
                    .map(str::to_owned),
            );
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                return Ok(keys);
            }
        }
    }

    /// The key of any object below the prefix; `None` if there is none.
    pub async fn anything(&self) -> Result<Option<String>, BucketError> {
        let request = self.quick.list_objects_v2().bucket(&self.location.bucket);
        let request = request.prefix(format!("{}/", self.location.prefix));
        let page = request.max_keys(1).send().await?;
        let first = page.contents().first();
        Ok(first.and_then(|object| object.key()).map(str::to_owned))
    }

    /// Removes the object `key`.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let request = self.bulk.delete_object().bucket(&self.location.bucket);
        request.key(self.location.object(key)).send().await?;
        Ok(())
    }
}

async fn next(parts: &mut mpsc::Receiver<Part>) -> Result<Part, BucketError> {
    let part = parts.recv().await;
    part.ok_or_else(|| unclear("the snapshot was cut off while it was made"))
}

fn tag(tag: Option<String>) -> Result<String, BucketError> {
    tag.ok_or_else(|| unclear("the bucket returns no ETag"))
}

fn unclear(why: &str) -> BucketError {
    BucketError::Unclear(why.to_owned())
}
