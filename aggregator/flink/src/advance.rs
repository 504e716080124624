//! One function's state, brought forward.

use rightsizer_records::{Record, Timestamp, decode};
use rightsizer_rules::assess::Viewpoint;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::state::{Closed, FunctionState, delta_from_bytes};
use rightsizer_rules::window::{ClockMode, DayClock};

use super::engine::{Engine, EngineError};
use super::frames::Frames;
use super::moment::Moment;
use super::proposal;
use super::read::tag;

/// A state older than this without a report is dropped: its last peak is forgotten (W3).
const FORGOTTEN_DAYS: i32 = 400;
/// A command that forgets a function is delivered again within this time, if ever.
const COMMAND_DAYS: i32 = 2;

/// What came of it.
#[derive(Debug, Default)]
pub struct Step {
    /// The state; empty if nothing of it is worth keeping.
    pub state: Vec<u8>,
    /// Proposals as records.
    pub proposals: Vec<Vec<u8>>,
    /// Whether the next day's close concerns the function: it was decided, or may be.
    pub active: bool,
}

impl Engine {
    /// Whether the machine's clock makes time pass.
    pub(crate) fn is_live(&self) -> bool {
        self.mode == ClockMode::Wall
    }

    /// Brings the state of `function` forward: merges the inputs, decides what has to be decided at once, and closes a
    /// day if it is over.
    pub fn advance(
        &self,
        function: &str,
        bytes: &[u8],
        inputs: &[u8],
        moment: Moment,
    ) -> Result<Step, EngineError> {
        let of_state = |source| EngineError::State {
            function: function.to_owned(),
            source,
        };
        let mut state = if bytes.is_empty() {
            let key = FunctionKey::stored(function);
            FunctionState::new(key.map_err(|_| EngineError::Mixed("a key that names no function"))?)
        } else {
            FunctionState::from_bytes(bytes).map_err(of_state)?
        };
        let mut step = Step::default();
        let decide = self.merge(&mut state, inputs, moment)?;
        let clock = self.clock(moment, state.newest());
        let terms = self.terms();
        if decide && let Some(decided) = state.decide(&clock, moment.now, &terms) {
            step.proposals.push(proposal::of(&decided, None));
        }
        step.active = true;
        // A restored job starts without a watermark; days that were closed before are not closed again.
        if moment.closes && state.closed() < moment.closed {
            match state.close(&clock, moment.now, &terms) {
                Closed::Decided(decided) => {
                    step.proposals.push(proposal::of(&decided, moment.closed));
                }
                Closed::Idle { had_decision } => {
                    step.active = false;
                    if had_decision && let Some(idle) = proposal::idle(&state, &clock, moment) {
                        step.proposals.push(idle);
                    }
                }
                Closed::NotDue => {}
            }
        }
        if !is_forgotten(&state, moment) {
            step.state = state.to_bytes_of(self.state_version);
        }
        Ok(step)
    }

    /// The clock of a function: in a replay it is as late as the last close, and as the function's own newest event.
    pub(crate) fn clock(&self, moment: Moment, newest: Option<Timestamp>) -> DayClock {
        let event = match (self.mode, moment.closes) {
            // At a close the present is the boundary, whatever came before it.
            (ClockMode::Event, false) => newest.map_or(moment.event, |at| at.max(moment.event)),
            _ => moment.event,
        };
        DayClock::new(self.mode, Some(event), moment.closed)
    }

    /// Merges inputs in their order; returns whether the function has to be decided.
    fn merge(
        &self,
        state: &mut FunctionState,
        inputs: &[u8],
        moment: Moment,
    ) -> Result<bool, EngineError> {
        let mut decide = false;
        let mut frames = Frames(inputs);
        while !frames.0.is_empty() {
            let input = frames.bytes().and_then(|input| input.split_first());
            let Some((tag, bytes)) = input else {
                return Err(EngineError::Mixed("an input that is cut off"));
            };
            let clock = self.clock(moment, state.newest());
            decide |= match *tag {
                tag::DELTA => {
                    let delta = delta_from_bytes(bytes)
                        .map_err(|_| EngineError::Mixed("evidence in another form"))?;
                    state.apply(delta, &clock, moment.now).decide
                }
                tag::SENT | tag::OUTCOME | tag::NOTICE => self.answered(state, bytes, moment)?,
                tag::STATE => {
                    begin_with(state, bytes)?;
                    false
                }
                _ => return Err(EngineError::Mixed("an input of an unknown kind")),
            };
        }
        Ok(decide)
    }

    fn answered(
        &self,
        state: &mut FunctionState,
        record: &[u8],
        moment: Moment,
    ) -> Result<bool, EngineError> {
        match decode(record) {
            Ok(Record::Recommendation(sent)) => {
                state.saw_sent(&sent, moment.now);
                Ok(false)
            }
            Ok(Record::Outcome(outcome)) => {
                // A replay is as late as the outcome, whatever was read before it.
                let clock = self.clock(moment, Some(outcome.at));
                let view = Viewpoint {
                    clock: &clock,
                    now: moment.now,
                    settings: self.terms().policy,
                };
                Ok(state.outcome(&outcome, view))
            }
            Ok(Record::Notice(notice)) => Ok(state.notice(&notice)),
            _ => Err(EngineError::Mixed("a record of another kind")),
        }
    }
}

