//! Which figures an invocation can have. Every format's numbers pass here.

use rightsizer_records::{
    ErrorKind, Implausible, Megabytes, Millis, Status, plausible_memory, plausible_use,
};

/// The largest size Lambda has offered (managed instances).
const MAX_SIZE_MB: u64 = 32_768;

/// The content of one platform report, from any format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invocation {
    /// Configured size.
    pub memory_mb: Megabytes,
    /// High-water mark of the environment.
    pub max_used_mb: Megabytes,
    /// Duration of the handler.
    pub duration_ms: Option<Millis>,
    /// Billed duration.
    pub billed_ms: Option<Millis>,
    /// Init duration.
    pub init_ms: Option<Millis>,
    /// Duration of the restore from a snapshot, under `SnapStart`.
    pub restore_ms: Option<Millis>,
    /// How the invocation ended.
    pub(super) status: Status,
    /// The meaning of its error type, if it has one.
    pub(super) error: Option<ErrorKind>,
    /// CPU time, which only Lambda Insights has.
    pub(super) cpu_ms: Option<Millis>,
}

impl Invocation {
    /// Memory and how it ended; nothing else is known yet.
    pub(super) const fn of(memory_mb: Megabytes, max_used_mb: Megabytes, status: Status) -> Self {
        Self {
            memory_mb,
            max_used_mb,
            duration_ms: None,
            billed_ms: None,
            init_ms: None,
            restore_ms: None,
            status,
            error: None,
            cpu_ms: None,
        }
    }

    /// Whether it shows that all memory was used, as those of local emulators always do.
    pub(super) fn used_all(&self) -> bool {
        self.max_used_mb == self.memory_mb
    }

    /// Whether its figures fit each other, as they have to in a record too.
    pub(super) fn check(&self) -> Result<(), Implausible> {
        let memory = (self.max_used_mb, self.memory_mb);
        plausible_use(memory, self.billed_ms, self.status)
    }
}

/// A figure that no invocation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FigureError {
    /// Memory size out of range.
    #[error("memory size is {0} MB, expected 1 to {MAX_SIZE_MB}")]
    Size(u64),
    /// A used memory of zero.
    #[error("memory used is 0 MB: nothing was measured")]
    UsedNothing,
    /// Used and size cannot belong together.
    #[error(transparent)]
    Implausible(#[from] Implausible),
    /// Negative, not a number, or longer than any invocation.
    #[error("{what} is {ms} ms, expected 0 to 30 days")]
    Duration {
        /// Which duration.
        what: &'static str,
        /// Its figure as found.
        ms: String,
    },
}

/// Checks a memory size and a usage against each other, both in MB.
pub fn memory(size: u64, used: u64) -> Result<(Megabytes, Megabytes), FigureError> {
    let size_mb = u32::try_from(size)
        .ok()
        .filter(|_| (1..=MAX_SIZE_MB).contains(&size))
        .ok_or(FigureError::Size(size))?;
    if used == 0 {
        return Err(FigureError::UsedNothing);
    }
    plausible_memory(used, size)?;
    let too_much = |_| Implausible::UsedTooMuch { used, size };
    let used_mb = u32::try_from(used).map_err(too_much)?;
    Ok((Megabytes(size_mb), Megabytes(used_mb)))
}

/// The size that a number of MB is, if it is whole and possible.
pub(super) fn whole_size(mb: f64) -> Option<Megabytes> {
    let size: u32 = mb.to_string().parse().ok()?;
    let possible = (1..=MAX_SIZE_MB).contains(&u64::from(size));
    possible.then_some(Megabytes(size))
}

/// Checks a duration in milliseconds; `what` names it in the error.
pub(super) fn duration(what: &'static str, ms: f64) -> Result<Millis, FigureError> {
    Millis::from_ms_f64(ms).ok_or_else(|| FigureError::Duration {
        what,
        ms: ms.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_figures_have_bounds() {
        assert_eq!(memory(128, 129), Ok((Megabytes(128), Megabytes(129))));
        assert_eq!(memory(32_768, 1), Ok((Megabytes(32_768), Megabytes(1))));
        assert_eq!(memory(128, 1280), Ok((Megabytes(128), Megabytes(1280))));
        assert_eq!(memory(0, 5), Err(FigureError::Size(0)));
        assert_eq!(memory(32_769, 5), Err(FigureError::Size(32_769)));
        assert_eq!(memory(u64::MAX, 5), Err(FigureError::Size(u64::MAX)));
        assert_eq!(memory(128, 0), Err(FigureError::UsedNothing));
        assert_eq!(
            memory(128, 1281),
            Err(FigureError::Implausible(Implausible::UsedTooMuch {
                used: 1281,
                size: 128
            }))
        );
    }

    #[test]
    fn the_error_names_the_duration_and_its_figure() {
        let error = duration("Billed Duration", -3.5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Billed Duration is -3.5 ms, expected 0 to 30 days"
        );
        assert!(duration("Duration", 30.0 * 86_400_000.0).is_ok());
    }
}
