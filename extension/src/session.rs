//! The steps of the process: register, listen, subscribe, observe. After any error it idles until
//! SHUTDOWN: a process that exits or hangs in init fails the function, an idle one does no harm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use hyper::StatusCode;
use rightsizer_records::InitType;
use tokio::time::sleep;

use crate::config::Config;
use crate::extensions_api::{Api, Registration};
use crate::invocations::ShutdownReason;
use crate::journal::{Journal, Place};
use crate::listener::Listener;
use crate::log::Log;
use crate::observer::{Observer, usage};
use crate::stream::Stream;
use crate::target::Target;

/// Schemas of the Telemetry API, newest last. Managed instances take only the newest.
const SCHEMAS: [&str; 3] = ["2022-12-13", "2022-07-01", "2025-01-29"];
/// Tries to register, with twice the pause after each: 1.5 s altogether.
const REGISTER_TRIES: u32 = 5;
const REGISTER_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a failed `next`.
const NEXT_PAUSE: Duration = Duration::from_secs(1);

/// Why there was nothing to live for.
#[derive(Debug)]
pub struct Unregistered {
    /// What happened and what to do.
    pub text: String,
    /// 2 if it was started in the wrong place, 1 if the platform failed.
    pub exit_code: u8,
}

/// Lives from registration to SHUTDOWN. `file_name` is this executable's own, as Lambda wants it.
pub fn live(config: &Config, file_name: &str) -> Result<(), Unregistered> {
    let Some(host) = &config.runtime_api else {
        return Err(Unregistered {
            text:
                "AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda extension and runs inside a \
                   function's environment. Publish it as a layer, under extensions/."
                    .to_owned(),
            exit_code: 2,
        });
    };
    let failed = |text| Unregistered { text, exit_code: 1 };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| failed(format!("no event loop: {e}")))?;
    let log = Log::new(config.debug);
    let api = Api::new(host);
    // Without a registration Lambda's init fails whether this process waits or exits, so it exits
    // and logs the reason.
    let registration = runtime.block_on(register(&api, file_name)).map_err(|e| {
        failed(format!(
            "could not register with the Extensions API at {host}, so the function cannot start \
             with the layer: {e:#}"
        ))
    })?;
    let observed = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(observe(config, &api, &registration, &log));
    }));
    if observed.is_err() {
        log.warn(
            "panic",
            "a fault in this extension: it idles from now on. Please report it.",
        );
        runtime.block_on(shutdown(&api, &registration, &log));
    }
    // A send that hangs must not hold the process.
    runtime.shutdown_background();
    Ok(())
}

async fn register(api: &Api, file_name: &str) -> anyhow::Result<Registration> {
    let mut pause = REGISTER_PAUSE;
    for _ in 1..REGISTER_TRIES {
        if let Ok(registration) = api.register(file_name).await {
            return Ok(registration);
        }
        sleep(pause).await;
        pause *= 2;
    }
    api.register(file_name).await
}

async fn observe(config: &Config, api: &Api, registration: &Registration, log: &Log) {
    for warning in &config.warnings {
        log.warn("settings", warning);
    }
    let shutdown = shutdown(api, registration, log);
    let Some((place, target, listener)) = prepare(config, api, registration, log).await else {
        shutdown.await;
        return;
    };
    let random = || getrandom::u64().unwrap_or_else(|_| fallback_random());
    let journal = Journal::new(place, config.limits, usage(), Box::new(random));
    let flush_ms = u64::try_from(config.limits.flush_ms).unwrap_or(u64::MAX);
    let flush_every = Duration::from_millis(flush_ms);
    let observer = Observer::new(journal, Stream::new(target), flush_every, log);
    observer.run(shutdown, listener).await;
}

/// Everything before the first `next`; `None` if there will be nothing to observe.
async fn prepare(
    config: &Config,
    api: &Api,
    registration: &Registration,
    log: &Log,
) -> Option<(Place, Target, Listener)> {
    let target = config.stream.clone()?;
    let place = config.place(registration.account.as_deref(), std::env::consts::ARCH);
    let place = place.map_err(|e| log.warn("place", &format!("nothing is reported: {e}")));
    let listener = Listener::bind().map_err(|e| {
        log.warn(
            "listen",
            &format!("nothing is reported: no port to listen on: {e}"),
        );
    });
    let (place, listener) = place.ok().zip(listener.ok())?;
    // If not, the port is given back: file handles may be few, and `next` needs one.
    let is_subscribed = subscribe(config, api, registration, listener.port(), log).await;
    is_subscribed.then_some((place, target, listener))
}

async fn subscribe(
    config: &Config,
    api: &Api,
    registration: &Registration,
    port: u16,
    log: &Log,
) -> bool {
    let mut schemas = SCHEMAS;
    if config.init == Some(InitType::LambdaManagedInstances) {
        schemas.reverse();
    }
    let mut answer = String::new();
    for schema in schemas {
        match api.subscribe(registration, schema, port).await {
            Ok(StatusCode::OK) => return true,
            // Local emulators, and subscriptions after init: nothing the user could do.
            Ok(status @ (StatusCode::ACCEPTED | StatusCode::FORBIDDEN)) => {
                log.debug(|| format!("no telemetry here ({status}): idle"));
                return false;
            }
            Ok(status) => answer = status.to_string(),
            Err(e) => answer = format!("{e:#}"),
        }
    }
    let text =
        format!("nothing is reported: the Telemetry API refused the subscription ({answer})");
    log.warn("subscribe", &text);
    false
}

/// Waits until the environment ends. Calling `next` is also what ends init.
async fn shutdown(api: &Api, registration: &Registration, log: &Log) -> ShutdownReason {
    loop {
        match api.next(registration).await {
            Ok(Some(reason)) => return reason,
            Ok(None) => log.debug(|| "an unexpected event".to_owned()),
            Err(e) => {
                log.warn(
                    "next",
                    &format!("the Extensions API does not respond: {e:#}"),
                );
                sleep(NEXT_PAUSE).await;
            }
        }
    }
}

/// If the kernel gives no random number, addresses and the time still differ between environments.
fn fallback_random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::time::SystemTime::now())
}
