//! Recommendations that were sent, and what became of them.

use rightsizer_records::{Megabytes, Mode, Outcome, OutcomeStatus, Recommendation, Timestamp};

use super::FunctionState;
use crate::assess::{AppliedChange, Viewpoint};
use crate::lifecycle::{self, ClosedCode, Event, Status};
use crate::outcome::OpenTrial;
use crate::policy::SizeFacts;

/// An increase without an outcome after this time is lost: the updater discards a record after an hour.
const LOST_AFTER_MS: i64 = 2 * 3_600_000;
/// Outcomes of a recommendation that are remembered, to know a repeated one.
const MOST_OUTCOMES: usize = 16;

/// A recommendation that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size that it asks for.
    pub to_mb: Megabytes,
    /// What has become of it.
    pub status: Status,
    /// Whether no person approved it.
    pub automatic: bool,
    /// When it was decided.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was seen on the stream.
    pub noted_at: Timestamp,
    /// When the function got its size, by the window's clock.
    pub applied_at: Option<Timestamp>,
    /// The recommendation that it takes back.
    pub rollback_of: Option<String>,
    /// The outcomes that came, to know them again.
    pub outcomes: Vec<(Timestamp, OutcomeStatus)>,
}

impl Sent {
    /// The change that it brought, with its id.
    pub(super) fn change(&self) -> Option<(AppliedChange, &str)> {
        let at = self.applied_at.filter(|_| self.status.has_changed_size())?;
        let change = AppliedChange {
            at,
            from_mb: self.from_mb,
            to_mb: self.to_mb,
            status: self.status,
            automatic: self.automatic,
        };
        Some((change, &self.id))
    }

    /// Whether its outcome may still come.
    pub(super) fn is_pending(&self, now: Timestamp) -> bool {
        self.status == Status::Sent && self.expires_at > now
    }

    /// The same decision was made and sent again after it had ended.
    fn sent_again(&mut self, record: &Recommendation, now: Timestamp) {
        if matches!(self.status, Status::Verified | Status::Applied) {
            return;
        }
        self.status = Status::Sent;
        self.automatic = record.mode == Mode::Auto && record.by.is_none();
        (self.issued_at, self.expires_at) = (record.issued_at, record.expires_at);
        (self.noted_at, self.rollback_of) = (now, record.rollback_of.clone());
    }

    fn happen(&mut self, event: Event) {
        self.status = lifecycle::next(self.status, event).unwrap_or(self.status);
    }
}

impl FunctionState {
    /// Records that a recommendation is on the decisions stream. It counts only if this product decided it, which its
    /// id proves.
    pub fn saw_sent(&mut self, record: &Recommendation, now: Timestamp) {
        if self.seen.is_none() {
            return;
        }
        // From here on its status shows whether a peak may still withdraw it (W9).
        if let Some(last) = &mut self.last {
            last.decrease_to = last.decrease_to.filter(|to| *to != record.to_mb);
        }
        if let Some(known) = self.sent.iter_mut().find(|sent| sent.id == record.id) {
            if record.issued_at > known.issued_at {
                known.sent_again(record, now);
            } else {
                known.happen(Event::Sent);
            }
            return;
        }
        if lifecycle::decision_day(record).is_none() {
            return;
        }
        self.sent.push(Sent {
            id: record.id.clone(),
            from_mb: record.from_mb,
            to_mb: record.to_mb,
            status: Status::Sent,
            automatic: record.mode == Mode::Auto && record.by.is_none(),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            noted_at: now,
            applied_at: None,
            rollback_of: record.rollback_of.clone(),
            outcomes: Vec::new(),
        });
    }

