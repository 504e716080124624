//! Why the writer has stopped, and what helps.

use rightsizer_store::StoreError;

/// The store could not be written; the process should end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct WriterStopped {
    why: String,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What helps against a failure of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Room on its disk, or the right to write there.
    Room,
    /// A copy of it from before.
    Backup,
    /// Its files, back at their paths.
    Files,
}

impl WriterStopped {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            remedy: Remedy::Room,
        }
    }
}

impl From<&StoreError> for WriterStopped {
    fn from(error: &StoreError) -> Self {
        let remedy = match error {
            error if error.is_damage() => Remedy::Backup,
            error if error.is_gone() => Remedy::Files,
            _ => Remedy::Room,
        };
        Self {
            why: error.to_string(),
            remedy,
        }
    }
}
