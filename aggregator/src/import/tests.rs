//! Files that are longer than a piece.

use std::io::{self, Cursor, Read, Write as _};

use proptest::prelude::*;
use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Reader, Store};

use super::*;
use crate::pipeline::Pipeline;
use crate::settings::Settings;

fn telemetry(n: usize) -> String {
    format!(
        "{{\"functionName\":\"f-{}\",\"records\":[{{\"time\":\"2026-01-{:02}T10:00:00.123Z\",\
         \"type\":\"platform.report\",\"record\":{{\"requestId\":\"r\",\"status\":\"success\",\"metrics\":\
         {{\"durationMs\":1.5,\"billedDurationMs\":2,\"memorySizeMB\":512,\"maxMemoryUsedMB\":{}}}}}}}]}}\n",
        n % 50,
        1 + n % 14,
        90 + n % 300
    )
}

/// Of a function that `telemetry` has a report of in any fifty lines.
fn failed_start() -> String {
    "{\"functionName\":\"f-7\",\"records\":[{\"time\":\"2026-01-01T10:00:00.000Z\",\
     \"type\":\"platform.initReport\",\"record\":{\"initializationType\":\"on-demand\",\
     \"phase\":\"init\",\"status\":\"timeout\",\"metrics\":{\"durationMs\":10000.5}}}]}\n"
        .to_owned()
}

/// What `input` came to, and the evidence in the store then.
fn taken(input: impl Read + Send) -> Result<(ImportReport, Vec<String>), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&path, "a test").unwrap();
    let (mode, settings) = (ClockMode::Event, Settings::default());
    let mut pipeline = Pipeline::new(store, mode, settings, Accept::default()).unwrap();
    let hints = Hints {
        function: None,
        date: None,
        fallback_date: Day::parse("2026-01-20").unwrap(),
        file_name: "export.jsonl".to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    };
    let now = Timestamp::parse("2026-01-20T00:00:00Z").unwrap();
    let (accept, mut report) = (Accept::default(), ImportReport::default());
    pipeline.work(now, |session| {
        let against = (&accept, now);
        take_in(session, input, "it", &hints, against, &mut report)
    })?;
    let evidence = Reader::open(&path).unwrap().evidence().unwrap();
    Ok((report, evidence))
}

/// Packed inputs are read in one.
fn in_one(input: &[u8]) -> (ImportReport, Vec<String>) {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(input).unwrap();
    taken(Cursor::new(packed.finish().unwrap())).unwrap()
}

/// Returns at most this number of bytes at a time.
struct Sips<R>(R, usize);

impl<R: Read> Read for Sips<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

/// What stands among lines that come in pieces.
#[derive(Debug, Clone)]
enum Odd {
    /// A document over many lines.
    Document,
    /// One that never ends: all from there on is read in one.
    Open,
    /// Longer than a piece.
    Long,
    Nonsense,
    /// A start that failed, whose report is one of the next fifty lines.
    Start,
}

impl Odd {
    fn text(&self) -> String {
        match self {
            Self::Document => telemetry(7).replace(',', ",\n"),
            Self::Open => "{\"events\":[\n".to_owned(),
            Self::Long => format!("{{\"a\":\"{}\"}}\n", "x".repeat(5 << 20)),
            Self::Nonsense => "REPORT RequestId: none\n".to_owned(),
            Self::Start => failed_start(),
        }
    }
}

fn odd() -> impl Strategy<Value = Odd> {
    prop_oneof![
        Just(Odd::Document),
        Just(Odd::Open),
        Just(Odd::Long),
        Just(Odd::Nonsense),
        Just(Odd::Start)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Pieces are a matter of speed alone. What is odd lies about the ends of the pieces of 4 MB.
    #[test]
    fn a_file_in_pieces_is_the_same_as_in_one(
        odd in proptest::collection::vec((odd(), 0_usize..40), 0..3), sip in 1000_usize..3_000_000,
    ) {
        let mut input = String::new();
        let mut lines = 0..;
        let mut grow = |input: &mut String, to: usize| while input.len() < to {
            input.push_str(&telemetry(lines.next().unwrap()));
        };
        for (n, (what, lines)) in odd.iter().enumerate() {
            grow(&mut input, (n + 1) * (4 << 20) - 20 * lines);
            input.push_str(&what.text());
        }
        let end = input.len() + (5 << 20);
        grow(&mut input, end);
        let pieces = taken(Sips(Cursor::new(&input), sip)).unwrap();
        prop_assert!(pieces.0.accepted > 10_000);
        let whole = in_one(input.as_bytes());
        prop_assert_eq!(&pieces.0, &whole.0);
        prop_assert!(pieces.1 == whole.1, "other evidence");
    }
}

/// Reads well up to a point, and then not.
struct Breaks(usize);

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = telemetry(3);
        if self.0 < line.len() {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0 -= line.len();
        line.as_bytes().read(buffer)
    }
}

#[test]
fn an_input_that_breaks_behind_its_first_pieces_is_not_taken_in() {
    let failed = taken(Breaks(9 << 20)).unwrap_err();
    assert_eq!(failed.to_string(), "the disk is gone");
}

/// The platform writes the size of a start that failed in the report after it, which may be in the next piece.
#[test]
fn a_start_that_failed_waits_for_its_report_in_the_next_piece() {
    let mut input = String::new();
    let mut lines = 8..;
    // Right behind a report of f-7, of which the next one is behind the end of the piece.
    let fifty = 48 * telemetry(8).len();
    while lines.start % 50 != 8 || input.len() + fifty < 4 << 20 {
        input.push_str(&telemetry(lines.next().unwrap()));
    }
    assert!(input.len() < 4 << 20);
    input.push_str(&failed_start());
    while input.len() < 5 << 20 {
        input.push_str(&telemetry(lines.next().unwrap()));
    }
    let without = input.replace(&failed_start(), "");
    let evidence = |input: &str| taken(Cursor::new(input.to_owned())).unwrap().1;
    assert!(
        evidence(&input) == in_one(input.as_bytes()).1,
        "other evidence"
    );
    assert!(evidence(&input) != evidence(&without), "not counted");
}
