//! Evidence folded ahead of the store: whatever can be done to a record without knowing what came
//! before it is done here, on any thread, so that the one writer only merges.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rightsizer_records::{
    Notice, Outcome, Proposal, Recommendation, Record, Reports, Timestamp, plausible_record,
};
use rightsizer_rules::comparison::Comparison;
use rightsizer_rules::evidence::{Evidence, FunctionKey, Observation};
use rightsizer_rules::window::{
    DaySource, Delta, FUTURE_TOLERANCE_MS, fold_into, fold_observation, fold_reports,
};

use super::accept::Accept;
use crate::Channel;

/// About what a record of a decision takes in memory, and a function's place among the observed ones.
const OF_A_DECISION: usize = 2048;
const OF_A_FUNCTION: usize = 400;

/// Why a record was not taken, in words for the quarantine or an import's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub why: String,
    /// The time it claims, if that lies too far ahead of the clock: it may be the clock that is wrong.
    pub early: Option<Timestamp>,
}

impl Refusal {
    fn because(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            early: None,
        }
    }
}

/// How evidence is looked at as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    /// Whose functions are taken.
    pub accept: &'a Accept,
    /// What observations count as; records are always the layer's.
    pub source: DaySource,
    /// Who may have written it.
    pub channel: Channel,
    /// The present: what lies more than a day after it is not believed (W5).
    pub now: Timestamp,
}

/// Evidence that was folded and waits to be merged.
#[derive(Debug, Default)]
pub struct Batch {
    /// What has a key to be known again by, and so is merged or dropped as a whole.
    pub keyed: Vec<Delta>,
    /// What has none, folded by function.
    pub observed: HashMap<FunctionKey, Delta, RandomState>,
    /// The same of reports found in files of unknown tools.
    pub wrapped: HashMap<FunctionKey, Delta, RandomState>,
    /// Outcomes, from the decisions stream.
    pub outcomes: Vec<Outcome>,
    /// Decisions of another engine, in their order.
    pub proposals: Vec<Proposal>,
    /// What other tools found out.
    pub compared: Vec<Comparison>,
    /// Seen on the decisions stream, and so sent.
    pub sent: Vec<Recommendation>,
    /// The aggregator's news for an engine besides it.
    pub notices: Vec<Notice>,
    /// Bytes of memory that all of it takes, about.
    weight: usize,
}

impl Batch {
    /// Returns about how many bytes of memory it takes.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// Folds one piece of evidence in, or returns why it cannot be used.
    pub fn take(&mut self, evidence: Evidence, intake: &Intake<'_>) -> Result<(), Refusal> {
        let is_proposal =
            matches!(&evidence, Evidence::Record(r) if matches!(**r, Record::Proposal(_)));
        if intake.channel == Channel::Proposals && !is_proposal {
            return Err(Refusal::because(
                "on the proposals stream, which carries proposals alone",
            ));
        }
        match evidence {
            Evidence::Observation(seen) => self.observe(&seen, intake),
            Evidence::Comparison(found) => self.compare(*found, intake),
            Evidence::Record(record) => match *record {
                Record::Reports(reports) => self.report(&reports, intake),
                Record::Outcome(_) if intake.channel == Channel::Reports => Err(Refusal::because(
                    "an outcome on the reports stream, which every function may write to",
                )),
                Record::Outcome(outcome) => {
                    self.weight += OF_A_DECISION;
                    self.outcomes.push(outcome);
                    Ok(())
                }
                Record::Recommendation(_) if intake.channel == Channel::Reports => {
                    Err(Refusal::because(
                        "a recommendation on the reports stream, which every function may write to",
                    ))
                }
                Record::Proposal(proposal) if intake.channel == Channel::Proposals => {
                    intake.not_from_the_future(proposal.decided_at)?;
                    self.weight += OF_A_DECISION;
                    self.proposals.push(*proposal);
                    Ok(())
                }
                Record::Proposal(_) => Err(Refusal::because(
                    "a proposal, which belongs on the proposals stream",
                )),
                Record::Notice(_) if intake.channel == Channel::Reports => Err(Refusal::because(
                    "a notice on the reports stream, which every function may write to",
                )),
                Record::Notice(notice) => {
                    self.weight += OF_A_DECISION;
                    self.notices.push(notice);
                    Ok(())
                }
                Record::Recommendation(recommendation) => {
                    self.weight += OF_A_DECISION;
                    self.sent.push(recommendation);
                    Ok(())
                }
            },
        }
    }

    /// Stores results of another tool. They count only from a user's file.
    fn compare(&mut self, found: Comparison, intake: &Intake<'_>) -> Result<(), Refusal> {
        if intake.source != DaySource::Import {
            return Err(Refusal::because(
                "results of another tool about sizes: they count only in files (rightsizer import)",
            ));
        }
        if let Some(arn) = found.function.arn()
            && !intake.accept.takes(arn)
        {
            return Err(stranger(arn));
        }
        intake.not_from_the_future(found.at)?;
        self.weight += OF_A_DECISION;
        self.compared.push(found);
        Ok(())
    }

    fn report(&mut self, record: &Reports, intake: &Intake<'_>) -> Result<(), Refusal> {
        if !intake.accept.takes(&record.function) {
            return Err(stranger(&record.function));
        }
        plausible_record(record).map_err(|why| Refusal::because(why.to_string()))?;
        let delta = fold_reports(record);
        intake.not_from_the_future(delta.sighting.newest.at)?;
        self.weight += delta.weight();
        self.keyed.push(delta);
        Ok(())
    }

    fn observe(&mut self, seen: &Observation, intake: &Intake<'_>) -> Result<(), Refusal> {
        if let Some(arn) = seen.function.arn()
            && !intake.accept.takes(arn)
        {
            return Err(stranger(arn));
        }
        intake.not_from_the_future(seen.at)?;
        let wrapped = seen.wrapped && intake.source == DaySource::Import;
        let (source, observed) = if wrapped {
            (DaySource::Wrapped, &mut self.wrapped)
        } else {
            (intake.source, &mut self.observed)
        };
        if seen.event_id.is_some() {
            let delta = fold_observation(seen, source);
            self.weight += delta.weight();
            self.keyed.push(delta);
        } else if let Some(delta) = observed.get_mut(&*seen.function) {
            let before = delta.weight();
            fold_into(seen, delta);
            self.weight += delta.weight() - before;
        } else {
            let delta = fold_observation(seen, source);
            self.weight += delta.weight() + OF_A_FUNCTION;
            observed.insert(delta.function.clone(), delta);
        }
        Ok(())
    }
}

fn stranger(function: &rightsizer_records::FunctionArn) -> Refusal {
    Refusal::because(format!(
        "{function} is not in an accepted account and region"
    ))
}

impl Intake<'_> {
    /// W5: what lies more than a day in the future is not believed.
    fn not_from_the_future(&self, newest: Timestamp) -> Result<(), Refusal> {
        if newest <= self.now.plus_ms(FUTURE_TOLERANCE_MS) {
            return Ok(());
        }
        Err(Refusal {
            why: format!(
                "its time {newest} is more than a day in the future of {}",
                self.now
            ),
            early: Some(newest),
        })
    }
}
