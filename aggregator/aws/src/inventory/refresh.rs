//! Reading the whole fleet, page by page, no faster than agreed, and again after a while. Knows no
//! AWS type: pages come from a [`FleetApi`], what was found goes to an [`InventorySink`].

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_rules::inventory::InventoryUpdate;
use rightsizer_rules::inventory::{FunctionFacts, Tags};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::InventorySettings;
use crate::Page;
use crate::alarms::Ringing;
use crate::clock::now;
use crate::throttle::{MayBeThrottled, Throttle};

/// Why a page was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// Too many calls, ours or others': ask again after this.
    #[error("throttled")]
    Throttled {
        /// How long to wait, if the service requests it.
        retry_after: Option<Duration>,
    },
    /// Denied, unreachable, or out of order.
    #[error("{0}")]
    Other(String),
}

impl MayBeThrottled for FleetError {
    fn throttled(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => Some(retry_after.unwrap_or_default()),
            Self::Other(_) => None,
        }
    }
}

/// Who knows the fleet.
pub trait FleetApi: Send + Sync {
    /// A page of functions, tags left out.
    fn functions(
        &self,
        page: Option<String>,
    ) -> impl Future<Output = Result<Page<FunctionFacts>, FleetError>> + Send;

    /// A page of the functions that have tags.
    fn tags(
        &self,
        page: Option<String>,
    ) -> impl Future<Output = Result<Page<(FunctionArn, Tags)>, FleetError>> + Send;

    /// A page of the names of functions that have an alarm in `ALARM`, with its name.
    fn ringing(
        &self,
        page: Option<String>,
    ) -> impl Future<Output = Result<Page<Ringing>, FleetError>> + Send;
}

