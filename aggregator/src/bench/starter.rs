//! Where environments are started.

use std::future::Future;

use rightsizer_aws::tune::Reported;
use rightsizer_records::Megabytes;

use crate::tune::StageError;

/// Starts environments of a function at any size.
pub trait Starter {
    /// Invokes new environments at `size`, `count` at the same time. Those of an environment that was not new have no
    /// start in their report.
    fn start(
        &self,
        size: Megabytes,
        payload: &str,
        count: u32,
    ) -> impl Future<Output = Result<Vec<Result<Reported, StageError>>, StageError>>;
}
