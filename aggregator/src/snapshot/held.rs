//! The head as this process holds it. A write fails if there was another write meanwhile: either by
//! this process (its response was lost), or the lease was lost to another task.

use super::bucket::{Bucket, BucketError};
use super::head::{Edit, Head, Retention};

/// How often a write is retried because an earlier one of this process succeeded.
const ATTEMPTS: usize = 4;

/// Another task holds the head now: this one must not decide any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "lost the lease: {0}. This task stops and sends nothing; nothing is lost, because the new \
     lease holder reads from the streams what this task had not saved"
)]
pub struct Superseded(pub String);

/// Why something was not done to the head.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It never will be.
    #[error(transparent)]
    Lost(#[from] Superseded),
    /// Whether it was is not known; it may be tried again.
    #[error("{0}")]
    Unclear(String),
}

impl From<BucketError> for Trouble {
    fn from(error: BucketError) -> Self {
        Self::Unclear(error.to_string())
    }
}

/// The head, with the tag that a write of it has to find.
#[derive(Debug)]
pub(super) struct Held {
    bucket: Bucket,
    head: Head,
    tag: String,
    keep: Retention,
}

impl Held {
    pub(super) const fn new(bucket: Bucket, head: Head, tag: String, keep: Retention) -> Self {
        Self {
            bucket,
            head,
            tag,
            keep,
        }
    }

    pub(super) const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// Makes a change. If its response was lost before, it is not made twice.
    pub(super) async fn edit(&mut self, edit: &Edit) -> Result<(), Trouble> {
        for _ in 0..ATTEMPTS {
            let Some(next) = self.head.edited(edit, self.keep) else {
                return Ok(());
            };
            let bytes = next.encode().map_err(|e| Trouble::Unclear(e.to_string()))?;
            match self.bucket.put_head(bytes, Some(&self.tag)).await {
                Ok(tag) => {
                    (self.head, self.tag) = (next, tag);
                    return Ok(());
                }
                Err(BucketError::Changed(_) | BucketError::Missing(_)) => self.read_again().await?,
                Err(error) => {
                    // It may have been done anyway.
                    self.read_again().await?;
                    if self.head.edited(edit, self.keep).is_some() {
                        return Err(error.into());
                    }
                }
            }
        }
        Err(Trouble::Unclear("it changes with every write".to_owned()))
    }

    /// Whether the head is still this process's.
    pub(super) async fn check(&mut self) -> Result<(), Trouble> {
        let tag = self.bucket.head_tag().await?;
        if tag.as_ref() == Some(&self.tag) {
            return Ok(());
        }
        self.read_again().await
    }

    /// There was a write: check whether it was by this process.
    async fn read_again(&mut self) -> Result<(), Trouble> {
        let location = self.bucket.location();
        let Some((bytes, tag)) = self.bucket.head().await? else {
            let words = format!("{location}/head.json is missing, so the lease holder is unknown");
            return Err(Superseded(words).into());
        };
        let head = match Head::decode(&bytes) {
            Ok(head) => head,
            Err(error) => {
                let words = format!("{location}/head.json was written by another program: {error}");
                return Err(Superseded(words).into());
            }
        };
        if !head.is_of(&self.head) {
            return Err(superseded(&self.bucket, &head).into());
        }
        (self.head, self.tag) = (head, tag);
        Ok(())
    }
}

/// Who holds the head instead.
pub(super) fn superseded(bucket: &Bucket, head: &Head) -> Superseded {
    Superseded(format!(
        "{} holds {} in epoch {}",
        head.holder,
        bucket.location(),
        head.epoch
    ))
}
