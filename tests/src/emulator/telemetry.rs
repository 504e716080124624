//! The Telemetry API's sending side: a queue, batches, at-least-once delivery.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::api::Subscription;

/// A thawed extension answers at once; what takes longer comes again.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a batch is posted before it waits for the next delivery.
const TRIES: u32 = 3;

/// Events on their way to the extension.
pub(super) struct Telemetry {
    queue: Vec<Value>,
    last: Vec<Value>,
    twice: bool,
    /// A POST that continues while the sandbox is frozen and thawed, and how many events are in
    /// it.
    in_flight: Option<(Vec<Value>, JoinHandle<bool>)>,
    http: reqwest::Client,
}

impl Telemetry {
    pub(super) fn new(twice: bool) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(POST_TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self {
            queue: Vec::new(),
            last: Vec::new(),
            twice,
            in_flight: None,
            http,
        })
    }

    /// An event happened.
    pub(super) fn emit(&mut self, event: Value) {
        self.queue.push(event);
    }

    /// Events happened, or none.
    pub(super) fn emit_all(&mut self, events: impl IntoIterator<Item = Value>) {
        self.queue.extend(events);
    }

    /// Removes the last event if it is a report.
    pub(super) fn hold_back_last_report(&mut self) -> Option<Value> {
        self.queue
            .pop_if(|event| event["type"] == "platform.report")
    }

    /// What was not delivered never will be.
    pub(super) fn forget(&mut self) {
        self.queue.clear();
    }

    /// The buffer's time is over: posts everything, in batches. What is not answered 200 stays, and
    /// comes again with what follows.
    pub(super) async fn deliver(&mut self, to: Option<&Subscription>) -> Result<()> {
        let Some(to) = to else {
            self.queue.clear();
            return Ok(());
        };
        self.settle(true).await?;
        while !self.queue.is_empty() {
            let batch = self.queue[..self.queue.len().min(to.max_items)].to_vec();
            for _ in 0..=u8::from(self.twice) {
                if !self.arrives(to, &serde_json::to_vec(&batch)?).await {
                    return Ok(());
                }
            }
            self.queue.drain(..batch.len());
            self.last = batch;
        }
        Ok(())
    }

    /// Begins to post what is there, unless a POST is under way; what is answered is done with.
    pub(super) async fn deliver_meanwhile(&mut self, to: Option<&Subscription>) -> Result<()> {
        self.settle(false).await?;
        let Some(to) = to else {
            return Ok(());
        };
        if self.in_flight.is_none() && !self.queue.is_empty() {
            let batch = self.queue[..self.queue.len().min(to.max_items)].to_vec();
            let (http, to, body) = (self.http.clone(), to.clone(), serde_json::to_vec(&batch)?);
            let posted = async move { matches!(post(&http, &to, body).await, Ok(200)) };
            self.in_flight = Some((batch, tokio::spawn(posted)));
        }
        Ok(())
    }

    /// What is under way and answered, or awaited to be, is done with.
    async fn settle(&mut self, wait: bool) -> Result<()> {
        if let Some((batch, posted)) = self.in_flight.take_if(|(_, p)| wait || p.is_finished())
            && posted.await?
        {
            self.queue.drain(..batch.len());
            self.last = batch;
        }
        Ok(())
    }

    async fn arrives(&self, to: &Subscription, body: &[u8]) -> bool {
        for _ in 0..TRIES {
            if matches!(self.post(to, body.to_vec()).await, Ok(200)) {
                return true;
            }
        }
        false
    }

    /// The last batch comes once more, as when its answer was lost.
    pub(super) async fn redeliver(&self, to: &Subscription) -> Result<()> {
        self.post(to, serde_json::to_vec(&self.last)?).await?;
        Ok(())
    }

    /// One POST of anything; the status it was answered with.
    pub(super) async fn post(&self, to: &Subscription, body: Vec<u8>) -> Result<u16> {
        post(&self.http, to, body).await
    }
}

async fn post(http: &reqwest::Client, to: &Subscription, body: Vec<u8>) -> Result<u16> {
    let url = format!("http://127.0.0.1:{}/", to.port);
    let request = http.post(url).header("content-type", "application/json");
    let answer = request.body(body).send().await;
    let answer = answer.context("the extension's telemetry listener does not answer")?;
    Ok(answer.status().as_u16())
}
