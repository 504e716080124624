//! A unit of work: rows are read once, changed in memory, and written back at the commit. The tables are
//! behind small repositories, one a file, which borrow the unit.

use rightsizer_records::Day;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::window::{DayStats, EnvironmentState};
use rusqlite::{Connection, Transaction};

use super::checkpoints::Checkpoints;
use super::comparisons::Comparisons;
use super::crowding::Crowding;
use super::days::{DayRow, Days, PeakKey, PeakRow};
use super::decisions::Decisions;
use super::early::Early;
use super::environments::{EnvironmentRow, Environments};
use super::error::StoreError;
use super::evidence::Evidence;
use super::files::OpenFiles;
use super::functions::{FunctionRow, Functions};
use super::gaps::Gaps;
use super::holds::Holds;
use super::inventory::Inventory;
use super::log_groups::LogGroups;
use super::memory::Bounds;
use super::outbox::Sending;
use super::quarantine::Quarantine;
use super::recommendations::Recommendations;
use super::retention::Retention;
use super::reviewing::ReviewCommands;
use super::rows::Rows;
use super::state::State;
use super::stops::Stops;
use super::trial::Trials;

/// Row id of a function.
pub type FunctionId = i64;

/// Bytes of marks that environments in memory have on average, at most.
const AVERAGE_MARKS: usize = 256;
/// The rows in memory. They outlive the unit that changed them if it commits.
#[derive(Debug)]
pub(super) struct WorkingSet {
    pub(super) functions: Rows<FunctionKey, FunctionRow>,
    pub(super) days: Rows<DayRow, DayStats>,
    pub(super) peaks: Rows<PeakKey, PeakRow>,
    pub(super) environments: Rows<EnvironmentRow, EnvironmentState>,
    /// The sizes and versions of days, as `days` has them.
    pub(super) crowding: Rows<(FunctionId, Day), Crowding>,
    /// The function and day that had too many of them last.
    pub(super) crowded: Option<(FunctionId, Day)>,
    /// How much of all this stays.
    bounds: Bounds,
    /// The id that the next new function gets; 0 if it was not read yet.
    pub(super) next_function: FunctionId,
    /// From this one on functions are newer than the last flush: the tables hold nothing of them.
    pub(super) unwritten: FunctionId,
}

impl Default for WorkingSet {
    fn default() -> Self {
        Self {
            functions: Rows::default(),
            days: Rows::default(),
            peaks: Rows::default(),
            environments: Rows::default(),
            crowding: Rows::default(),
            crowded: None,
            bounds: Bounds::of_this_machine(),
            next_function: 0,
            unwritten: FunctionId::MAX,
        }
    }
}

impl WorkingSet {
    /// Writes what was changed into a transaction.
    pub(super) fn flush(&mut self, tx: &Connection) -> Result<(), StoreError> {
        Functions { tx, rows: self }.flush()?;
        Environments { tx, rows: self }.flush()?;
        Days { tx, rows: self }.flush()?;
        self.unwritten = FunctionId::MAX;
        Ok(())
    }

    /// Forgets days and environments that were written, once there are many.
    fn bound_days(&mut self) {
        let most = self.bounds.days;
        self.days.bound(most);
        self.crowding.bound(most);
        // Few environments can be large: those whose records were lost have a range of marks for each.
        let bytes = |state: &EnvironmentState| state.marks.bytes();
        let large = self.environments.len() > most / 64
            && self.environments.weight(bytes) > most.saturating_mul(AVERAGE_MARKS);
        self.environments.bound(if large { 0 } else { most });
    }
}

/// Empties the working set when its unit ends without a commit: what is in it never happened.
#[derive(Debug)]
pub(super) struct Borrowed<'s> {
    pub(super) set: &'s mut WorkingSet,
    committed: bool,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if !self.committed {
            *self.set = WorkingSet::default();
        }
    }
}

