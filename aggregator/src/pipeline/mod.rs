//! Evidence in, decisions out, in one transaction of the store (W8): the synchronous core of the
//! aggregator. It does no network IO; the time is an argument.

mod close;
mod commands;
mod digest;
mod evaluate;
mod forced;
mod prepare;
mod proposals;
mod propose;
mod session;
mod settings;
mod verdict;

pub use digest::Digest;
pub use prepare::{Gate, KnownOwners, Prepared};
pub use rightsizer_formats::intake::{Accept, AcceptRule, Batch, Intake, Refusal};
pub use session::{LogGroupDay, Session};
pub use settings::PipelineSettings;

use rightsizer_formats::{Channel, Delivery, WaitingStarts};
use rightsizer_records::{Day, Outcome, Timestamp};
use rightsizer_rules::inventory::Home;
use rightsizer_rules::inventory::InventoryUpdate;
use rightsizer_rules::window::{ClockDoubt, ClockMode, DayClock, FUTURE_TOLERANCE_MS};
use rightsizer_store::{Beside, Outbox, Outgoing, RecommendationKey, Store, StoreError, Unit};

use self::close::Closing;

/// Records that were early and are not any more.
#[derive(Default)]
struct Due {
    prepared: Vec<Prepared>,
    keys: Vec<String>,
}

/// The number of them in one commit.
const DUE_AT_ONCE: usize = 200;

const NEWEST_EVENT: &str = "newest_event_ms";
const LAST_CLOSED: &str = "last_closed_day";

/// The store with its clock and settings.
#[derive(Debug)]
pub struct Pipeline {
    store: Store,
    mode: ClockMode,
    clock: DayClock,
    /// The close that is under way.
    closing: Option<Closing>,
    settings: PipelineSettings,
    gate: Gate,
    /// What reads beside the store while a close is under way.
    readers: Vec<Beside>,
    /// Whether days may close: not while a backlog that may belong to them is unread.
    days_close: bool,
    /// Whether a stream was just read to its newest record: AWS answers no clock that is wrong.
    caught_up: bool,
    /// Whether another engine keeps the windows and decides.
    elsewhere: bool,
}

impl Pipeline {
    /// Continues with the state of `store`.
    pub fn new(
        mut store: Store,
        mode: ClockMode,
        settings: impl Into<PipelineSettings>,
        accept: Accept,
    ) -> Result<Self, StoreError> {
        let unit = store.begin()?;
        let number = |key| -> Result<Option<i64>, StoreError> {
            let text = unit.state().get(key)?;
            text.map(|t| {
                t.parse()
                    .map_err(|_| StoreError::Damaged(format!("{key} is {t:?}")))
            })
            .transpose()
        };
        let newest = number(NEWEST_EVENT)?.and_then(Timestamp::from_ms);
        let closed = number(LAST_CLOSED)?.and_then(|n| i32::try_from(n).ok());
        let clock = DayClock::new(mode, newest, closed.map(Day::from_number));
        let closing = Closing::load(&unit)?;
        let owners = KnownOwners::default();
        owners.set(unit.inventory().owners()?);
        unit.commit()?;
        Ok(Self {
            store,
            mode,
            clock,
            closing,
            settings: settings.into(),
            gate: Gate {
                accept,
                home: None,
                owners,
                waiting: WaitingStarts::default(),
                live: mode == ClockMode::Wall,
            },
            readers: Vec::new(),
            days_close: true,
            caught_up: false,
            elsewhere: false,
        })
    }

    /// Makes ARNs of functions that payloads know by name only.
    #[must_use]
    pub fn at_home(mut self, home: Option<Home>) -> Self {
        self.gate.home = home;
        self
    }

    /// Leaves days and decisions to another engine, whose proposals come in instead of evidence.
    #[must_use]
    pub(crate) fn deciding_elsewhere(self, elsewhere: bool) -> Self {
        Self { elsewhere, ..self }
    }

