//! Deliveries made ready for the writer: decoded and folded, with what cannot be used set aside.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::{Timestamp, printable};
use rightsizer_rules::gap::Gap;
use rightsizer_rules::inventory::{Home, Owners};
use rightsizer_rules::window::DaySource;

use super::accept::Accept;
use super::arrival;
use super::batch::{Batch, Intake};
use super::payload::{self, Refused, TooMuch, Whose};

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
    /// Whether what comes is of the present: no claim is of a time that has not come.
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

/// The most memory that the evidence in one record may take, and the most processor time to read it.
const RECORD_WEIGHT: usize = 20 << 20;
const RECORD_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
/// How many entries are taken between two looks at the clock.
const CLOCK_ENTRIES: u64 = 512;
/// The evidence of one commit: what a delivery holds beyond it is prepared when this much is merged.
const PART_WEIGHT: usize = 16 << 20;
/// The longest reason that is kept of a record.
const REASON_CHARS: usize = 500;
/// As much of a record as is kept.
const SAMPLE_CHARS: usize = 500;

/// A record that cannot be used, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Poison {
    pub(super) why: String,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// How it begins.
    pub(super) sample: String,
}

impl Poison {
    fn of(refused: Refused, record: &[u8]) -> Self {
        let sample = refused.sample.unwrap_or_else(|| {
            let begin = record.get(..4 * SAMPLE_CHARS).unwrap_or(record);
            String::from_utf8_lossy(begin).into_owned()
        });
        Self {
            why: printable(&refused.why, REASON_CHARS),
            bytes: record.len() as u64,
            sample: printable(&sample, SAMPLE_CHARS),
        }
    }
}

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
        self.batch.weight() + early + self.poison.len() * 2 * (REASON_CHARS + SAMPLE_CHARS)
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
    pub fn prepare_part(&self, delivery: &mut Delivery, now: Timestamp) -> Prepared {
        self.prepare_up_to(PART_WEIGHT, delivery, now)
    }

    fn prepare_up_to(&self, most: usize, delivery: &mut Delivery, now: Timestamp) -> Prepared {
        let intake = Intake {
            accept: &self.accept,
            source: DaySource::Subscription,
            channel: delivery.channel,
            now,
        };
        let whose = Whose {
            home: self.home.as_ref(),
            owners: self.owners.get(),
        };
        let mut batch = Batch::default();
        let (mut poison, mut early) = (Vec::new(), Vec::new());
        let mut read = 0;
        for record in &delivery.payloads {
            if batch.weight() > most {
                break;
            }
            read += 1;
            match fold(record, &whose, &intake, self.live, &mut batch) {
                None => {}
                Some((refused, Some(at))) => early.push(Early {
                    at,
                    why: printable(&refused.why, REASON_CHARS),
                    bytes: record.clone(),
                }),
                Some((refused, None)) => poison.push(Poison::of(refused, record)),
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

/// Folds one record into `batch`. Returns why it, or a part of it, cannot be used; with the newest time
/// in it if nothing but its time is wrong: then it is kept as a whole or not at all, for a part that was
/// merged would count twice.
fn fold(
    record: &[u8],
    whose: &Whose<'_>,
    intake: &Intake<'_>,
    live: bool,
    batch: &mut Batch,
) -> Option<(Refused, Option<Timestamp>)> {
    let weight = batch.weight() + RECORD_WEIGHT;
    let until = processor_time() + RECORD_TIME;
    let (mut entries, mut early, mut newest) = (0_u64, 0_u64, None);
    let mut take = |mut evidence| {
        entries += 1;
        if live {
            arrival::no_later_than(&mut evidence, intake.now);
        }
        if batch.weight() > weight {
            return Err(TooMuch::Weight);
        }
        if entries.is_multiple_of(CLOCK_ENTRIES) && processor_time() > until {
            return Err(TooMuch::Time);
        }
        let taken = batch.take(evidence, intake);
        if let Err(refusal) = &taken
            && refusal.early.is_some()
        {
            early += 1;
            newest = newest.max(refusal.early);
        }
        Ok(taken)
    };
    let refused = payload::read(record, whose, intake.now, &mut take)?;
    let all_early = early == entries && refused.entries == Some(early);
    Some((refused, newest.filter(|_| all_early)))
}

/// The processor time that this thread has taken: unlike wall time, it is the same for a record on
/// a busy machine.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Into::into)
}
