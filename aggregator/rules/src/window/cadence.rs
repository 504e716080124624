//! How often a function is decided (W4).

use rightsizer_records::Day;
use serde::Deserialize;

use super::WINDOW_DAYS;

/// `[window]` in `rightsizer.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowSettings {
    /// How often a function is decided. What W9 calls urgent is decided at once at any cadence.
    pub cadence: Cadence,
}

/// How often a function is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cadence {
    /// At every day's close.
    #[default]
    Daily,
    /// Fourteen days after it was decided last.
    OncePerWindow,
}

impl Cadence {
    /// How long a recommendation may wait to be acted on: until the next decision takes its place.
    pub const fn lasts_ms(self) -> i64 {
        let days = match self {
            Self::Daily => 1,
            Self::OncePerWindow => WINDOW_DAYS as i64,
        };
        days * 24 * 3_600_000
    }

    /// A function that was last decided on this day or before, or never, is due on `today`.
    pub const fn due_if_decided_by(self, today: Day) -> Day {
        match self {
            Self::Daily => today,
            Self::OncePerWindow => today.plus(-WINDOW_DAYS),
        }
    }
}
