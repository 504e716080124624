//! Which recommendations are the product's own.

use rightsizer_records::{Day, Recommendation};

use crate::policy::recommendation_id;

/// With the wall clock, a recommendation is decided on the day it is issued; otherwise shortly
/// after the window that it uses.
const DAYS_BEHIND_WINDOW: i32 = 3;

/// Returns the day in the recommendation's id (P8); `None` if this product did not decide it.
pub fn decision_day(record: &Recommendation) -> Option<Day> {
    let name = record.function.as_str();
    let behind = (0..=DAYS_BEHIND_WINDOW).map(|days| record.window.to.plus(days));
    std::iter::once(record.issued_at.day())
        .chain(behind)
        .find(|day| recommendation_id(name, *day, record.from_mb, record.to_mb) == record.id)
}
