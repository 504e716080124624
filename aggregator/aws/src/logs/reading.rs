//! Reads the rows of a result: invocations by group, day and function.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use rightsizer_formats::{Hints, megabytes_of_bytes, plausible_memory};
use rightsizer_records::{Day, ErrorKind, Status, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::evidence::LATEST;
use rightsizer_rules::window::{Crowd, Delta, FailedCrowd, Levels, fold_crowds};

use super::calls::Row;
use super::query::{EVENT, EVENT_TYPE, LINE, Names, START_KIND, START_PHASE, START_TOOK};

/// The type of an event about a restore from a snapshot.
const RESTORE_EVENT: &str = "platform.restoreReport";

/// Rows of an answer, sorted out.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// By position of the group, and day.
    pub(super) days: BTreeMap<(usize, Day), Vec<Delta>>,
    /// Groups with reports whose figures the service did not find: to be read otherwise.
    pub(super) unclear: BTreeSet<usize>,
    /// Whether rows came that are none of this query's: the server does not know how to add up.
    pub(super) foreign: bool,
    /// Starts that failed at a size that is not known, by position of the group.
    pub(super) without_size: BTreeMap<usize, u64>,
}

/// What rows show of one function on one day.
#[derive(Default)]
struct OfDay {
    crowds: Vec<Crowd>,
    failed: Vec<Failed>,
}

/// Starts that failed. Their lines have no size.
struct Failed {
    version: String,
    newest: Timestamp,
    starts: u64,
    restored: bool,
    took: Levels,
}

impl Failed {
    /// With the size that all invocations of their version had on their day; `None` if they had several, or there were
    /// none.
    fn sized(&self, crowds: &[Crowd]) -> Option<FailedCrowd> {
        let mut sizes = crowds
            .iter()
            .filter(|crowd| crowd.version == self.version)
            .map(|crowd| crowd.memory_mb);
        let memory_mb = sizes.next()?;
        sizes.all(|other| other == memory_mb).then(|| FailedCrowd {
            version: self.version.clone(),
            memory_mb,
            newest: self.newest,
            starts: self.starts,
            restored: self.restored,
            took: self.took,
        })
    }
}

/// Sorts rows out. `position` returns the position of a group by its name; `account` is that of
/// all.
pub(super) fn sort(
    rows: &[Row],
    position: impl Fn(&str) -> Option<usize>,
    account: Option<&str>,
    hints: &Hints,
) -> Sorted {
    let mut sorted = Sorted::default();
    let mut found: HashMap<(usize, Day, Rc<FunctionKey>), OfDay> = HashMap::new();
    for row in rows {
        let row = Fields::of(row);
        let Some((log, day)) = row.place() else {
            sorted.foreign = true;
            continue;
        };
        let name = log.split_once(':').map_or(log, |(_, name)| name);
        let Some(group) = position(name) else {
            sorted.foreign = true;
            continue;
        };
        let in_stream = row.text("inStream");
        let function = || hints.function_of_group(name, in_stream, account);
        if row.is_of_a_start() {
            if let Some(failed) = row.failed(day) {
                let of_day = found.entry((group, day, function())).or_default();
                of_day.failed.push(failed);
            }
        } else if let Some(crowd) = row.crowd(day) {
            let of_day = found.entry((group, day, function())).or_default();
            of_day.crowds.push(crowd);
        } else {
            sorted.unclear.insert(group);
        }
    }
    for ((group, day, function), OfDay { crowds, failed }) in found {
        let mut sized = Vec::with_capacity(failed.len());
        for failed in failed {
            match failed.sized(&crowds) {
                Some(failed) => sized.push(failed),
                None => *sorted.without_size.entry(group).or_default() += failed.starts,
            }
        }
        let delta = fold_crowds(&function, &crowds, &sized);
        sorted.days.entry((group, day)).or_default().extend(delta);
    }
    sorted
}

/// A row by the names of its fields.
struct Fields<'a>(HashMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn of(row: &'a Row) -> Self {
        let fields = row
            .iter()
            .map(|(name, value)| (name.as_str(), value.trim()));
        Self(fields.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    fn number(&self, name: &str) -> Option<f64> {
        let number: f64 = self.text(name)?.parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// A whole number that is not negative, rounded up.
    fn whole(&self, name: &str) -> Option<u64> {
        let number = self.number(name)?.ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded: below 2^53"
        )]
        let whole = (0.0..9e15).contains(&number).then_some(number as u64);
        whole
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        match self.whole(name) {
            Some(ms) => Timestamp::from_ms(i64::try_from(ms).ok()?),
            None => Timestamp::parse(text).ok(),
        }
    }