    /// What decides which evidence is taken: deliveries can be prepared by it on other threads.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Holds days open until the backlog is read: after a pause the clock is ahead of what has been
    /// read, and a day closed without its backlog would be decided too low.
    #[must_use]
    pub fn holding_days(self, hold: bool) -> Self {
        Self {
            days_close: !hold,
            ..self
        }
    }

    /// The backlog is read.
    pub(crate) const fn let_days_close(&mut self) {
        self.days_close = true;
        self.caught_up = true;
    }

    /// Prepares and merges deliveries, see [`Pipeline::merge`].
    pub fn ingest(
        &mut self,
        deliveries: Vec<Delivery>,
        now: Timestamp,
    ) -> Result<Digest, StoreError> {
        let prepare = |delivery| self.gate.prepare(delivery, now);
        let prepared = deliveries.into_iter().map(prepare).collect();
        self.merge(prepared, now)
    }

    /// Merges deliveries, closes the days whose time has come, decides what was touched, and commits
    /// it all with the deliveries' checkpoints. Under the event clock what a close calls for is
    /// decided at once: the next event is of another day. Live it waits for [`Pipeline::close_slice`].
    pub fn merge(
        &mut self,
        deliveries: Vec<Prepared>,
        now: Timestamp,
    ) -> Result<Digest, StoreError> {
        let days_close = self.days_close && !self.elsewhere;
        if std::mem::take(&mut self.caught_up) {
            self.clock.confirm(now);
        }
        let due = self.take_due(now)?;
        let digest = self.work(now, |session| {
            for delivery in deliveries.into_iter().chain(due.prepared) {
                session.deliver(delivery)?;
            }
            session.unit.early().forget(&due.keys)?;
            if days_close {
                session.close_days()
            } else {
                session.decide_touched()
            }
        })?;
        match self.mode {
            ClockMode::Wall => Ok(digest),
            ClockMode::Event => self.settled(digest, now),
        }
    }

    /// Records the time of a second source: it is at least `at`.
    pub(crate) const fn confirm_time(&mut self, at: Timestamp) {
        self.clock.confirm(at);
    }

    /// Why the machine's clock is not believed, if it is not.
    pub(crate) fn clock_doubt(&self, now: Timestamp) -> Option<ClockDoubt> {
        self.clock.doubt(now)
    }

    /// Records whose time has come by now, made ready.
    fn take_due(&mut self, now: Timestamp) -> Result<Due, StoreError> {
        if self.mode == ClockMode::Event {
            return Ok(Due::default());
        }
        let unit = self.store.begin()?;
        let due = unit
            .early()
            .until(now.plus_ms(FUTURE_TOLERANCE_MS), DUE_AT_ONCE)?;
        unit.commit()?;
        let mut taken = Due::default();
        for (key, early) in due {
            let delivery = Delivery {
                origin: early.origin,
                channel: if early.decisions {
                    Channel::Decisions
                } else {
                    Channel::Reports
                },
                payloads: vec![early.bytes],
                checkpoint: None,
                gaps: Vec::new(),
            };
            taken.prepared.push(self.gate.prepare(delivery, now));
            taken.keys.push(key);
        }
        Ok(taken)
    }

    /// Closes the days whose time has come.
    pub fn tick(&mut self, now: Timestamp) -> Result<Digest, StoreError> {
        self.merge(Vec::new(), now)
    }

