//! A unit of work: rows are read once, changed in memory, and written back at the commit. The tables are
//! behind small repositories, one a file, which borrow the unit.

use rightsizer_records::Day;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::window::{Crowding, DayStats, EnvironmentState, PeakOfDay};
use rusqlite::{Connection, Transaction};

use super::checkpoints::Checkpoints;
use super::comparisons::Comparisons;
use super::days::{DayRow, Days, PeakKey};
use super::decisions::Decisions;
use super::early::Early;
use super::environments::{EnvironmentRow, Environments};
use super::error::StoreError;
use super::evidence::Evidence;
use super::files::OpenFiles;
use super::forced_starts::ForcedStarts;
use super::functions::{FunctionRow, Functions};
use super::gaps::Gaps;
use super::holds::Holds;
use super::inventory::Inventory;
use super::log_groups::LogGroups;
use super::memory::Bounds;
use super::moved::Arrivals;
use super::notices::Notices;
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

/// Most bytes of marks per environment in memory, on average.
const AVERAGE_MARKS: usize = 256;
/// The rows in memory. They outlive the unit that changed them if it commits.
#[derive(Debug)]
pub(super) struct WorkingSet {
    pub(super) functions: Rows<FunctionKey, FunctionRow>,
    pub(super) days: Rows<DayRow, DayStats>,
    pub(super) peaks: Rows<PeakKey, PeakOfDay>,
    pub(super) environments: Rows<EnvironmentRow, EnvironmentState>,
    /// The sizes and versions of days, as `days` has them.
    pub(super) crowding: Rows<(FunctionId, Day), Crowding>,
    /// The function and day that had too many of them last.
    pub(super) crowded: Option<(FunctionId, Day)>,
    /// The numbers of rows that stay.
    bounds: Bounds,
    /// The id of the next new function; 0 if it was not read yet.
    pub(super) next_function: FunctionId,
    /// Functions from this id on are newer than the last flush, so the tables have no rows of them.
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
    /// Writes the changed rows into a transaction.
    pub(super) fn flush(&mut self, tx: &Connection) -> Result<(), StoreError> {
        Functions { tx, rows: self }.flush()?;
        Environments { tx, rows: self }.flush()?;
        Days { tx, rows: self }.flush()?;
        self.unwritten = FunctionId::MAX;
        Ok(())
    }

    /// Drops written days and environments if there are many.
    fn bound_days(&mut self) {
        let most = self.bounds.days;
        self.days.bound(most);
        self.crowding.bound(most);
        // Few environments can be large: lost records leave a range of marks each.
        let bytes = |state: &EnvironmentState| state.marks.bytes();
        let large = self.environments.len() > most / 64
            && self.environments.weight(bytes) > most.saturating_mul(AVERAGE_MARKS);
        self.environments.bound(if large { 0 } else { most });
    }
}

/// Empties the working set when its unit ends without a commit, because its changes are rolled back.
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

    /// Writes the changed rows into the transaction, so that queries see them.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.memory.set.flush(&self.tx)
    }

    /// Writes the changed rows if there are many.
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

    /// Returns the repository of single values.
    pub fn state(&self) -> State<'_> {
        State { tx: &self.tx }
    }

    /// Returns the checkpoints of sources.
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints { tx: &self.tx }
    }

    /// Returns the quarantine.
    pub fn quarantine(&self) -> Quarantine<'_> {
        Quarantine { tx: &self.tx }
    }

    /// Returns the gaps of streams.
    pub fn gaps(&self) -> Gaps<'_> {
        Gaps { tx: &self.tx }
    }

    /// Returns the records that are ahead of the clock.
    pub fn early(&self) -> Early<'_> {
        Early { tx: &self.tx }
    }

    /// Returns the notices for an engine besides the store.
    pub fn notices(&self) -> Notices<'_> {
        Notices { tx: &self.tx }
    }

    /// Returns where functions come back from an engine besides the store.
    pub fn arrivals(&mut self) -> Arrivals<'_> {
        Arrivals {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the inventory.
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory { tx: &self.tx }
    }

    /// Returns the results of other tools.
    pub fn comparisons(&self) -> Comparisons<'_> {
        Comparisons { tx: &self.tx }
    }

    /// Returns the cold starts that were forced.
    pub fn forced_starts(&self) -> ForcedStarts<'_> {
        ForcedStarts { tx: &self.tx }
    }

    /// Returns the stops of sending.
    pub fn stops(&self) -> Stops<'_> {
        Stops { tx: &self.tx }
    }

    /// Returns the recommendations.
    pub fn recommendations(&self) -> Recommendations<'_> {
        Recommendations { tx: &self.tx }
    }

    /// Returns the last decisions and applied sizes.
    pub fn decisions(&self) -> Decisions<'_> {
        Decisions { tx: &self.tx }
    }

    /// Returns the sending of recommendations.
    pub fn sending(&self) -> Sending<'_> {
        Sending { tx: &self.tx }
    }

    /// Returns the changes without a verdict.
    pub fn trials(&self) -> Trials<'_> {
        Trials { tx: &self.tx }
    }

    /// Returns the holds.
    pub fn holds(&self) -> Holds<'_> {
        Holds { tx: &self.tx }
    }

    /// Returns the functions with evidence.
    pub fn functions(&mut self) -> Functions<'_> {
        Functions {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the days.
    pub fn days(&mut self) -> Days<'_> {
        Days {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the environments that can still send.
    pub fn environments(&mut self) -> Environments<'_> {
        Environments {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the log groups that were read.
    pub fn log_groups(&mut self) -> LogGroups<'_> {
        LogGroups {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the deletion of old data.
    pub fn retention(&mut self) -> Retention<'_> {
        Retention {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the review commands.
    pub fn commands(&mut self) -> ReviewCommands<'_> {
        ReviewCommands {
            tx: &self.tx,
            rows: &mut *self.memory.set,
        }
    }

    /// Returns the evidence for decisions.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence { tx: &self.tx }
    }
}
