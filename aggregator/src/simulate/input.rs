//! Reads rows of `series,date,peak_mb`.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::BufRead;

use rightsizer_records::Day;

use super::replay::DemandDay;
use super::row_error::RowError;
use super::rows::{Columns, Refusal, TableError, read_rows, shortened};

/// More memory than any machine has; a peak above it is in another unit.
const MAX_PEAK_MB: f64 = 100_000_000.0;
const COLUMNS: Columns = Columns {
    required: &["series", "date", "peak_mb"],
    optional: &[],
};

/// The days of one function or machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the input.
    pub name: String,
    /// Its days, ascending.
    pub days: Vec<DemandDay>,
}

/// The usable rows of an input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// The series, in the order of their first rows.
    pub series: Vec<Series>,
    /// Number of accepted rows.
    pub rows: u64,
    /// Number of refused rows.
    pub refused: u64,
}

/// Reads all of `input`; passes each bad row to `refuse`.
///
/// # Errors
/// If the input cannot be read, or its header does not name the columns.
pub(crate) fn read_trace(
    input: impl BufRead,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<Trace, TableError> {
    let mut taken = Taken::default();
    let mut refused = 0;
    let mut take = |values: &[Option<&str>]| row(values).and_then(|row| taken.take(row));
    read_rows(input, &COLUMNS, &mut take, &mut |refusal| {
        refused += 1;
        refuse(refusal);
    })?;
    Ok(taken.trace(refused))
}

struct Row {
    series: String,
    day: Day,
    peak_mb: f64,
}

fn row(values: &[Option<&str>]) -> Result<Row, RowError> {
    let [series, date, peak] = [0, 1, 2].map(|at| values[at].unwrap_or_default());
    if series.is_empty() {
        return Err(RowError::Unnamed("series"));
    }
    let day = Day::parse(date).map_err(|_| RowError::Date(shortened(date)))?;
    let peak_mb = peak
        .parse()
        .ok()
        .filter(|mb| (0.0..=MAX_PEAK_MB).contains(mb));
    let peak_mb = peak_mb.ok_or_else(|| RowError::Peak(shortened(peak)))?;
    Ok(Row {
        series: series.to_owned(),
        day,
        peak_mb,
    })
}

/// Collects rows by series and day.
#[derive(Default)]
struct Taken {
    places: HashMap<String, usize>,
    series: Vec<(String, BTreeMap<Day, f64>)>,
    rows: u64,
}

impl Taken {
    fn take(&mut self, row: Row) -> Result<(), RowError> {
        let place = if let Some(place) = self.places.get(&row.series) {
            *place
        } else {
            self.series.push((row.series.clone(), BTreeMap::new()));
            self.places.insert(row.series, self.series.len() - 1);
            self.series.len() - 1
        };
        let (name, days) = &mut self.series[place];
        match days.entry(row.day) {
            Entry::Occupied(_) => Err(RowError::Repeated {
                day: row.day,
                series: shortened(name),
            }),
            Entry::Vacant(free) => {
                free.insert(row.peak_mb);
                self.rows += 1;
                Ok(())
            }
        }
    }

    fn trace(self, refused: u64) -> Trace {
        let series = self.series.into_iter().map(|(name, days)| Series {
            name,
            days: days
                .into_iter()
                .map(|(day, peak_mb)| DemandDay { day, peak_mb })
                .collect(),
        });
        Trace {
            series: series.collect(),
            rows: self.rows,
            refused,
        }
    }
}
