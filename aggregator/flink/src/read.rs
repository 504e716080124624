//! Stream records into inputs of functions.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rightsizer_formats::intake::{Batch, Gatekeeper, Intake, Poison, Unusable, Whose};
use rightsizer_formats::{Channel, states};
use rightsizer_records::{Notice, Outcome, Recommendation, Record, Timestamp, encode, printable};
use rightsizer_rules::state::{FunctionState, delta_to_bytes};
use rightsizer_rules::window::{DaySource, Delta, close_of};

use super::engine::{Engine, EngineError};
use super::frames::{Frames, Writer};

/// The longest time to read one record.
const RECORD_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// The characters of a record that the quarantine has.
const SAMPLE_CHARS: usize = 500;

/// An input is its tag and its bytes.
pub(crate) mod tag {
    /// Evidence.
    pub(crate) const DELTA: u8 = b'd';
    /// A recommendation that is on the decisions stream.
    pub(crate) const SENT: u8 = b's';
    /// An outcome.
    pub(crate) const OUTCOME: u8 = b'o';
    /// News from the aggregator.
    pub(crate) const NOTICE: u8 = b'n';
    /// A state from elsewhere, with which the function begins here.
    pub(crate) const STATE: u8 = b't';
}

/// What a frame of the answer is.
mod kind {
    /// An input: the function's key, its newest time, the input.
    pub(super) const INPUT: u8 = 1;
    /// A record that cannot be used: JSON for the quarantine.
    pub(super) const POISON: u8 = 2;
}

/// The number of the source of initial states.
const INITIAL: u8 = 2;

/// The channel of a record, as the job numbers it.
const fn channel(number: u8) -> Option<Channel> {
    match number {
        0 => Some(Channel::Reports),
        1 => Some(Channel::Decisions),
        _ => None,
    }
}

impl Engine {
    /// Reads stream records: each a byte for the stream (0 reports, 1 decisions, 2 initial
    /// states) and its bytes. The answer has an input
    /// for each function and record, evidence without a key of its own folded together; and what cannot be used.
    pub fn read(&self, records: &[u8], now: Timestamp) -> Result<Vec<u8>, EngineError> {
        let mut batch = Batch::default();
        let mut answer = Writer::default();
        let mut frames = Frames(records);
        while let Some(number) = frames.byte() {
            if number == INITIAL {
                let line = frames.bytes().unwrap_or_default();
                write_initial(&mut answer, &states::of_line(line)?);
                continue;
            }
            let (Some(channel), Some(record)) = (channel(number), frames.bytes()) else {
                return Err(EngineError::Mixed("a record without its stream"));
            };
            let gatekeeper = Gatekeeper {
                whose: Whose {
                    home: self.home.as_ref(),
                    owners: std::sync::Arc::default(),
                    waiting: self.waiting.clone(),
                },
                intake: Intake {
                    accept: &self.accept,
                    source: DaySource::Subscription,
                    channel,
                    now,
                },
                live: self.is_live(),
            };
            let until = Instant::now() + RECORD_TIME;
            let unusable = gatekeeper.fold(record, || Instant::now() > until, &mut batch);
            if let Some(unusable) = unusable {
                write_poison(&mut answer, unusable, record);
            }
        }
        write_inputs(&mut answer, batch, self.state_version);
        Ok(answer.0)
    }
}

fn write_inputs(answer: &mut Writer, batch: Batch, state_version: u8) {
    let folded = batch
        .observed
        .into_values()
        .chain(batch.wrapped.into_values());
    for delta in batch.keyed.into_iter().chain(folded) {
        write_delta(answer, &delta, state_version);
    }
    for sent in batch.sent {
        write_sent(answer, sent);
    }
    // An outcome comes after what it is about.
    for outcome in batch.outcomes {
        write_outcome(answer, outcome);
    }
    for notice in batch.notices {
        write_notice(answer, notice);
    }
}

