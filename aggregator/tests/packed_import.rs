//! A file and the same file packed with gzip are one content: it counts once, whichever comes first.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::io::{Cursor, Write as _};

use rightsizer::import::{ImportError, take_in};
use rightsizer::pipeline::{Accept, Pipeline};
use rightsizer::settings::Settings;
use rightsizer_formats::{Hints, ImportReport};
use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Store;

const LINE: &str = "REPORT RequestId: 1\tDuration: 1.5 ms\tBilled Duration: 2 ms\tMemory Size: 512 MB\t\
                    Max Memory Used: 90 MB\n";

fn take(pipeline: &mut Pipeline, content: &[u8], name: &str) -> Result<u64, ImportError> {
    let hints = Hints {
        function: None,
        date: None,
        fallback_date: Day::parse("2026-01-20").unwrap(),
        file_name: "export.txt".to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    };
    let now = Timestamp::parse("2026-01-20T00:00:00Z").unwrap();
    let (accept, mut report) = (Accept::default(), ImportReport::default());
    pipeline.work(now, |session| {
        let input = Cursor::new(content.to_vec());
        take_in(session, input, name, &hints, (&accept, now), &mut report)
    })?;
    Ok(report.accepted)
}

fn gzip(content: &[u8], level: flate2::Compression) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_content_counts_once_packed_or_not() {
    let content = LINE.repeat(5).into_bytes();
    let best = gzip(&content, flate2::Compression::best());
    let none = gzip(&content, flate2::Compression::none());
    assert_ne!(best, none);
    let forms = [("plain", &content), ("best", &best), ("none", &none)];
    for (first, bytes) in forms {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), "a test").unwrap();
        let (mode, settings) = (ClockMode::Event, Settings::default());
        let mut pipeline = Pipeline::new(store, mode, settings, Accept::default()).unwrap();
        assert_eq!(take(&mut pipeline, bytes, first).unwrap(), 5);
        for (again, bytes) in forms {
            match take(&mut pipeline, bytes, again) {
                Err(ImportError::Known(known)) => assert_eq!(known, first),
                other => panic!("{again} after {first}: {other:?}"),
            }
        }
        let other = [&content[..], b"\n"].concat();
        assert_eq!(take(&mut pipeline, &other, "other").unwrap(), 5);
    }
}
