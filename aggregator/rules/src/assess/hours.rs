//! The hours of a size, from its days.

use rightsizer_records::Day;

use crate::power::{PartOfDay, SizeHours};
use crate::window::{Distribution, Hours};

/// Returns the hours of a size from its days, in any order, and all of its durations.
pub fn size_hours<'a>(
    days: impl IntoIterator<Item = (Day, &'a Hours)>,
    durations: &Distribution,
) -> SizeHours {
    let parts = days.into_iter().flat_map(|(day, hours)| {
        hours.parts().map(move |(part, count, log)| PartOfDay {
            day,
            part,
            count,
            log,
        })
    });
    SizeHours::of(
        parts.collect(),
        durations.count(),
        durations.ln_spread().unwrap_or(0.0),
    )
}
