//! Deliveries made ready for the writer: decoded and folded, with what cannot be used set aside.

use std::sync::{Arc, PoisonError, RwLock};

use rightsizer_formats::Delivery;
use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::Item;
use rightsizer_rules::gap::Gap;
use rightsizer_rules::inventory::{Home, Owners};
use rightsizer_rules::window::DaySource;

use super::accept::Accept;
use super::arrival;
use super::batch::{Batch, Intake};
use super::payload::{self, Whose};

/// Whose evidence is taken, and where functions are at home that payloads know by name only.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// Accounts and regions whose functions may be reported.
    pub accept: Accept,
    /// Makes ARNs of names.
    pub home: Option<Home>,
    /// Who logs where; shared with the writer, which learns it from the inventory.
    pub owners: KnownOwners,
    /// Whether what comes is of the present: no claim is of a time that has not come.
    pub live: bool,
}

/// Who logs where, as the last inventory knows it.
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

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Poison {
    pub(super) why: String,
    pub(super) bytes: Vec<u8>,
}

/// A delivery that was folded and waits to be merged.
#[derive(Debug)]
pub struct Prepared {
    pub(super) origin: String,
    pub(super) batch: Batch,
    pub(super) poison: Vec<Poison>,
    pub(super) checkpoint: Option<(String, String)>,
    pub(super) gaps: Vec<Gap>,
}

impl Prepared {
    /// Where what cannot be used came from, and why it cannot, one for each record.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        let origin = self.origin.as_str();
        self.poison
            .iter()
            .map(move |poison| (origin, poison.why.as_str()))
    }
}

impl Gate {
    /// Decodes and folds one delivery. What cannot be used never stops the rest.
    pub fn prepare(&self, delivery: Delivery, now: Timestamp) -> Prepared {
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
        let mut poison = Vec::new();
        for bytes in delivery.payloads {
            let mut refused = Vec::new();
            for item in payload::items(&bytes, &whose, now) {
                match item {
                    Item::Ignored => {}
                    Item::Refused { reason, .. } => refused.push(reason),
                    Item::Evidence { mut evidence, .. } => {
                        if self.live {
                            arrival::no_later_than(&mut evidence, now);
                        }
                        if let Err(refusal) = batch.take(evidence, &intake) {
                            refused.push(refusal.0);
                        }
                    }
                }
            }
            let poisoned = refused.into_iter().map(|why| Poison {
                why,
                bytes: bytes.clone(),
            });
            poison.extend(poisoned);
        }
        Prepared {
            origin: delivery.origin,
            batch,
            poison,
            checkpoint: delivery.checkpoint,
            gaps: delivery.gaps,
        }
    }
}
