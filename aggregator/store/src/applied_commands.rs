//! Counts applied review commands, so that a restored store can get those that it lacks. Commands
//! that it cannot apply yet wait in it until the streams have been read again.

use rightsizer_records::Timestamp;
use rightsizer_rules::commands::{Action, AppliedCommand, ReviewCommand};

use super::error::StoreError;
use super::reviewing::ReviewCommands;
use super::state::State;
use super::unit::FunctionId;

/// Key in `state` of the number of applied commands.
const CARRIED_OUT: &str = "words";
/// Key of the waiting commands, as a JSON array.
const WAITING: &str = "words_waiting";

impl ReviewCommands<'_> {
    /// Returns the same command with its recommendation or function named by a unique id, so that
    /// applying it again later has the same target. A command without a target, or with several,
    /// stays.
    pub fn understood(&self, command: &ReviewCommand) -> Result<ReviewCommand, StoreError> {
        let mut command = command.clone();
        match &mut command.action {
            Action::Approve { what } | Action::Reject { what } => {
                if let Some(id) = self.open_recommendation(what)? {
                    *what = id;
                }
            }
            Action::Unapprove { what } => {
                if let Some(id) = self.approved_recommendation(what)? {
                    *what = id;
                }
            }
            Action::Hold { what, .. }
            | Action::Release { what }
            | Action::Clear { what }
            | Action::Forget { what } => {
                if let [(_, name)] = self.functions_named(what)?.as_slice() {
                    what.clone_from(name);
                }
            }
            Action::Pause | Action::Resume => {}
        }
        Ok(command)
    }

    /// Counts an applied command.
    pub fn count(
        &self,
        command: ReviewCommand,
        at: Timestamp,
    ) -> Result<AppliedCommand, StoreError> {
        let number = self.carried_out()? + 1;
        self.set_carried_out(number)?;
        let waiting = self.not_replaced(self.those_waiting()?, &command)?;
        self.set_waiting(&waiting)?;
        Ok(AppliedCommand {
            number,
            at,
            command,
        })
    }

    /// Returns the number of commands that were applied on this store.
    pub fn carried_out(&self) -> Result<u64, StoreError> {
        let Some(text) = State { tx: self.tx }.get(CARRIED_OUT)? else {
            return Ok(0);
        };
        text.parse()
            .map_err(|_| StoreError::Damaged(format!("{CARRIED_OUT} is {text:?}")))
    }

    /// The number of applied commands. A number is never used again, even if its command is lost.
    pub fn set_carried_out(&self, number: u64) -> Result<(), StoreError> {
        State { tx: self.tx }.set(CARRIED_OUT, Some(&number.to_string()))
    }

    /// Applies the commands of `commands` that this store lacks, in their order. A command about
    /// something unknown waits for the streams.
    pub fn carry_out_again(&mut self, words: &[AppliedCommand]) -> Result<(), StoreError> {
        let known = self.carried_out()?;
        let mut waiting = self.those_waiting()?;
        for carried in words.iter().filter(|carried| carried.number > known) {
            if self.carry_out(&carried.command, carried.at)?.is_ok() {
                waiting = self.not_replaced(waiting, &carried.command)?;
            } else {
                waiting.push(carried.clone());
            }
            self.set_carried_out(carried.number)?;
        }
        self.set_waiting(&waiting)
    }

    /// Retries the waiting commands. Returns and removes those whose target still does not exist.
    pub fn settle(&mut self) -> Result<Vec<AppliedCommand>, StoreError> {
        let waiting = self.those_waiting()?;
        if waiting.is_empty() {
            return Ok(waiting);
        }
        let mut in_vain = Vec::new();
        for carried in waiting {
            if self.carry_out(&carried.command, carried.at)?.is_err() {
                in_vain.push(carried);
            }
        }
        self.set_waiting(&[])?;
        Ok(in_vain)
    }

    /// Those of `waiting` that `newer`, which was just applied, does not replace. The last command
    /// decides whether a function is held. A command about a recommendation ends it, so a waiting
    /// one finds it closed.
    fn not_replaced(
        &self,
        waiting: Vec<AppliedCommand>,
        newer: &ReviewCommand,
    ) -> Result<Vec<AppliedCommand>, StoreError> {
        let Some(function) = self.held_or_released(newer)? else {
            return Ok(waiting);
        };
        let mut kept = Vec::new();
        for carried in waiting {
            if self.held_or_released(&carried.command)? != Some(function) {
                kept.push(carried);
            }
        }
        Ok(kept)
    }

    /// The function that a hold or release names; `None` if it does not exist.
    fn held_or_released(&self, command: &ReviewCommand) -> Result<Option<FunctionId>, StoreError> {
        let (Action::Hold { what, .. } | Action::Release { what }) = &command.action else {
            return Ok(None);
        };
        Ok(match self.functions_named(what)?.as_slice() {
            [(function, _)] => Some(*function),
            _ => None,
        })
    }

    fn those_waiting(&self) -> Result<Vec<AppliedCommand>, StoreError> {
        let Some(text) = State { tx: self.tx }.get(WAITING)? else {
            return Ok(Vec::new());
        };
        serde_json::from_str(&text).map_err(|e| StoreError::Damaged(format!("{WAITING}: {e}")))
    }

    fn set_waiting(&self, words: &[AppliedCommand]) -> Result<(), StoreError> {
        if words.is_empty() {
            return State { tx: self.tx }.set(WAITING, None);
        }
        let text = serde_json::to_string(words).map_err(|e| StoreError::Damaged(e.to_string()))?;
        State { tx: self.tx }.set(WAITING, Some(&text))
    }
}
