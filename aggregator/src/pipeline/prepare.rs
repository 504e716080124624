//! Deliveries made ready for the writer: decoded and folded, with what cannot be used set aside.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rightsizer_formats::intake::{Accept, Batch, Gatekeeper, Intake, Poison, Unusable, Whose};
use rightsizer_formats::{Channel, Delivery, WaitingStarts};
use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;
use rightsizer_rules::inventory::{Home, Owners};
use rightsizer_rules::window::DaySource;

/// Whose evidence is taken, and where functions are at home that payloads know by name only.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// Accounts and regions whose functions may be reported.
    pub accept: Accept,
    /// Makes ARNs of names.
    pub home: Option<Home>,
    /// Which function logs to which group; shared with the writer, which learns it from the
    /// inventory.
    pub owners: KnownOwners,
    /// Starts that failed, and whose report comes in another record.
    pub waiting: WaitingStarts,
    /// Whether the evidence is live. If so, times after its arrival are not believed.
    pub live: bool,
}

/// Which function logs to which group, from the last inventory.
#[derive(Debug, Clone, Default)]
pub struct KnownOwners(Arc<RwLock<Arc<Owners>>>);

impl KnownOwners {
    /// As it is known now.
    pub fn get(&self) -> Arc<Owners> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, owners: Owners) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(owners);
    }
}

/// The most processor time to read one record.
const RECORD_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
/// The evidence of one commit: what a delivery holds beyond it is prepared when this much is merged.
const PART_WEIGHT: usize = 16 << 20;

/// A record whose time lies too far ahead of the clock. If the clock is wrong, it is evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Early {
    pub(super) at: Timestamp,
    pub(super) why: String,
    pub(super) bytes: Vec<u8>,
}

/// A delivery that was folded and waits to be merged.
#[derive(Debug)]
pub struct Prepared {
    pub(super) origin: String,
    pub(super) batch: Batch,
    pub(super) poison: Vec<Poison>,
    pub(super) early: Vec<Early>,
    pub(super) channel: Channel,
    pub(super) checkpoint: Option<(String, String)>,
    pub(super) gaps: Vec<Gap>,
}

impl Prepared {
    /// Returns about how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        let early: usize = self.early.iter().map(|early| early.bytes.len()).sum();
        self.batch.weight() + early + self.poison.len() * Poison::MOST_BYTES
    }

    /// The origin of each record that cannot be used, and the reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        let origin = self.origin.as_str();
        let early = self.early.iter().map(|early| &early.why);
        let poison = self.poison.iter().map(|poison| &poison.why);
        poison.chain(early).map(move |why| (origin, why.as_str()))
    }
}

impl Gate {
    /// Decodes and folds one delivery. What cannot be used never stops the rest.
    pub fn prepare(&self, mut delivery: Delivery, now: Timestamp) -> Prepared {
        self.prepare_up_to(usize::MAX, &mut delivery, now)
    }

    /// Decodes and folds as many records of `delivery` as one commit takes, and takes them out of it. The
    /// last ones have its checkpoint.
    pub(crate) fn prepare_part(&self, delivery: &mut Delivery, now: Timestamp) -> Prepared {
        self.prepare_up_to(PART_WEIGHT, delivery, now)
    }

    fn prepare_up_to(&self, most: usize, delivery: &mut Delivery, now: Timestamp) -> Prepared {
        let gatekeeper = Gatekeeper {
            whose: Whose {
                home: self.home.as_ref(),
                owners: self.owners.get(),
                waiting: self.waiting.clone(),
            },
            intake: Intake {
                accept: &self.accept,
                source: DaySource::Subscription,
                channel: delivery.channel,
                now,
            },
            live: self.live,
        };
        let mut batch = Batch::default();
        let (mut poison, mut early) = (Vec::new(), Vec::new());
        let mut read = 0;
        for record in &delivery.payloads {
            if batch.weight() > most {
                break;
            }
            read += 1;
            let until = processor_time() + RECORD_TIME;
            match gatekeeper.fold(record, || processor_time() > until, &mut batch) {
                None => {}
                Some(Unusable::Early { at, why }) => early.push(Early {
                    at,
                    why,
                    bytes: record.clone(),
                }),
                Some(Unusable::Poison(found)) => poison.push(found),
            }
        }
        delivery.payloads.drain(..read);
        let last = delivery.payloads.is_empty();
        Prepared {
            origin: delivery.origin.clone(),
            batch,
            poison,
            early,
            channel: delivery.channel,
            checkpoint: delivery.checkpoint.take_if(|_| last),
            gaps: if last {
                std::mem::take(&mut delivery.gaps)
            } else {
                Vec::new()
            },
        }
    }
}

/// The processor time that this thread has taken: unlike wall time, it is the same for a record on
/// a busy machine.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a log stream of `checkout`, with one line.
    fn delivery(message: &str) -> Delivery {
        let payload = serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "123456789012",
            "logGroup": "/aws/lambda/checkout", "logStream": "2026/01/31/[$LATEST]00aa",
            "logEvents": [{"id": message, "timestamp": 1_769_850_000_000_i64, "message": message}]});
        Delivery {
            origin: "kinesis:reports".to_owned(),
            channel: Channel::Reports,
            payloads: vec![payload.to_string().into_bytes()],
            checkpoint: None,
            gaps: Vec::new(),
        }
    }

    /// Each thread that prepares records has a copy of the gate.
    #[test]
    fn a_start_that_failed_waits_for_a_report_in_another_delivery() {
        let gate = Gate {
            home: Some(Home {
                account: "123456789012".to_owned(),
                region: "eu-west-1".to_owned(),
            }),
            ..Gate::default()
        };
        let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let attempt = "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout";
        let report = "REPORT RequestId: 0b1e\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 512 MB\t\
                      Max Memory Used: 90 MB";
        let failed = |gate: &Gate, message: &str| {
            let prepared = gate.prepare(delivery(message), now);
            assert_eq!(prepared.refusals().count(), 0);
            let days = prepared
                .batch
                .keyed
                .into_iter()
                .flat_map(|delta| delta.days);
            days.map(|day| day.stats.failed_inits.count()).sum::<u64>()
        };
        let other = gate.clone();
        assert_eq!((failed(&gate, attempt), failed(&other, report)), (0, 1));
        assert_eq!(failed(&gate, report), 0);
    }
}