    fn place(&self) -> Option<(&'a str, Day)> {
        Some((self.text("@log")?, self.time("day")?.day()))
    }

    /// Whether it is of lines or events about starts, and of no invocation.
    fn is_of_a_start(&self) -> bool {
        let events = [Some("platform.initReport"), Some(RESTORE_EVENT)];
        self.text(START_KIND).is_some() || events.contains(&self.text(EVENT_TYPE))
    }

    /// Starts that failed; `None` if they succeeded, or it is not known how long they took.
    fn failed(&self, day: Day) -> Option<Failed> {
        let (status, took) = if self.text(START_KIND).is_some() {
            (LINE.status, START_TOOK)
        } else {
            (EVENT.status, EVENT.took)
        };
        self.text(status).filter(|status| *status != "success")?;
        Some(Failed {
            version: self.text("ofVersion").unwrap_or(LATEST).to_owned(),
            newest: self.time("newest").filter(|at| at.day() == day)?,
            starts: self.whole("invocations").filter(|count| *count > 0)?,
            restored: self.text(START_KIND) == Some("RESTORE")
                || self.text(START_PHASE) == Some("restore")
                || self.text(EVENT_TYPE) == Some(RESTORE_EVENT),
            took: Self::levels(took, |name| self.whole(name))?,
        })
    }

    /// Either form has its own columns; a row has those of one.
    fn crowd(&self, day: Day) -> Option<Crowd> {
        self.crowd_of(LINE, day)
            .or_else(|| self.crowd_of(EVENT, day))
    }

    fn crowd_of(&self, names: Names, day: Day) -> Option<Crowd> {
        let (size, used) = (self.mb(names.size, names)?, self.mb(names.used, names)?);
        let (memory_mb, peak_mb) = plausible_memory(size, used).ok()?;
        let on_day = |name| self.time(name).filter(|at| at.day() == day);
        let status = self.text(names.status);
        let error = self.text(names.error);
        Some(Crowd {
            version: self.text("ofVersion").unwrap_or(LATEST).to_owned(),
            memory_mb,
            invocations: self.whole("invocations").filter(|count| *count > 0)?,
            status: Status::classify(status, error, Some((peak_mb, memory_mb))),
            error: error.map(ErrorKind::of),
            oldest: on_day("oldest")?,
            newest: on_day("newest")?,
            environments: self.whole("environments").unwrap_or(0),
            peak_mb,
            used: Self::levels(names.used, |name| self.mb(name, names)),
            durations: Self::levels(names.took, |name| self.whole(name)),
            billed_ms: self.whole(names.billed).unwrap_or(0),
            start_ms: self.whole(names.start),
        })
    }

    fn mb(&self, name: &str, names: Names) -> Option<u64> {
        if names.bytes {
            megabytes_of_bytes(name, self.text(name)?).ok()
        } else {
            self.whole(name)
        }
    }

