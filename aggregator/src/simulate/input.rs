//! `series,date,peak_mb` rows, by the header's names, in any order, plain or gzip. A bad row is
//! refused with its line and what is wrong with it; the others count.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use rightsizer_formats::gzip;
use rightsizer_records::Day;

use super::replay::DemandDay;

/// The longest line that is looked at.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// More than any machine has: a peak above it is in another unit.
const MAX_PEAK_MB: f64 = 100_000_000.0;
const COLUMNS: [&str; 3] = ["series", "date", "peak_mb"];

/// One function's, or machine's, days.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the input.
    pub name: String,
    /// Its days, ascending.
    pub days: Vec<DemandDay>,
}

/// All that could be used of an input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// In the order of their first rows.
    pub series: Vec<Series>,
    /// Rows taken in.
    pub rows: u64,
    /// Rows refused.
    pub refused: u64,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// From 1, the header's.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why an input cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It has no line.
    #[error("is empty; expected a header with series, date and peak_mb, and rows")]
    Empty,
    /// A column is missing, or there twice.
    #[error(
        "the first line must name the columns series, date and peak_mb once each (others are \
         ignored); {0} {1} in {2:?}"
    )]
    Header(&'static str, &'static str, String),
}

/// Reads all of `input`; bad rows go to `refuse`, as they are found.
pub fn read_trace(
    input: impl BufRead,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<Trace, TraceError> {
    let (packed, whole) = gzip::sniff(input)?;
    if packed {
        read_lines(BufReader::new(MultiGzDecoder::new(whole)), refuse)
    } else {
        read_lines(whole, refuse)
    }
}

fn read_lines(
    mut input: impl BufRead,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<Trace, TraceError> {
    let mut line = Vec::new();
    if next_line(&mut input, &mut line)?.is_none() {
        return Err(TraceError::Empty);
    }
    let header = Header::read(&String::from_utf8_lossy(&line))?;
    let mut taken = Taken::default();
    let mut refused = 0;
    for number in 2.. {
        let row = match next_line(&mut input, &mut line) {
            Ok(None) => break,
            Ok(Some(Length::Fits)) if line.trim_ascii().is_empty() => continue,
            Ok(Some(Length::Fits)) => header
                .row(&String::from_utf8_lossy(&line))
                .and_then(|row| taken.take(row)),
            Ok(Some(Length::TooLong)) => Err(format!("line of more than {MAX_LINE_BYTES} bytes")),
            Err(error) => {
                let reason =
                    format!("cannot be read further: {error}; evidence before this counts");
                refused += 1;
                refuse(Refusal {
                    line: number,
                    reason,
                });
                break;
            }
        };
        if let Err(reason) = row {
            refused += 1;
            refuse(Refusal {
                line: number,
                reason,
            });
        }
    }
    Ok(taken.trace(refused))
}

enum Length {
    Fits,
    TooLong,
}

/// The next line, as much of it as is looked at; `None` at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<Length>> {
    line.clear();
    let read = input
        .by_ref()
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || (read as u64) < MAX_LINE_BYTES {
        return Ok(Some(Length::Fits));
    }
    while !input.fill_buf()?.is_empty() {
        let rest = input.fill_buf()?;
        let end = rest.iter().position(|b| *b == b'\n');
        let used = end.map_or(rest.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(Some(Length::TooLong))
}

/// The positions of the columns.
struct Header {
    places: [usize; 3],
    width: usize,
}

struct Row {
    series: String,
    day: Day,
    peak_mb: f64,
}

impl Header {
    fn read(line: &str) -> Result<Self, TraceError> {
        let fields = split(line.trim_start_matches('\u{feff}')).unwrap_or_default();
        let mut places = [0; 3];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            let found: Vec<usize> = fields
                .iter()
                .enumerate()
                .filter(|(_, field)| field.trim().eq_ignore_ascii_case(name))
                .map(|(at, _)| at)
                .collect();
            *place = match found[..] {
                [at] => at,
                [] => return Err(TraceError::Header(name, "is not", shortened(line))),
                _ => {
                    return Err(TraceError::Header(
                        name,
                        "is more than once",
                        shortened(line),
                    ));
                }
            };
        }
        Ok(Self {
            places,
            width: fields.len(),
        })
    }

    fn row(&self, line: &str) -> Result<Row, String> {
        let fields = split(line).ok_or("a quote is not closed")?;
        if fields.len() != self.width {
            return Err(format!(
                "row of {} fields under a header of {}",
                fields.len(),
                self.width
            ));
        }
        let [series, date, peak] = self.places.map(|at| fields[at].trim());
        if series.is_empty() {
            return Err("the series has no name".to_owned());
        }
        let day = Day::parse(date)
            .map_err(|_| format!("date {:?} is not YYYY-MM-DD from 2000 on", shortened(date)))?;
        let peak_mb = peak
            .parse()
            .ok()
            .filter(|mb| (0.0..=MAX_PEAK_MB).contains(mb));
        let peak_mb = peak_mb
            .ok_or_else(|| format!("peak_mb {:?} is not a number of MB", shortened(peak)))?;
        Ok(Row {
            series: series.to_owned(),
            day,
            peak_mb,
        })
    }
}

/// The fields of one line; `None` if a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let line = line.trim_end_matches(['\r', '\n']);
    if !line.contains('"') {
        return Some(line.split(',').map(str::to_owned).collect());
    }
    if line.matches('"').count() % 2 == 1 {
        return None;
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Rows by series and day.
#[derive(Default)]
struct Taken {
    places: HashMap<String, usize>,
    series: Vec<(String, BTreeMap<Day, f64>)>,
    rows: u64,
}

impl Taken {
    fn take(&mut self, row: Row) -> Result<(), String> {
        let place = if let Some(place) = self.places.get(&row.series) {
            *place
        } else {
            self.series.push((row.series.clone(), BTreeMap::new()));
            self.places.insert(row.series, self.series.len() - 1);
            self.series.len() - 1
        };
        let (name, days) = &mut self.series[place];
        match days.entry(row.day) {
            Entry::Occupied(_) => Err(format!(
                "{} of series {:?} is repeated; the first row counts",
                row.day,
                shortened(name)
            )),
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