/// Begins with a state from elsewhere, unless the function has evidence here.
fn begin_with(state: &mut FunctionState, bytes: &[u8]) -> Result<(), EngineError> {
    if state.newest().is_none() {
        let function = state.function().to_string();
        let read = FunctionState::from_bytes(bytes);
        *state = read.map_err(|source| EngineError::State { function, source })?;
    }
    Ok(())
}

fn is_forgotten(state: &FunctionState, moment: Moment) -> bool {
    let long_ago = |days: i32| move |at: Timestamp| at.day().plus(days) < moment.event.day();
    if state.is_empty() {
        let remembered = long_ago(COMMAND_DAYS);
        return state.forgotten.is_none_or(remembered);
    }
    moment.closes && state.newest().is_some_and(long_ago(FORGOTTEN_DAYS))
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{EnvId, FunctionArn, Megabytes, ReportRow, Reports, encode};

    use rightsizer_records::Day;

    use super::*;
    use crate::frames::Writer;

    const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:f";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn engine() -> Engine {
        Engine::open("[flink]\nevent_clock = true").unwrap()
    }

    /// The inputs of one record with one invocation that used 100 of 512 MB.
    fn inputs(engine: &Engine) -> Vec<u8> {
        let record = Record::Reports(Reports {
            function: FunctionArn::parse(FUNCTION).unwrap(),
            version: "$LATEST".into(),
            env: EnvId(1),
            seq: 0,
            total: 1,
            memory_mb: Megabytes(512),
            arch: None,
            runtime: None,
            init: None,
            t0: at("2026-05-01T10:00:00Z"),
            reports: vec![ReportRow {
                max_used_mb: Some(Megabytes(100)),
                ..ReportRow::default()
            }],
            errors: Vec::new(),
            cpu_ms: None,
            cores: None,
            self_kib: None,
            folded: None,
            events_dropped: 0,
        });
        let mut records = Writer::default();
        records.byte(0);
        records.bytes(&encode(&record));
        let read = engine.read(&records.0, at("2026-05-01T10:00:00Z")).unwrap();
        let mut frames = Frames(&read);
        assert_eq!(frames.byte(), Some(1));
        assert_eq!(frames.bytes(), Some(FUNCTION.as_bytes()));
        frames.0 = &frames.0[8..];
        let mut inputs = Writer::default();
        inputs.bytes(frames.bytes().unwrap());
        inputs.0
    }

    fn moment(event: &str, closed: &str, closes: bool) -> Moment {
        Moment {
            now: at("2026-06-01T00:00:00Z"),
            event: at(event),
            closed: Some(Day::parse(closed).unwrap()),
            closes,
        }
    }

    /// A new function is decided with its first record (W4), and at the close of its day; once.
    #[test]
    fn a_day_closes_once_however_often_its_timer_fires() {
        let engine = engine();
        let first = moment("2026-05-01T01:00:00Z", "2026-04-30", false);
        let step = engine.advance(FUNCTION, &[], &inputs(&engine), first);
        let step = step.unwrap();
        assert_eq!((step.proposals.len(), step.active), (1, true));
        let close = moment("2026-05-02T01:00:00Z", "2026-05-01", true);
        let closed = engine.advance(FUNCTION, &step.state, &[], close).unwrap();
        assert_eq!(closed.proposals.len(), 1);
        let again = engine.advance(FUNCTION, &closed.state, &[], close).unwrap();
        assert_eq!((again.proposals.len(), again.active), (0, true));
        assert_eq!(again.state, closed.state);
    }

    /// The same record twice adds nothing (W7), and is not news.
    #[test]
    fn w7_a_record_that_comes_again_changes_nothing_but_the_count_of_duplicates() {
        let engine = engine();
        let moment = moment("2026-05-01T01:00:00Z", "2026-04-30", false);
        let once = engine.advance(FUNCTION, &[], &inputs(&engine), moment);
        let once = once.unwrap();
        let twice = engine.advance(FUNCTION, &once.state, &inputs(&engine), moment);
        let twice = twice.unwrap();
        assert!(twice.proposals.is_empty());
        assert_eq!(twice.state.len(), once.state.len());
    }

    #[test]
    fn what_another_release_wrote_is_refused_with_the_function() {
        let engine = engine();
        let moment = moment("2026-05-01T01:00:00Z", "2026-04-30", false);
        let step = engine
            .advance(FUNCTION, &[], &inputs(&engine), moment)
            .unwrap();
        let mut newer = step.state;
        newer[0] = 200;
        let error = engine.advance(FUNCTION, &newer, &[], moment).unwrap_err();
        insta::assert_snapshot!(error.to_string(), @"function arn:aws:lambda:eu-central-1:123456789012:function:f: state version 200 is not known here (this release reads up to 4). Nothing was changed. hint: run the release that wrote the savepoint, or a later one");
        let error = engine
            .advance(FUNCTION, &[], b"xxxxxx", moment)
            .unwrap_err();
        insta::assert_snapshot!(error.to_string(), @"the job's parts are of different releases: an input that is cut off. hint: deploy one jar to all of the cluster");
    }
}