/// The receiver of refreshes.
pub trait InventorySink: Send + Sync {
    /// Takes what a refresh found. An error means that nothing more can be taken.
    fn refreshed(&self, update: InventoryUpdate)
    -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Reads the whole fleet without its alarms. If it is interrupted, returns what was found until
/// then as incomplete. If tags cannot be read, they are unknown. The second value is the number of
/// calls made.
pub async fn collect(
    api: &impl FleetApi,
    throttle: &Throttle,
    seen_at: Timestamp,
) -> (InventoryUpdate, u64, Vec<FleetError>) {
    collect_what(api, throttle, seen_at, false).await
}

/// The same, and which alarms ring.
pub async fn collect_with_alarms(
    api: &impl FleetApi,
    throttle: &Throttle,
    seen_at: Timestamp,
) -> (InventoryUpdate, u64, Vec<FleetError>) {
    collect_what(api, throttle, seen_at, true).await
}

async fn collect_what(
    api: &impl FleetApi,
    throttle: &Throttle,
    seen_at: Timestamp,
    with_alarms: bool,
) -> (InventoryUpdate, u64, Vec<FleetError>) {
    let calls = AtomicU64::new(0);
    let mut errors = Vec::new();
    // Tags first: a function made meanwhile is found without them and looks untagged for one
    // refresh; the other way round a new one would be missed.
    let (tags, tags_error) = all((throttle, &calls), |page| api.tags(page)).await;
    let (mut functions, error) = all((throttle, &calls), |page| api.functions(page)).await;
    let (ringing, alarms_error) = if with_alarms {
        all((throttle, &calls), |page| api.ringing(page)).await
    } else {
        (Vec::new(), None)
    };
    let complete = error.is_none();
    let tags_known = tags_error.is_none();
    errors.extend(tags_error);
    errors.extend(alarms_error.map(|error| {
        FleetError::Other(format!(
            "alarms are not read, and no decrease waits for one: {error}"
        ))
    }));
    errors.extend(error);
    let mut tags: HashMap<FunctionArn, Tags> = tags.into_iter().collect();
    let ringing: HashMap<String, String> = ringing.into_iter().collect();
    for facts in &mut functions {
        facts.alarm = ringing.get(facts.function.name()).cloned();
        let found = tags.remove(&facts.function);
        facts.tags = found.or_else(|| tags_known.then(Tags::new));
    }
    let update = InventoryUpdate {
        seen_at,
        functions,
        complete,
        with_alarms,
    };
    (update, calls.into_inner(), errors)
}

/// Every page, or those before the first that failed.
async fn all<T, F>(
    (throttle, calls): (&Throttle, &AtomicU64),
    page_at: impl Fn(Option<String>) -> F,
) -> (Vec<T>, Option<FleetError>)
where
    F: Future<Output = Result<Page<T>, FleetError>>,
{
    let mut items = Vec::new();
    let mut next = None;
    loop {
        let call = || {
            calls.fetch_add(1, Ordering::Relaxed);
            page_at(next.clone())
        };
        match throttle.call(call).await {
            Ok(page) => {
                items.extend(page.items);
                next = page.next;
            }
            Err(error) => return (items, Some(error)),
        }
        if next.is_none() {
            return (items, None);
        }
    }
}

/// Refreshes until a stop is requested. If the fleet cannot be read, logs that and tries again the
/// next time.
pub async fn keep_fresh(
    api: impl FleetApi,
    settings: InventorySettings,
    sink: impl InventorySink,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let every = Duration::from_secs(u64::from(settings.refresh_minutes) * 60);
    let mut due = tokio::time::interval(every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let throttle = Throttle::per_second(settings.calls_per_second);
    loop {
        tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            _ = due.tick() => {}
        }
        let seen_at = now();
        let collected = tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            collected = collect_with_alarms(&api, &throttle, seen_at) => collected,
        };
        let (update, calls, errors) = collected;
        for error in errors {
            warn!("the inventory is incomplete: {error}; next attempt in {every:?}");
        }
        info!(
            functions = update.functions.len(),
            calls,
            complete = update.complete,
            "inventory refreshed"
        );
        sink.refreshed(update).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rightsizer_records::{Arch, Megabytes};
    use rightsizer_rules::inventory::Package;

    use tokio::time::Instant;

    use super::*;

    /// A fleet of the given number of functions, every other one tagged, that refuses these calls.
    #[derive(Default)]
    struct Fake {
        functions: usize,
        refuse: Mutex<Vec<(u64, FleetError)>>,
        calls: Mutex<u64>,
    }

    fn arn(n: usize) -> FunctionArn {
        FunctionArn::new("aws", "eu-west-1", "123456789012", &format!("f{n}")).unwrap()
    }

    fn facts(n: usize) -> FunctionFacts {
        FunctionFacts {
            function: arn(n),
            memory_mb: Megabytes(128),
            timeout_s: 3,
            arch: Arch::X86_64,
            runtime: None,
            code_sha256: None,
            package: Package::Image,
            layers: Vec::new(),
            log_group: String::new(),
            logged: rightsizer_rules::inventory::LoggedReports::All,
            tags: None,
            edge_replica: false,
            managed_instances: false,
            snap_start: false,
            modified: None,
            alarm: None,
        }
    }

    impl Fake {
        fn page<T>(
            &self,
            page: Option<String>,
            size: usize,
            all: Vec<T>,
        ) -> Result<Page<T>, FleetError> {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            let mut refuse = self.refuse.lock().unwrap();
            if let Some(at) = refuse.iter().position(|(call, _)| *call == *calls) {
                return Err(refuse.remove(at).1);
            }
            let from: usize = page.map_or(0, |page| page.parse().unwrap());
            let next = (from + size < all.len()).then(|| (from + size).to_string());
            let items = all.into_iter().skip(from).take(size).collect();
            Ok(Page { items, next })
        }
    }

    impl FleetApi for Fake {
        async fn functions(&self, page: Option<String>) -> Result<Page<FunctionFacts>, FleetError> {
            self.page(page, 50, (0..self.functions).map(facts).collect())
        }

        async fn tags(
            &self,
            page: Option<String>,
        ) -> Result<Page<(FunctionArn, Tags)>, FleetError> {
            let tagged = (0..self.functions).step_by(2);
            let tagged = tagged.map(|n| (arn(n), Tags::from([("team".into(), "a".into())])));
            self.page(page, 100, tagged.collect())
        }

        async fn ringing(&self, page: Option<String>) -> Result<Page<Ringing>, FleetError> {
            let name = arn(0).name().to_owned();
            self.page(page, 100, vec![(name, "too many errors".to_owned())])
        }
    }

    async fn collected(api: &Fake) -> (InventoryUpdate, u64, Vec<FleetError>) {
        collect_with_alarms(api, &Throttle::per_second(1000.0), now()).await
    }

    /// 1,000 functions, 500 of them tagged: 20 pages of 50, 5 of 100, and one of alarms.
    #[tokio::test(start_paused = true)]
    async fn a_thousand_functions_take_26_calls() {
        let api = Fake {
            functions: 1000,
            ..Fake::default()
        };
        let (update, calls, errors) = collected(&api).await;
        assert_eq!((update.functions.len(), calls, errors.len()), (1000, 26, 0));
        let alarms = update.functions.iter().map(|facts| facts.alarm.as_deref());
        let alarms: Vec<_> = alarms.flatten().collect();
        assert_eq!(alarms, ["too many errors"]);
        assert!(update.complete);
        assert_eq!(update.functions[0].tags.as_ref().unwrap().len(), 1);
        assert_eq!(update.functions[1].tags.as_ref().unwrap().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_is_made_again_not_before_the_time_that_was_asked_for() {
        let wait = Duration::from_secs(5);
        let refusal = |retry_after| FleetError::Throttled { retry_after };
        let api = Fake {
            functions: 60,
            refuse: Mutex::new(vec![(1, refusal(Some(wait))), (3, refusal(None))]),
            ..Fake::default()
        };
        let begun = Instant::now();
        let (update, calls, errors) = collected(&api).await;
        assert_eq!((update.functions.len(), calls, errors), (60, 6, vec![]));
        assert!(begun.elapsed() >= wait, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_before_an_error_is_returned_as_incomplete() {
        let denied = FleetError::Other("AccessDeniedException".to_owned());
        let api = Fake {
            functions: 200,
            refuse: Mutex::new(vec![(4, denied.clone())]),
            ..Fake::default()
        };
        let (update, _, errors) = collected(&api).await;
        assert_eq!((update.functions.len(), update.complete), (100, false));
        assert_eq!(errors, [denied]);
    }

    #[tokio::test(start_paused = true)]
    async fn tags_that_may_not_be_read_are_unknown_not_none() {
        let denied = FleetError::Other("AccessDeniedException".to_owned());
        let api = Fake {
            functions: 2,
            refuse: Mutex::new(vec![(1, denied)]),
            ..Fake::default()
        };
        let (update, ..) = collected(&api).await;
        assert!(update.complete);
        assert_eq!(update.functions[0].tags, None);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_their_distance() {
        let api = Fake {
            functions: 150,
            ..Fake::default()
        };
        let begun = Instant::now();
        let (_, calls, _) = collect(&api, &Throttle::per_second(50.0), now()).await;
        let least = Duration::from_millis(20) * u32::try_from(calls - 1).unwrap();
        assert!(begun.elapsed() >= least, "{calls} in {:?}", begun.elapsed());
    }
}
