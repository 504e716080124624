//! The updater as a Lambda function behind the decisions stream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_updater::{
    BatchResponse, DecisionsStream, Deliveries, KinesisEvent, LambdaApi, PauseTag, Place,
    RunningClock, Settings, Updater, handle_batch, sdk_config,
};

/// As the event source mapping of the template has it.
const RETRIES: u32 = 3;
/// Of an invocation's time, for putting the outcomes.
const FOR_OUTCOMES: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "--version")
    {
        println!("rightsizer-updater {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    tracing_subscriber::fmt().json().with_ansi(false).init();
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let stream = std::env::var("RIGHTSIZER_DECISIONS")
        .context("RIGHTSIZER_DECISIONS is not set: set it to the decisions stream's name or ARN")?;
    let config = sdk_config().await;
    let api = LambdaApi::new(&aws_sdk_lambda::Client::new(&config));
    let sink = DecisionsStream::new(&aws_sdk_kinesis::Client::new(&config), stream);
    let deliveries = Deliveries::with_retries(RETRIES);

    lambda_runtime::run(service_fn(async |event: LambdaEvent<KinesisEvent>| {
        let mut settings = settings.clone();
        let own = own_arn(&event.context.invoked_function_arn)?;
        if settings.accept.is_empty() {
            // Its own account and region, unless configured otherwise.
            settings.accept.push(Place::of(&own));
        }
        let clock = RunningClock::set_to(at(SystemTime::now())?);
        let until = at(event.context.deadline() - FOR_OUTCOMES)?;
        let pause = PauseTag::new(api.clone(), own);
        let updater = Updater::new(api.clone(), pause, clock, settings).until(until);
        Ok::<BatchResponse, Error>(handle_batch(&updater, &sink, &event.payload, &deliveries).await)
    }))
    .await
}

/// Without the version or alias it may have been invoked by: tags are the function's.
fn own_arn(invoked: &str) -> anyhow::Result<FunctionArn> {
    let unqualified: Vec<&str> = invoked.split(':').take(7).collect();
    Ok(FunctionArn::parse(&unqualified.join(":"))?)
}

fn at(time: SystemTime) -> anyhow::Result<Timestamp> {
    let ms = i64::try_from(time.duration_since(UNIX_EPOCH)?.as_millis())?;
    Timestamp::from_ms(ms).context("this machine's clock is not between the years 2000 and 2200")
}
