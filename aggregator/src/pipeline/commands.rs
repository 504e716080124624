//! Review commands: applied, counted, and applied again to a restored store.

use rightsizer_records::Timestamp;
use rightsizer_rules::commands::{AppliedCommand, Done, Refused, ReviewCommand};
use rightsizer_store::StoreError;

use super::Pipeline;

impl Pipeline {
    /// Applies a review command, or returns why not.
    pub fn review(
        &mut self,
        command: &ReviewCommand,
        now: Timestamp,
    ) -> Result<Result<Done, Refused>, StoreError> {
        let answer = self.carry_out(command, now)?;
        Ok(answer.map(|(done, _)| done))
    }

    /// The same, and returns the command with its target resolved, to be saved, because no stream
    /// repeats it.
    pub fn carry_out(
        &mut self,
        command: &ReviewCommand,
        now: Timestamp,
    ) -> Result<Result<(Done, AppliedCommand), Refused>, StoreError> {
        let mut unit = self.store.begin()?;
        let command = unit.commands().understood(command)?;
        let answer = match unit.commands().carry_out(&command, now)? {
            Ok(done) => Ok((done, unit.commands().count(command, now)?)),
            Err(refused) => Err(refused),
        };
        unit.commit()?;
        Ok(answer)
    }

    /// Applies again what this store lacks of `commands`, see `ReviewCommands::carry_out_again` in the store.
    pub fn carry_out_again(&mut self, commands: &[AppliedCommand]) -> Result<(), StoreError> {
        let mut unit = self.store.begin()?;
        unit.commands().carry_out_again(commands)?;
        unit.commit()
    }

    /// Tries again what waited for the streams; returns what failed.
    pub fn settle_commands(&mut self) -> Result<Vec<AppliedCommand>, StoreError> {
        let mut unit = self.store.begin()?;
        let in_vain = unit.commands().settle()?;
        unit.commit()?;
        Ok(in_vain)
    }
}