    /// A missing percentile is taken to be the highest.
    fn levels(name: &str, value: impl Fn(&str) -> Option<u64>) -> Option<Levels> {
        let highest = value(name)?;
        let at = [50, 90, 95, 99].map(|rank| value(&format!("{name}{rank}")).unwrap_or(highest));
        Some(Levels { at, highest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints() -> Hints {
        Hints {
            function: None,
            date: None,
            fallback_date: Day::parse("2026-11-20").unwrap(),
            file_name: "logs".to_owned(),
            home: None,
            owners: std::sync::Arc::default(),
        }
    }

    fn row(fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter();
        fields
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    const WHERE: [(&str, &str); 6] = [
        ("@log", "123456789012:/aws/lambda/checkout"),
        ("day", "2026-01-31 00:00:00.000"),
        ("invocations", "200"),
        ("oldest", "1769817600000"),
        ("newest", "1.7698536E12"),
        ("environments", "3"),
    ];

    fn sorted(rows: &[Row]) -> Sorted {
        let position = |name: &str| (name == "/aws/lambda/checkout").then_some(7);
        sort(rows, position, Some("123456789012"), &hints())
    }

    fn with(more: &[(&str, &str)]) -> Row {
        row(&[&WHERE[..], more].concat())
    }

    #[test]
    fn text_is_in_decimal_bytes_and_json_in_megabytes() {
        let text = with(&[
            ("ofVersion", "7"),
            ("@memorySize", "1.024E9"),
            ("lineUsed", "90000000"),
            ("lineUsed50", "80000000"),
            ("lineTook", "41.2"),
            ("lineTook50", "10.01"),
            ("lineBilled", "4000.0"),
            ("lineNear", "0"),
        ]);
        let json = with(&[
            ("ofVersion", "$LATEST"),
            ("record.metrics.memorySizeMB", "128"),
            ("eventUsed", "128"),
            ("record.status", "error"),
            ("record.errorType", "Runtime.OutOfMemory"),
        ]);
        let sorted = sorted(&[text, json]);
        let day = Day::parse("2026-01-31").unwrap();
        let deltas = &sorted.days[&(7, day)];
        assert_eq!(
            deltas[0].function.to_string(),
            "local:123456789012/checkout"
        );
        let read: Vec<_> = deltas[0]
            .days
            .iter()
            .map(|d| {
                (
                    d.key.memory_mb.0,
                    &*d.key.version,
                    d.stats.peak_mb.0,
                    d.stats.ooms,
                )
            })
            .collect();
        assert_eq!(read, [(1024, "7", 90, 0), (128, "$LATEST", 128, 200)]);
        let text = &deltas[0].days[0].stats;
        // The median is 10.01 ms, up to 11 in whole ms; nothing is known of 90 % and more.
        assert_eq!(
            (text.durations.quantile(0.5), text.billed_ms),
            (Some(11), 4000)
        );
        assert_eq!(text.durations.quantile(0.9), Some(42));
        assert!(sorted.unclear.is_empty() && !sorted.foreign);
    }

    /// Attempts have no size: those of version 7 have that of its only one, of version 8 there are two, and version 9 has
    /// no report.
    #[test]
    fn starts_that_failed_have_the_only_size_of_their_version() {
        let report = |version, size| {
            with(&[
                ("ofVersion", version),
                ("@memorySize", size),
                ("lineUsed", "90000000"),
            ])
        };
        let attempts = |version, kind, status| {
            let start = [
                ("ofVersion", version),
                ("startKind", kind),
                ("lineStatus", status),
                ("start", "10009.0"),
                ("start50", "9000.0"),
            ];
            with(&start)
        };
        let event = [
            ("ofVersion", "7"),
            ("type", "platform.restoreReport"),
            ("record.status", "error"),
            ("eventTook", "700.5"),
        ];
        let succeeded = [("ofVersion", "7"), ("type", "platform.initReport")];
        let rows = [
            report("7", "1.024E9"),
            report("8", "1.024E9"),
            report("8", "1.28E8"),
            attempts("7", "INIT", "timeout"),
            attempts("7", "INIT", "success"),
            attempts("8", "INIT", "timeout"),
            attempts("9", "RESTORE", "error"),
            with(&event),
            with(&succeeded),
        ];
        let sorted = sorted(&rows);
        assert!(sorted.unclear.is_empty() && !sorted.foreign);
        assert_eq!(sorted.without_size, BTreeMap::from([(7, 400)]));
        let deltas = &sorted.days[&(7, Day::parse("2026-01-31").unwrap())];
        let failed: Vec<_> = deltas[0]
            .days
            .iter()
            .map(|day| {
                let stats = &day.stats;
                let failed = (stats.failed_inits.count(), stats.failed_restores.count());
                (&*day.key.version, stats.invocations, failed)
            })
            .collect();
        let wanted = [
            ("7", 200, (200, 200)),
            ("8", 200, (0, 0)),
            ("8", 200, (0, 0)),
        ];
        assert_eq!(failed, wanted);
        let inits = &deltas[0].days[0].stats.failed_inits;
        assert!(inits.quantile(0.5) < inits.quantile(1.0), "{inits:?}");
    }

    #[test]
    fn a_row_without_figures_sends_its_group_the_other_way() {
        let sorted = sorted(&[with(&[])]);
        assert_eq!((sorted.unclear.len(), sorted.days.len()), (1, 0));
    }

    #[test]
    fn a_server_that_does_not_add_up_is_found_out() {
        assert!(sorted(&[row(&[("@ptr", "1"), ("@message", "REPORT")])]).foreign);
    }
}
