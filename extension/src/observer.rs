//! The main loop: one `select!`, one method an arm. Decisions are the journal's; this does the IO.

use std::fs::read_to_string;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at};

use crate::invocations::ShutdownReason;
use crate::journal::{Journal, Seal};
use crate::listener::Listener;
use crate::log::Log;
use crate::procfs::Usage;
use crate::stream::{Sent, Stream};
use crate::telemetry::Posted;

/// How long one attempt may take in an invocation's shadow.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same in SHUTDOWN, so that there is time for another.
const LAST_PATIENCE: Duration = Duration::from_millis(700);
/// Lambda kills after 2000 ms.
const SHUTDOWN_BUDGET: Duration = Duration::from_millis(1700);
/// At a failure the caller waits: a stream in trouble may not cost more than this.
const FAILURE_BUDGET: Duration = Duration::from_millis(800);
/// How long the report of the last invocation is awaited when the environment just ends.
const REPORT_WAIT: Duration = Duration::from_millis(500);
/// The same if no known invocation lacks its report: an invocation shorter than the telemetry's
/// buffer time (25 ms) is not known yet.
const UNKNOWN_WAIT: Duration = Duration::from_millis(150);
/// After a failure the caller waits. Only if it is not known yet how the invocation ended,
/// `runtimeDone` or the report is awaited: nothing else shows an out-of-memory, and it is a buffer
/// time (25 ms) away.
const FAILURE_WAIT: Duration = Duration::from_millis(100);
/// A send that was frozen may hang; after this time the same records are sent again.
const STALE_SEND_WAIT: Duration = Duration::from_millis(300);
/// Pause between tries in SHUTDOWN.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub struct Observer<'a> {
    journal: Journal,
    stream: Arc<Stream>,
    log: &'a Log,
    flush_every: Duration,
    sending: Option<JoinHandle<Sent>>,
    flush: FlushTimer,
}

impl<'a> Observer<'a> {
    /// An observer that has seen nothing yet.
    pub fn new(journal: Journal, stream: Stream, flush_every: Duration, log: &'a Log) -> Self {
        Self {
            journal,
            stream: Arc::new(stream),
            log,
            flush_every,
            sending: None,
            flush: FlushTimer::default(),
        }
    }

