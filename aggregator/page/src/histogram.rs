//! A function's distributions as `HdrHistogram` interval logs, for the tools of that format in every language.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use rightsizer_records::Megabytes;
use rightsizer_rules::window::Distribution;
use rightsizer_store::SizeDay;

/// What is distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Memory used, in MB.
    Used,
    /// Durations of invocations, in ms.
    Durations,
    /// Durations of starts by init, in ms.
    Starts,
    /// Durations of restores from a snapshot, in ms.
    Restores,
}

impl Figure {
    /// Its name in an address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Durations => "durations",
            Self::Starts => "starts",
            Self::Restores => "restores",
        }
    }

    /// The figure of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Used, Self::Durations, Self::Starts, Self::Restores]
            .into_iter()
            .find(|figure| figure.name() == name)
    }

    const fn of(self, day: &SizeDay) -> &Distribution {
        match self {
            Self::Used => &day.used,
            Self::Durations => &day.durations,
            Self::Starts => &day.inits,
            Self::Restores => &day.restores,
        }
    }
}

/// The log of one figure at one size: an interval for each day. `None` if nothing ran at that size.
pub fn histogram_log(days: &[SizeDay], size: Megabytes, figure: Figure) -> Option<Vec<u8>> {
    let days: Vec<&SizeDay> = days
        .iter()
        .filter(|day| day.memory_mb == size && figure.of(day).count() > 0)
        .collect();
    let first = days.first()?;
    let start = UNIX_EPOCH + Duration::from_millis(u64::try_from(first.day.start().as_ms()).ok()?);
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let unit = if figure == Figure::Used { "MB" } else { "ms" };
    let mut builder = IntervalLogWriterBuilder::new();
    let mut writer = builder
        .add_comment(&format!(
            "Lambda Rightsizer: {} in {unit} at {} MB, one interval a day",
            figure.name(),
            size.0
        ))
        .with_start_time(start)
        .with_max_value_divisor(1.0)
        .begin_log_with(&mut log, &mut serializer)
        .ok()?;
    for day in days {
        let histogram = histogram(figure.of(day))?;
        let at = Duration::from_millis(u64::try_from(day.day.start().as_ms()).ok()?);
        writer
            .write_histogram(&histogram, at, Duration::from_hours(24), None)
            .ok()?;
    }
    Some(log)
}

/// Two digits, as the store keeps them.
fn histogram(found: &Distribution) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new(2).ok()?;
    for (value, count) in found.values() {
        histogram.record_n(value, count).ok()?;
    }
    Some(histogram)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use rightsizer_records::Day;

    use super::*;

    /// The crate's own reader gives back what was recorded.
    #[test]
    fn a_log_is_read_by_the_formats_own_reader() {
        let mut durations = Distribution::default();
        durations.record_many(12, 90);
        durations.record_many(400, 10);
        let day = SizeDay {
            day: Day::parse("2026-03-01").unwrap(),
            memory_mb: Megabytes(512),
            invocations: 100,
            failures: 0,
            ooms: 0,
            billed_ms: 5080,
            durations,
            inits: Distribution::default(),
            restores: Distribution::default(),
            used: Distribution::default(),
        };
        let days = [day];
        assert!(histogram_log(&days, Megabytes(256), Figure::Durations).is_none());
        assert!(histogram_log(&days, Megabytes(512), Figure::Used).is_none());
        let log = histogram_log(&days, Megabytes(512), Figure::Durations).unwrap();
        let intervals: Vec<_> = IntervalLogIterator::new(&log)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => Some(interval),
                _ => None,
            })
            .collect();
        assert_eq!(intervals.len(), 1);
        let bytes = base64::Engine::decode(
            &base64::prelude::BASE64_STANDARD,
            intervals[0].encoded_histogram(),
        )
        .unwrap();
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .unwrap();
        assert_eq!(
            (read.len(), read.value_at_quantile(0.5), read.max()),
            (100, 12, 401)
        );
    }
}
