//! The updater as a Lambda function behind the decisions stream.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_updater::{
    BatchResponse, DecisionsStream, KinesisEvent, LambdaApi, Place, Settings, Updater,
    handle_batch, sdk_config,
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().with_ansi(false).init();
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let stream = std::env::var("RIGHTSIZER_DECISIONS")
        .context("RIGHTSIZER_DECISIONS is not set: give the decisions stream's name or ARN")?;
    let config = sdk_config().await;
    let api = LambdaApi::new(aws_sdk_lambda::Client::new(&config));
    let sink = DecisionsStream::new(aws_sdk_kinesis::Client::new(&config), stream);

    lambda_runtime::run(service_fn(async |event: LambdaEvent<KinesisEvent>| {
        let mut settings = settings.clone();
        if settings.accept.is_empty() {
            // Its own account and region, unless told otherwise.
            let own = FunctionArn::parse(&event.context.invoked_function_arn)?;
            settings.accept.push(Place::of(&own));
        }
        let updater = Updater::new(api.clone(), settings);
        Ok::<BatchResponse, Error>(handle_batch(&updater, &sink, &event.payload, now()?).await)
    }))
    .await
}

fn now() -> anyhow::Result<Timestamp> {
    let ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    Timestamp::from_ms(ms).context("this machine's clock is not between the years 2000 and 2200")
}
