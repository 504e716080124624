//! The wall clock. Asked in shells only; everything else is told what time it is.

use rightsizer_records::Timestamp;

/// The present.
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| {
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        });
    // A clock before 2000 is held at 2000: reports would be refused as from the future, loudly.
    Timestamp::MIN.plus_ms(since_epoch - Timestamp::MIN.as_ms())
}
