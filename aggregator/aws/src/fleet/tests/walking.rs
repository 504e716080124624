//! Reading and changing against a Lambda that refuses, on a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use rightsizer_records::FunctionArn;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::functions::{changed, configuration, facts, wish};
use crate::fleet::{
    CallError, Change, Configuration, Done, Intent, LastUpdate, LayersApi, Plan, SkipCode,
    carry_out, plan_all,
};
use crate::throttle::Throttle;

/// Functions, and what comes instead of the next answers to a write.
#[derive(Default)]
struct Lambda {
    functions: Mutex<BTreeMap<String, Configuration>>,
    answers: Mutex<VecDeque<Answer>>,
    reads: Mutex<Vec<Instant>>,
    writes: Mutex<Vec<Instant>>,
}

enum Answer {
    Error(CallError),
    /// The change is made and this is answered.
    Lost(CallError),
    /// The change is taken and comes to this.
    Taken(LastUpdate),
    /// Someone else changes it just before.
    Overtaken,
}

impl Lambda {
    fn with(names: &[&str], answers: impl IntoIterator<Item = Answer>) -> Self {
        let functions = names.iter();
        let functions = functions.map(|name| ((*name).to_owned(), configuration()));
        Self {
            functions: Mutex::new(functions.collect()),
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    fn layers(&self, name: &str) -> usize {
        self.functions.lock().unwrap()[name].layers.len()
    }
}

impl LayersApi for Lambda {
    async fn read(&self, function: &FunctionArn) -> Result<Configuration, CallError> {
        self.reads.lock().unwrap().push(Instant::now());
        let mut functions = self.functions.lock().unwrap();
        let now = functions.get_mut(function.name());
        let now = now.ok_or_else(|| CallError::Refused("ResourceNotFoundException".to_owned()))?;
        let read = now.clone();
        // By the next time it is done.
        if now.last_update == LastUpdate::InProgress {
            now.last_update = LastUpdate::Done;
        }
        Ok(read)
    }

    async fn write(
        &self,
        function: &FunctionArn,
        change: &Change,
        revision: Option<&str>,
    ) -> Result<(), CallError> {
        self.writes.lock().unwrap().push(Instant::now());
        let mut functions = self.functions.lock().unwrap();
        let now = functions.get_mut(function.name()).unwrap();
        let answer = self.answers.lock().unwrap().pop_front();
        match &answer {
            Some(Answer::Error(error)) => return Err(error.clone()),
            Some(Answer::Overtaken) => now.revision = Some("theirs".to_owned()),
            _ => {}
        }
        if now.revision.as_deref() != revision {
            return Err(CallError::Busy("PreconditionFailedException".to_owned()));
        }
        *now = changed(now, change);
        now.revision = Some("ours".to_owned());
        match answer {
            Some(Answer::Lost(error)) => Err(error),
            Some(Answer::Taken(update)) => {
                now.last_update = update;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

async fn attached(lambda: &Lambda, names: &[&str]) -> Vec<Done> {
    let paces = (&Throttle::per_second(20.0), &Throttle::per_second(8.0));
    let functions = names.iter().map(|name| facts(name)).collect();
    let mut done = BTreeMap::new();
    let intent = Intent::Attach(wish());
    carry_out(
        lambda,
        paces,
        &intent,
        functions,
        &CancellationToken::new(),
        |n, of| {
            done.insert(n, of);
        },
    )
    .await;
    done.into_values().collect()
}

#[tokio::test(start_paused = true)]
async fn a_conflict_and_a_changed_revision_are_tried_again_with_all_read_again() {
    let busy = CallError::Busy("ResourceConflictException".to_owned());
    let lambda = Lambda::with(&["a"], [Answer::Error(busy), Answer::Overtaken]);
    assert_eq!(attached(&lambda, &["a"]).await, [Done::Changed]);
    assert_eq!(lambda.layers("a"), 1);
    assert_eq!(lambda.writes.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_reading_and_nothing_is_done_twice() {
    let lost = CallError::Unclear("connection reset".to_owned());
    let lambda = Lambda::with(&["a"], [Answer::Lost(lost)]);
    assert_eq!(attached(&lambda, &["a"]).await, [Done::Changed]);
    assert_eq!(lambda.writes.lock().unwrap().len(), 1);
    assert_eq!(lambda.layers("a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_taken_is_followed_to_its_end() {
    let failed = LastUpdate::Failed("InvalidSubnet".to_owned());
    let lambda = Lambda::with(&["a"], [Answer::Taken(failed)]);
    let done = attached(&lambda, &["a"]).await;
    assert!(
        matches!(&done[..], [Done::Failed(why)] if why.contains("InvalidSubnet")),
        "{done:?}"
    );
    let lambda = Lambda::with(&["a"], [Answer::Taken(LastUpdate::InProgress)]);
    assert_eq!(attached(&lambda, &["a"]).await, [Done::Changed]);
}

#[tokio::test(start_paused = true)]
async fn too_large_is_a_skip_and_one_that_is_gone_disturbs_no_other() {
    let large = CallError::TooLarge("must be smaller than 262144000 bytes".to_owned());
    let lambda = Lambda::with(&["a", "c"], [Answer::Error(large)]);
    let done = attached(&lambda, &["a", "gone", "c"]).await;
    assert!(matches!(&done[0], Done::Skipped(skip) if skip.code == SkipCode::TooLarge));
    assert!(matches!(&done[1], Done::Failed(why) if why.contains("NotFound")));
    assert_eq!(done[2], Done::Changed);
}

/// Lambda says only at the change that a configuration of code signing refuses our layer.
#[tokio::test(start_paused = true)]
async fn a_layer_that_must_be_signed_is_a_skip() {
    let refused = CallError::NotSigned("CodeVerificationFailedException".to_owned());
    let lambda = Lambda::with(&["a"], [Answer::Error(refused)]);
    let done = attached(&lambda, &["a"]).await;
    assert!(matches!(&done[0], Done::Skipped(skip) if skip.code == SkipCode::CodeSigning));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_as_long_as_requested() {
    let retry_after = Some(Duration::from_secs(7));
    let lambda = Lambda::with(
        &["a"],
        [Answer::Error(CallError::Throttled { retry_after })],
    );
    assert_eq!(attached(&lambda, &["a"]).await, [Done::Changed]);
    let writes = lambda.writes.lock().unwrap();
    assert!(
        writes[1] - writes[0] >= Duration::from_secs(7),
        "{writes:?}"
    );
}

/// Four functions at a change a second, stopped after a second and a half: two are changed, two wait for their turn.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_is_not_changed_after_a_stop() {
    let lambda = Lambda::with(&["a", "b", "c", "d"], []);
    let functions = ["a", "b", "c", "d"].map(facts).to_vec();
    let paces = (&Throttle::per_second(20.0), &Throttle::per_second(1.0));
    let (intent, stop) = (Intent::Attach(wish()), CancellationToken::new());
    let mut done = Vec::new();
    let work = carry_out(&lambda, paces, &intent, functions, &stop, |_, of| {
        done.push(of);
    });
    let press = async {
        sleep(Duration::from_millis(1500)).await;
        stop.cancel();
    };
    let ((), ()) = tokio::join!(work, press);
    assert_eq!(done, [Done::Changed, Done::Changed]);
    assert_eq!(lambda.writes.lock().unwrap().len(), 2);
}

/// 5,000 functions at 8 changes a second: 625 s, and each second has no more than it may.
#[tokio::test(start_paused = true)]
async fn five_thousand_keep_to_the_rate() {
    let names: Vec<String> = (0..5000).map(|n| format!("f{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lambda = Lambda::with(&names, []);
    let functions = names.iter().map(|name| facts(name)).collect();
    let intent = Intent::Attach(wish());
    let plans = plan_all(
        &lambda,
        &Throttle::per_second(20.0),
        &intent,
        functions,
        || {},
    )
    .await;
    assert!(plans.iter().all(|p| matches!(p.plan, Ok(Plan::Change(_)))));
    let done = attached(&lambda, &names).await;
    assert!(done.iter().all(|done| *done == Done::Changed));
    for (calls, most) in [(&lambda.writes, 9), (&lambda.reads, 21)] {
        let calls = calls.lock().unwrap();
        let crowded = calls
            .windows(most + 1)
            .find(|of| of[most] - of[0] < Duration::from_secs(1));
        assert_eq!(crowded, None);
    }
    let writes = lambda.writes.lock().unwrap();
    assert_eq!(writes.len(), 5000);
    let took = writes[4999] - writes[0];
    assert!(took < Duration::from_secs(640), "{took:?}");
}
