//! A store with the `rightsizer serve` that writes it.

use std::path::PathBuf;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer_records::{Recommendation, Record, decode};
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::servers::kinesis_client;
use rusqlite::{Connection, OpenFlags};

const TOKEN: &str = "review-token-of-the-test";

pub(crate) struct Stage {
    _serve: Aggregator,
    folder: tempfile::TempDir,
    port: Client,
    reviewers: Client,
}

impl Stage {
    pub(crate) async fn set(arguments: &[&str], environment: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, log) = (
            folder.path().join("rightsizer.db"),
            folder.path().join("serve.log"),
        );
        let arguments = [&["--review-token", TOKEN], arguments].concat();
        let serve = Aggregator::start(&store, &arguments, environment, Some(&log))
            .await
            .unwrap();
        Self {
            port: kinesis_client(serve.endpoint()),
            reviewers: kinesis_client(&format!("{}/{TOKEN}", serve.endpoint())),
            _serve: serve,
            folder,
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    /// Puts records on a stream of the port. They are stored, and what they call for is decided, when it returns.
    pub(crate) async fn put(&self, stream: &str, records: &[Vec<u8>]) {
        let client = match stream {
            "reports" => &self.port,
            _ => &self.reviewers,
        };
        for part in records.chunks(500) {
            let entries = part.iter().map(|record| {
                let entry = PutRecordsRequestEntry::builder().data(Blob::new(record.clone()));
                entry.partition_key("k").build().unwrap()
            });
            let request = client.put_records().stream_name(stream);
            let answer = request.set_records(Some(entries.collect())).send().await;
            assert_eq!(answer.unwrap().failed_record_count(), Some(0));
        }
    }

    /// The functions with their decisions, by name. Dollars are by other prices than those of the decisions, so that they
    /// are equal only if what they are made of is.
    pub(crate) fn rows(&self) -> Vec<ReviewRow> {
        let prices = r#"{"x86_gb_second":0.0003,"arm64_gb_second":0.0002,"million_requests":0.1}"#;
        let prices = serde_json::from_str(prices).unwrap();
        let reader = Reader::open(&self.store()).unwrap().with_prices(&prices);
        let mut rows = reader.review().unwrap();
        rows.sort_by(|a, b| a.function.cmp(&b.function));
        rows
    }

    fn query<T>(
        &self,
        query: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let store = Connection::open_with_flags(self.store(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let store = store.unwrap();
        let mut statement = store.prepare(query).unwrap();
        let rows = statement.query_map([], read).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The recommendations that are open, by function.
    pub(crate) fn open(&self) -> Vec<Recommendation> {
        let query =
            "SELECT r.record FROM recommendations r JOIN functions f ON f.id = r.function_id
             WHERE r.status = 'open' ORDER BY f.function";
        let records = self.query(query, |row| row.get::<_, String>(0));
        let records = records
            .iter()
            .map(|record| match decode(record.as_bytes()) {
                Ok(Record::Recommendation(open)) => open,
                other => panic!("{other:?} is open"),
            });
        records.collect()
    }

    /// What was sent and what became of it, by function.
    pub(crate) fn sent(&self) -> Vec<String> {
        let query =
            "SELECT f.function, r.id, r.from_mb, r.to_mb, r.status, coalesce(r.closed_code, '')
             FROM recommendations r JOIN functions f ON f.id = r.function_id
             WHERE r.sent_ms IS NOT NULL ORDER BY f.function, r.day, r.id";
        self.query(query, |row| {
            let texts = [0, 1, 4, 5].map(|n| row.get::<_, String>(n).unwrap());
            let sizes = [2, 3].map(|n| row.get::<_, u32>(n).unwrap());
            Ok(format!("{} {sizes:?}", texts.join(" ")))
        })
    }
}