    /// Observes until `shutdown` returns why the environment ends, and sends the remaining rows.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ShutdownReason>,
        mut listener: Listener,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                reason = &mut shutdown => return self.on_shutdown(reason, &mut listener).await,
                posted = listener.posted() => self.on_posted(posted),
                sent = finished(&mut self.sending) => self.on_sent(sent),
                () = self.flush.elapsed() => self.on_timer(),
            }
        }
    }

    fn on_posted(&mut self, posted: Posted) {
        self.take_in(posted);
        if self.journal.is_due() {
            self.send(Seal::Due);
        } else if self.journal.holds_rows() && self.sending.is_none() {
            self.flush.begin(self.flush_every);
        }
    }

    /// For environments that are not frozen in between; event time alone would wait for the next
    /// invocation.
    fn on_timer(&mut self) {
        self.flush.end();
        if self.journal.holds_rows() && !self.journal.is_backing_off() {
            self.send(Seal::All);
        }
    }

    fn on_sent(&mut self, sent: Sent) {
        self.sending = None;
        self.journal.sent(&sent.delivered);
        match sent.problem {
            Some(problem) => self.log.warn(problem.kind, &problem.text),
            None => self
                .log
                .debug(|| format!("{} records sent", sent.delivered.len())),
        }
        if self.journal.is_due() {
            self.send(Seal::Due);
        } else if self.journal.holds_rows() {
            self.flush.begin(self.flush_every);
        }
    }

    /// Lambda waits 2 s, then kills.
    async fn on_shutdown(&mut self, reason: ShutdownReason, listener: &mut Listener) {
        let began = Instant::now();
        let deadline = began
            + match reason {
                ShutdownReason::Spindown => SHUTDOWN_BUDGET,
                ShutdownReason::Timeout | ShutdownReason::Failure => FAILURE_BUDGET,
            };
        self.log.debug(|| format!("shutdown: {reason:?}"));
        self.await_reports(reason, began, listener).await;
        self.journal.give_up_waiting(reason);
        if let Some(mut sending) = self.sending.take() {
            let sent = timeout(STALE_SEND_WAIT, &mut sending).await;
            sending.abort();
            // A stale one may have arrived: the same records are sent again, with the same seq.
            let sent = sent.map(|sent| sent.unwrap_or_else(|_| Sent::broken()));
            self.on_last_sent(sent.unwrap_or_default());
        }
        while self.journal.holds_rows() {
            let put = self.put(LAST_PATIENCE, Seal::All);
            let Ok(sent) = timeout_at(deadline, put).await else {
                break;
            };
            self.on_last_sent(sent.unwrap_or_else(|_| Sent::broken()));
            if self.journal.is_backing_off()
                && timeout_at(deadline, sleep(RETRY_PAUSE)).await.is_err()
            {
                break;
            }
        }
        if self.journal.holds_rows() {
            let text = format!(
                "the environment ended before the stream accepted its last reports: {} are lost",
                self.journal.held()
            );
            self.log.warn("lost", &text);
        }
    }

    /// Takes in what comes until the last report is there, or it is time to do without.
    async fn await_reports(
        &mut self,
        reason: ShutdownReason,
        began: Instant,
        listener: &mut Listener,
    ) {
        while let Some(posted) = listener.posted_already().await {
            self.take_in(posted);
        }
        let mut until = match reason {
            ShutdownReason::Spindown if self.journal.awaits_report() => began + REPORT_WAIT,
            ShutdownReason::Spindown => began + UNKNOWN_WAIT,
            _ if self.journal.knows_the_end() => return,
            _ => began + FAILURE_WAIT,
        };
        while let Ok(posted) = timeout_at(until, listener.posted()).await {
            let awaited = self.journal.awaits_report();
            self.take_in(posted);
            match reason {
                ShutdownReason::Spindown if self.journal.awaits_report() => {
                    until = began + REPORT_WAIT;
                }
                ShutdownReason::Spindown if awaited => return,
                ShutdownReason::Spindown => {}
                _ if self.journal.knows_the_end() => return,
                _ => {}
            }
        }
    }

    fn on_last_sent(&mut self, sent: Sent) {
        self.journal.sent(&sent.delivered);
        if let Some(problem) = sent.problem {
            self.log.warn(problem.kind, &problem.text);
        }
    }

    fn take_in(&mut self, posted: Posted) {
        if let Some(why) = &posted.broken {
            let text = format!("a batch of platform telemetry could not be read to its end: {why}");
            self.log.warn("telemetry-broken", &text);
        }
        if posted.unreadable > 0 {
            let text = format!("{} platform events could not be read", posted.unreadable);
            self.log.warn("telemetry-unreadable", &text);
        }
        self.journal.take_in(posted.events);
    }

    fn send(&mut self, seal: Seal) {
        if self.sending.is_some() {
            return;
        }
        self.flush.end();
        self.sending = Some(self.put(PATIENCE, seal));
    }

    /// A task of its own: a panic in a library ends the task, not this process.
    fn put(&mut self, patience: Duration, seal: Seal) -> JoinHandle<Sent> {
        let records = self.journal.begin_send(usage(), seal);
        let stream = Arc::clone(&self.stream);
        tokio::spawn(async move { stream.put(&records, patience).await })
    }
}

/// The time of the next flush by this machine's clock. The timer is only set when a time is, because
/// setting one for every event would cost more than reading the event.
#[derive(Default)]
struct FlushTimer {
    is_set: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl FlushTimer {
    /// Sets it, unless it is set already.
    fn begin(&mut self, after: Duration) {
        if std::mem::replace(&mut self.is_set, true) {
            return;
        }
        let at = Instant::now() + after;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(at),
            None => self.timer = Some(Box::pin(sleep_until(at))),
        }
    }

    fn end(&mut self) {
        self.is_set = false;
    }

    /// Completes when it is time; never, while no time is set.
    async fn elapsed(&mut self) {
        match &mut self.timer {
            Some(timer) if self.is_set => timer.await,
            _ => std::future::pending().await,
        }
    }
}

/// What this sandbox has spent so far.
pub fn usage() -> Usage {
    let read = |path| read_to_string(path).unwrap_or_default();
    Usage::read(&read("/proc/stat"), &read("/proc/self/statm"))
}

/// Completes when the send does; never, while there is none.
async fn finished(sending: &mut Option<JoinHandle<Sent>>) -> Sent {
    match sending {
        Some(task) => task.await.unwrap_or_else(|_| Sent::broken()),
        None => std::future::pending().await,
    }
}
