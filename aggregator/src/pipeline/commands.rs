//! Review commands: applied, counted, and applied again to a restored store.

use rightsizer_records::{News, Notice, Timestamp};
use rightsizer_rules::commands::{Action, AppliedCommand, Done, Refused, ReviewCommand};
use rightsizer_store::{Noticed, StoreError, Unit};

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
        if self.elsewhere
            && let Ok((_, applied)) = &answer
        {
            notice(&unit, applied)?;
        }
        unit.commit()?;
        Ok(answer)
    }

    /// Applies again what this store lacks of `commands`, see `ReviewCommands::carry_out_again` in the store.
    pub fn carry_out_again(&mut self, commands: &[AppliedCommand]) -> Result<(), StoreError> {
        let mut unit = self.store.begin()?;
        let known = unit.commands().carried_out()?;
        unit.commands().carry_out_again(commands)?;
        if self.elsewhere {
            let new = commands.iter().filter(|applied| applied.number > known);
            new.into_iter()
                .try_for_each(|applied| notice(&unit, applied))?;
        }
        unit.commit()
    }

    /// Notices for another engine that wait to be sent.
    pub fn notices(&mut self, most: usize) -> Result<Vec<Noticed>, StoreError> {
        let unit = self.store.begin()?;
        let waiting = unit.notices().waiting(most)?;
        unit.commit()?;
        Ok(waiting)
    }

    /// These are on the decisions stream.
    pub(crate) fn notices_sent(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let unit = self.store.begin()?;
        unit.notices().sent(keys)?;
        unit.commit()
    }

    /// Tries again what waited for the streams; returns what failed.
    pub(crate) fn settle_commands(&mut self) -> Result<Vec<AppliedCommand>, StoreError> {
        let mut unit = self.store.begin()?;
        let in_vain = unit.commands().settle()?;
        unit.commit()?;
        Ok(in_vain)
    }
}

/// Notices a command that changes what another engine keeps.
fn notice(unit: &Unit<'_>, applied: &AppliedCommand) -> Result<(), StoreError> {
    let (function, news) = match &applied.command.action {
        Action::Clear { what } => {
            let through = applied.at.day();
            (what, News::Cleared { through })
        }
        Action::Forget { what } => (what, News::Forgotten),
        _ => return Ok(()),
    };
    unit.notices().add(Notice {
        function: function.clone(),
        at: applied.at,
        news,
    })
}