    /// Applies an outcome of a sent recommendation, with the sizes that it was sent with. Returns whether the function
    /// has another size by it, and so has to be decided. A repeated outcome changes nothing.
    pub fn outcome(&mut self, outcome: &Outcome, view: Viewpoint<'_>) -> bool {
        let found = self.sent.iter_mut().find(|sent| {
            sent.id == outcome.id && (sent.from_mb, sent.to_mb) == (outcome.from_mb, outcome.to_mb)
        });
        let Some(sent) = found else { return false };
        let key = (outcome.at, outcome.status);
        if sent.outcomes.contains(&key) {
            return false;
        }
        if sent.outcomes.len() == MOST_OUTCOMES {
            sent.outcomes.remove(0);
        }
        sent.outcomes.push(key);
        let code = ClosedCode::of(outcome);
        let Some(after) = lifecycle::next(sent.status, code.event()) else {
            return false;
        };
        if sent.automatic && code.asks_a_person() {
            sent.happen(Event::LeftToAPerson);
            return false;
        }
        sent.status = after;
        let size = match after {
            Status::Applied => outcome.to_mb,
            Status::RolledBack => outcome.from_mb,
            _ => return false,
        };
        let present = view.present();
        sent.applied_at = Some(present);
        let taken_back = sent
            .rollback_of
            .clone()
            .filter(|_| after == Status::Applied);
        for other in &mut self.sent {
            if Some(&other.id) == taken_back.as_ref() {
                other.happen(Event::TakenBack);
            }
        }
        self.note_baseline(outcome, view);
        self.applied = Some((present, size));
        if let Some(listed) = &mut self.listed {
            // Until the next refresh this counts as the account's value.
            listed.memory_mb = size;
        }
        true
    }

    /// P6 holds durations against those before the first decrease: 25 % a step would add up.
    fn note_baseline(&mut self, outcome: &Outcome, view: Viewpoint<'_>) {
        if outcome.to_mb >= outcome.from_mb || self.baseline_p95.is_some() {
            return;
        }
        let seen = self.assess(view);
        let sizes = seen.iter().flat_map(|seen| &seen.evidence.sizes);
        let before = sizes.into_iter().find(|s| s.memory_mb == outcome.from_mb);
        self.baseline_p95 = before.map(SizeFacts::shorter_p95);
    }

    /// The last change, if it has no verdict yet.
    pub(super) fn open_trial(&self) -> Option<OpenTrial> {
        let changes = self.sent.iter().filter_map(Sent::change);
        let (last, id) = changes.max_by(|(a, one), (b, other)| (a.at, one).cmp(&(b.at, other)))?;
        (last.status == Status::Applied).then(|| OpenTrial {
            id: id.to_owned(),
            from_mb: last.from_mb,
            to_mb: last.to_mb,
            applied_at: last.at,
        })
    }

    /// Returns whether a recommendation has ended so that the same decision does not open it again.
    pub(super) fn has_ended(&self, id: &str) -> bool {
        let open = |status: Status| {
            status.is_active() || lifecycle::next(status, Event::DecidedAgain).is_some()
        };
        let mut same = self.sent.iter().filter(|sent| sent.id == id);
        same.any(|sent| !open(sent.status))
    }

    /// Ends a recommendation.
    pub(super) fn end(&mut self, id: &str, code: ClosedCode) {
        let found = self.sent.iter_mut().find(|sent| sent.id == id);
        found.into_iter().for_each(|sent| sent.happen(code.event()));
    }

    /// Ends increases without an outcome as failed: the function may be running out of memory.
    pub(super) fn give_up_lost_increases(&mut self, now: Timestamp) {
        let lost = now.as_ms() - LOST_AFTER_MS;
        for sent in &mut self.sent {
            if sent.to_mb > sent.from_mb && sent.noted_at.as_ms() <= lost {
                sent.happen(Event::OutcomeLost);
            }
        }
    }

    /// What a new decision does to what was sent and has no outcome.
    pub(super) fn supersede(&mut self, id: &str, change: (Megabytes, Megabytes), now: Timestamp) {
        for sent in self
            .sent
            .iter_mut()
            .filter(|sent| sent.status == Status::Sent)
        {
            if sent.expires_at < now {
                sent.happen(ClosedCode::NotReviewed.event());
            } else if (sent.from_mb, sent.to_mb) != change && sent.id != id {
                sent.happen(ClosedCode::LaterDecision.event());
            }
        }
    }
}
