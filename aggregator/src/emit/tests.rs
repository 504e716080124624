//! What is asked before a send.

use rightsizer_aws::clock::now;
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::{
    EnvId, FunctionArn, Megabytes, Millis, Record, ReportRow, Reports, encode,
};
use rightsizer_rules::commands::{Action, ReviewCommand};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Store;

use super::*;
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

/// Ten invocations of a function of 1024 MB a minute ago.
fn used(env: u64, used_mb: u32) -> Delivery {
    let row = ReportRow {
        max_used_mb: Some(Megabytes(used_mb)),
        duration_ms: Some(Millis::from_ms(100)),
        billed_ms: Some(Millis::from_ms(100)),
        ..ReportRow::default()
    };
    let record = Reports {
        function: FunctionArn::new("aws", "eu-central-1", "123456789012", "f").unwrap(),
        version: "$LATEST".to_owned(),
        env: EnvId(env),
        seq: 0,
        total: 10,
        memory_mb: Megabytes(1024),
        arch: None,
        runtime: None,
        init: None,
        t0: now().plus_ms(-60_000),
        reports: vec![row; 10],
        errors: Vec::new(),
        cpu_ms: Some(1),
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    };
    Delivery {
        origin: "test".to_owned(),
        channel: Channel::Reports,
        payloads: vec![encode(&Record::Reports(record))],
        checkpoint: None,
        gaps: Vec::new(),
    }
}

/// Who holds the head, once `meanwhile` has arrived.
#[derive(Debug)]
struct Slow {
    writer: WriterHandle,
    meanwhile: Option<u32>,
}

impl MaySend for Slow {
    fn may_send(&self) -> BoxFuture<'_, Option<Outgoing>> {
        Box::pin(async {
            if let Some(peak_mb) = self.meanwhile {
                self.writer.ingest(vec![used(2, peak_mb)]).await.unwrap();
            }
            Some(Outgoing::All)
        })
    }
}

/// Until the bucket has answered a peak may speak against a decrease (W9): what goes is what stands then.
#[tokio::test]
async fn what_was_withdrawn_while_the_lease_was_asked_for_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    for (n, (meanwhile, sent)) in [(None, 1), (Some(200), 1), (Some(600), 0)]
        .into_iter()
        .enumerate()
    {
        let store = Store::open(&dir.path().join(format!("{n}.db")), "test").unwrap();
        let mode = ClockMode::Event;
        let pipeline = Pipeline::new(store, mode, Settings::default(), Accept::default());
        let (writer, thread) = crate::writer::spawn(pipeline.unwrap(), mode, Vec::new()).unwrap();
        writer.ingest(vec![used(1, 200)]).await.unwrap();
        let what = "f".to_owned();
        let command = ReviewCommand {
            action: Action::Approve { what },
            by: "ann".to_owned(),
            why: String::new(),
        };
        writer.review(command).await.unwrap().unwrap();
        let permission = Slow {
            writer: writer.clone(),
            meanwhile,
        };
        let due = due(&writer, Some(&permission)).await.unwrap();
        assert_eq!(due.entries.len(), sent, "{meanwhile:?}");
        writer.finish().await.unwrap();
        drop((permission, writer));
        thread.join().unwrap();
    }
}