    /// Whether a close is under way.
    pub const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Decides the next slice of the functions that a day's close calls for, in a commit of its own.
    pub fn close_slice(&mut self, now: Timestamp) -> Result<Digest, StoreError> {
        let slice = self.look_at_slice(now)?;
        let digest = self.work(now, |session: &mut Session<'_>| session.close_slice(slice))?;
        if self.closing.is_none() {
            self.readers.clear();
        }
        Ok(digest)
    }

    /// Decides all that a close calls for.
    fn settled(&mut self, mut digest: Digest, now: Timestamp) -> Result<Digest, StoreError> {
        while self.is_closing() {
            digest.add(self.close_slice(now)?);
        }
        Ok(digest)
    }

    /// The input has ended: under the event clock every day before the newest event's own closes.
    pub fn finish(&mut self, now: Timestamp) -> Result<Digest, StoreError> {
        let digest = self.work(now, |session: &mut Session<'_>| session.end_of_input())?;
        self.settled(digest, now)
    }

    /// One unit of work of the caller's making: committed when `body` succeeds, else forgotten,
    /// the clock included.
    pub fn work<E: From<StoreError>>(
        &mut self,
        now: Timestamp,
        body: impl FnOnce(&mut Session<'_>) -> Result<(), E>,
    ) -> Result<Digest, E> {
        let unit = self.store.begin()?;
        let mut session = Session::new(unit, (self.clock, self.closing), &self.settings, now);
        session.elsewhere = self.elsewhere;
        body(&mut session)?;
        let (clock, closing, digest) = session.commit()?;
        (self.clock, self.closing) = (clock, closing);
        Ok(digest)
    }

    /// What of what waits is to be sent now, as far as the limits allow.
    pub fn outbox(
        &mut self,
        which: Outgoing,
        most: usize,
        now: Timestamp,
    ) -> Result<Outbox, StoreError> {
        let unit = self.store.begin()?;
        let waiting = unit
            .sending()
            .outbox(which, most, &self.settings.limits, now)?;
        // A unit that is dropped takes the rows in memory with it.
        unit.commit()?;
        Ok(waiting)
    }

    /// These were sent.
    pub fn mark_sent(
        &mut self,
        keys: &[RecommendationKey],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let unit = self.store.begin()?;
        unit.sending().mark_sent(keys, now)?;
        unit.commit()
    }

    /// Empties the store's log if it is large, see [`Store::trim_wal`].
    pub(crate) fn trim_wal(&mut self) -> Result<u64, StoreError> {
        self.store.trim_wal()
    }

    /// Takes in the outcome of a recommendation that was applied from here, past any stream: it counts
    /// as sent in the same commit.
    pub fn take_outcome(
        &mut self,
        key: &RecommendationKey,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Digest, StoreError> {
        self.work(now, |session| session.applied_here(key, outcome))
    }

    /// Takes in what a refresh of the inventory found. Live, a function whose size is another now is decided
    /// at once; else that comes at the end of the input.
    pub(crate) fn take_inventory(&mut self, update: &InventoryUpdate) -> Result<(), StoreError> {
        let live = self.mode == ClockMode::Wall;
        let mut owners = None;
        self.work(update.seen_at, |session| {
            owners = Some(session.take_inventory(update, live)?);
            Ok::<_, StoreError>(())
        })?;
        if let Some(owners) = owners {
            self.gate.owners.set(owners);
        }
        Ok(())
    }

    /// Days of a log group, from `from` on, that need not be read again.
    pub(crate) fn finished_log_days(
        &mut self,
        log_group: &str,
        from: Day,
    ) -> Result<Vec<Day>, StoreError> {
        let mut unit = self.store.begin()?;
        let days = unit.log_groups().days(log_group, from)?;
        unit.commit()?;
        Ok(session::finished(days))
    }

    /// Checkpoints of the sources whose name begins with `prefix`.
    pub fn checkpoints(&mut self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let unit = self.store.begin()?;
        let checkpoints = unit.checkpoints().beginning_with(prefix)?;
        unit.commit()?;
        Ok(checkpoints)
    }
}

fn save_clock(unit: &Unit<'_>, clock: &DayClock) -> Result<(), StoreError> {
    if let Some(newest) = clock.newest_event() {
        unit.state()
            .set(NEWEST_EVENT, Some(&newest.as_ms().to_string()))?;
    }
    if let Some(closed) = clock.last_closed() {
        unit.state()
            .set(LAST_CLOSED, Some(&closed.number().to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