/// One transaction with its working set.
#[derive(Debug)]
pub struct Unit<'s> {
    pub(super) tx: Transaction<'s>,
    pub(super) memory: Borrowed<'s>,
    /// Checked, if it is the writer's.
    files: Option<&'s OpenFiles>,
}

impl<'s> Unit<'s> {
    pub(super) const fn new(tx: Transaction<'s>, set: &'s mut WorkingSet) -> Self {
        Self {
            tx,
            memory: Borrowed {
                set,
                committed: false,
            },
            files: None,
        }
    }

    /// A commit counts only while these files are at their paths.
    pub(super) fn watching(self, files: &'s OpenFiles) -> Self {
        Self {
            files: Some(files),
            ..self
        }
    }

    /// Writes what was changed into the transaction, so that queries see it.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.memory.set.flush(&self.tx)
    }

    /// Writes what was changed once that is much.
    pub fn flush_if_large(&mut self) -> Result<(), StoreError> {
        let set = &self.memory.set;
        if set.days.changed() + set.environments.changed() / 4 < set.bounds.waiting {
            return Ok(());
        }
        self.flush()?;
        self.memory.set.bound_days();
        Ok(())
    }

    /// Commits all of it.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.tx.commit()?;
        // Before anything is acknowledged, because a commit to a file without a name is lost.
        self.files.map_or(Ok(()), OpenFiles::check)?;
        let set = &mut *self.memory.set;
        set.functions.bound(set.bounds.functions);
        set.peaks.bound(set.bounds.functions);
        set.bound_days();
        self.memory.committed = true;
        Ok(())
    }

    /// Single values.
    pub fn state(&self) -> State<'_> {
        State { tx: &self.tx }
    }

    /// How far sources have been read.
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints { tx: &self.tx }
    }

    /// Records that cannot be used.
    pub fn quarantine(&self) -> Quarantine<'_> {
        Quarantine { tx: &self.tx }
    }

    /// What streams dropped.
    pub fn gaps(&self) -> Gaps<'_> {
        Gaps { tx: &self.tx }
    }

    /// Records that are ahead of the clock.
    pub fn early(&self) -> Early<'_> {
        Early { tx: &self.tx }
    }

    /// Functions by the control plane.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory { tx: &self.tx }
    }

    /// What other tools found out.
    pub fn comparisons(&self) -> Comparisons<'_> {
        Comparisons { tx: &self.tx }
    }

    /// What stops the sending.
    pub fn stops(&self) -> Stops<'_> {
        Stops { tx: &self.tx }
    }

    /// What decisions came to.
    pub fn recommendations(&self) -> Recommendations<'_> {
        Recommendations { tx: &self.tx }
    }

    /// What was last decided and applied.
    pub fn decisions(&self) -> Decisions<'_> {
        Decisions { tx: &self.tx }
    }

    /// What is sent.
    pub fn sending(&self) -> Sending<'_> {
        Sending { tx: &self.tx }
    }

    /// Changes that are not judged yet.
    pub fn trials(&self) -> Trials<'_> {
        Trials { tx: &self.tx }
    }

    /// Functions whose decreases are held.
    pub fn holds(&self) -> Holds<'_> {
        Holds { tx: &self.tx }
    }

    /// Functions that evidence was found of.
    pub fn functions(&mut self) -> Functions<'_> {
        Functions {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// What each day keeps.
    pub fn days(&mut self) -> Days<'_> {
        Days {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Environments that can still send.
    pub fn environments(&mut self) -> Environments<'_> {
        Environments {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Log groups that were read.
    pub fn log_groups(&mut self) -> LogGroups<'_> {
        LogGroups {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// What is not needed any more.
    pub fn retention(&mut self) -> Retention<'_> {
        Retention {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Commands of people.
    pub fn commands(&mut self) -> ReviewCommands<'_> {
        ReviewCommands {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// What decisions look at.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence { tx: &self.tx }
    }
}