fn write_delta(answer: &mut Writer, delta: &Delta, state_version: u8) {
    if delta.reports == 0 && delta.days.is_empty() {
        return;
    }
    let input = tagged(tag::DELTA, &delta_to_bytes(delta, state_version));
    write_input(
        answer,
        &delta.function.text(),
        delta.sighting.newest.at,
        &input,
    );
}

fn write_sent(answer: &mut Writer, sent: Recommendation) {
    let (key, at) = (sent.function.to_string(), sent.issued_at);
    let input = tagged(tag::SENT, &encode(&Record::Recommendation(sent)));
    write_input(answer, &key, at, &input);
}

fn write_outcome(answer: &mut Writer, outcome: Outcome) {
    let (key, at) = (outcome.function.to_string(), outcome.at);
    let input = tagged(tag::OUTCOME, &encode(&Record::Outcome(outcome)));
    write_input(answer, &key, at, &input);
}

fn write_notice(answer: &mut Writer, notice: Notice) {
    let (key, at) = (notice.function.clone(), notice.at);
    let input = tagged(tag::NOTICE, &encode(&Record::Notice(notice)));
    write_input(answer, &key, at, &input);
}

/// A state counts from the close of its last day on.
fn write_initial(answer: &mut Writer, state: &FunctionState) {
    let newest = state.newest().unwrap_or(Timestamp::MIN);
    let begins = state.closed().map_or(newest, close_of);
    let input = tagged(tag::STATE, &state.to_bytes());
    write_input(answer, &state.function().text(), begins, &input);
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut input = Vec::with_capacity(bytes.len() + 1);
    input.push(tag);
    input.extend_from_slice(bytes);
    input
}

fn write_input(answer: &mut Writer, key: &str, at: Timestamp, input: &[u8]) {
    answer.byte(kind::INPUT);
    answer.bytes(key.as_bytes());
    answer.long(at.as_ms());
    answer.bytes(input);
}

/// The beginning of a record as it can be logged.
fn sample_of(record: &[u8]) -> String {
    // A character has at most four bytes.
    let begin = record.get(..4 * SAMPLE_CHARS).unwrap_or(record);
    printable(&String::from_utf8_lossy(begin), SAMPLE_CHARS)
}

fn write_poison(answer: &mut Writer, unusable: Unusable, record: &[u8]) {
    let poison = match unusable {
        Unusable::Poison(poison) => poison,
        Unusable::Early { why, .. } => Poison {
            why,
            bytes: record.len() as u64,
            sample: sample_of(record),
        },
    };
    let row: HashMap<&str, serde_json::Value> = HashMap::from([
        ("why", poison.why.into()),
        ("bytes", poison.bytes.into()),
        ("sample", poison.sample.into()),
    ]);
    answer.byte(kind::POISON);
    // Texts and a number, all of which JSON can represent.
    answer.bytes(&serde_json::to_vec(&row).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the inputs that a record of a log stream with this line makes.
    fn inputs(engine: &Engine, message: &str) -> usize {
        let payload = serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "123456789012",
            "logGroup": "/aws/lambda/checkout", "logStream": "2026/01/31/[$LATEST]00aa",
            "logEvents": [{"id": message, "timestamp": 1_769_850_000_000_i64, "message": message}]});
        let mut records = Writer::default();
        records.byte(0);
        records.bytes(payload.to_string().as_bytes());
        let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        engine.read(&records.0, now).unwrap().len()
    }

    /// The report brings an input of its own for the attempt.
    #[test]
    fn a_start_that_failed_waits_for_a_report_in_another_call() {
        let open = || Engine::open("[flink]\nhome = \"123456789012/eu-west-1\"").unwrap();
        let attempt = "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout";
        let report = "REPORT RequestId: 0b1e\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 512 MB\t\
                      Max Memory Used: 90 MB";
        let engine = open();
        assert_eq!(inputs(&engine, attempt), 0);
        assert!(inputs(&engine, report) > inputs(&open(), report));
    }
}
