//! The one writer: a thread that owns the pipeline. Everything else asks it by message and is
//! answered after the commit. Deliveries that wait while one commits share the next commit.

mod clock;
mod handle;
mod log;
mod refusals;
mod stopped;

use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use rightsizer_aws::clock::now;
use rightsizer_formats::Channel;
use rightsizer_rules::commands::{AppliedCommand, Done, Refused, ReviewCommand};
use rightsizer_rules::inventory::InventoryUpdate;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Forced, Noticed, Outbox, Outgoing, RecommendationKey, StoreError};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::handle::Unread;
pub use self::handle::WriterHandle;
use self::log::LogWatch;
use self::refusals::Refusals;
pub use self::stopped::{Remedy, WriterStopped};
use crate::metrics::Metrics;
use crate::pipeline::{Digest, Pipeline, Prepared};

/// Messages that may wait for the writer before senders have to.
const QUEUE: usize = 64;
/// Payload bytes that share one commit at most.
const COMMIT_BYTES: usize = 32 << 20;
/// Memory of deliveries that are decoded and not committed yet, in KiB.
const DECODED_KIB: u32 = 96 << 10;

type Reply<T> = oneshot::Sender<Result<T, WriterStopped>>;

enum Command {
    Ingest(Vec<Prepared>, usize, Reply<Digest>),
    Outbox(Outgoing, usize, Reply<Outbox>),
    MarkSent(Vec<RecommendationKey>, Reply<()>),
    Notices(usize, Reply<Vec<Noticed>>),
    NoticesSent(Vec<String>, Reply<()>),
    Checkpoints(String, Reply<Vec<(String, String)>>),
    Review(
        Box<ReviewCommand>,
        Reply<Result<(Done, AppliedCommand), Refused>>,
    ),
    Inventory(InventoryUpdate, Reply<()>),
    Forced(Vec<Forced>, Reply<()>),
    CaughtUp(Channel, Reply<()>),
    Finish(Reply<()>),
}

/// Starts the writer's thread. It counts as up to date when each of `streams` has been read once.
pub(crate) fn spawn(
    pipeline: Pipeline,
    clock: ClockMode,
    streams: Vec<Channel>,
) -> anyhow::Result<(WriterHandle, JoinHandle<()>)> {
    let (commands, inbox) = mpsc::channel(QUEUE);
    let (settled, unread) = watch::channel(Unread(streams.clone()));
    let handle = WriterHandle {
        commands,
        decided: Arc::new(Notify::new()),
        metrics: Arc::default(),
        gate: Arc::new(pipeline.gate().clone()),
        unread,
        failure: Arc::default(),
        turns: Arc::new(Semaphore::new(
            thread::available_parallelism().map_or(1, NonZero::get),
        )),
        room: Arc::new(Semaphore::new(DECODED_KIB as usize)),
    };
    let (decided, metrics) = (handle.decided.clone(), handle.metrics.clone());
    let failure = handle.failure.clone();
    let thread = thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || {
            let writer = Writer {
                pipeline,
                clock,
                inbox,
                decided,
                metrics,
                unread: streams,
                settled,
                refusals: Refusals::default(),
                log: LogWatch::default(),
                failure,
                finished: false,
            };
            writer.run();
        })
        .context("cannot start the store's writer thread")?;
    Ok((handle, thread))
}

/// Lets the wall clock close days when nothing is delivered.
pub(crate) async fn tick_every_second(
    writer: WriterHandle,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            _ = second.tick() => { writer.ingest(Vec::new()).await?; }
        };
    }
}

struct Writer {
    pipeline: Pipeline,
    clock: ClockMode,
    inbox: mpsc::Receiver<Command>,
    decided: Arc<Notify>,
    metrics: Arc<Metrics>,
    /// Streams that are still to be read once.
    unread: Vec<Channel>,
    /// The receiver of that, once everything that waited for it is settled.
    settled: watch::Sender<Unread>,
    refusals: Refusals,
    log: LogWatch,
    failure: Arc<OnceLock<WriterStopped>>,
    finished: bool,
}

impl Writer {
    /// Ends when a stop is requested, because a stalled connection may hold a handle for ever, or
    /// at the first error of the store: what was not acknowledged will be sent again, and a person
    /// has to check the disk.
    fn run(mut self) {
        if let Err(store_error) = self.serve() {
            error!("the store failed, so this process stops: {store_error}");
            let _ = self.failure.set(WriterStopped::from(&store_error));
        }
    }

    fn serve(&mut self) -> Result<(), StoreError> {
        if self.unread.is_empty() {
            self.settle_commands()?;
        }
        while !self.finished {
            self.turn()?;
            self.announce_read()?;
            self.log.look_after(&mut self.pipeline)?;
        }
        Ok(())
    }

    /// One command, and a slice of the close that is under way: neither waits long for the other.
    fn turn(&mut self) -> Result<(), StoreError> {
        let command = if self.pipeline.is_closing() {
            let digest = self.pipeline.close_slice(now())?;
            self.announce(&digest);
            match self.inbox.try_recv() {
                Err(TryRecvError::Empty) => return Ok(()),
                command => command.ok(),
            }
        } else {
            self.inbox.blocking_recv()
        };
        if let Some(command) = command {
            return self.handle(command);
        }
        // Every handle is gone, so no request can arrive.
        self.finished = true;
        Ok(())
    }

    fn handle(&mut self, command: Command) -> Result<(), StoreError> {
        match command {
            Command::Ingest(prepared, bytes, reply) => self.ingest(prepared, bytes, reply),
            Command::Outbox(which, most, reply) => {
                answer(reply, self.pipeline.outbox(which, most, now()))
            }
            Command::MarkSent(keys, reply) => answer(reply, self.pipeline.mark_sent(&keys, now())),
            Command::Notices(most, reply) => answer(reply, self.pipeline.notices(most)),
            Command::NoticesSent(keys, reply) => answer(reply, self.pipeline.notices_sent(&keys)),
            Command::Checkpoints(prefix, reply) => {
                answer(reply, self.pipeline.checkpoints(&prefix))
            }
            Command::Review(command, reply) => {
                let answered = self.pipeline.carry_out(&command, now());
                if matches!(answered, Ok(Ok(_))) {
                    // An approval is sent at once.
                    self.decided.notify_one();
                }
                answer(reply, answered)
            }
            Command::Inventory(update, reply) => {
                answer(reply, self.pipeline.take_inventory(&update))
            }
            Command::Forced(starts, reply) => {
                answer(reply, self.pipeline.keep_forced(&starts, now()))
            }
            Command::CaughtUp(stream, reply) => {
                let done = self.caught_up(stream);
                answer(reply, done)
            }
            Command::Finish(reply) => answer(reply, self.finish()),
        }
    }

    fn ingest(
        &mut self,
        mut deliveries: Vec<Prepared>,
        mut bytes: usize,
        reply: Reply<Digest>,
    ) -> Result<(), StoreError> {
        let mut replies = vec![reply];
        let mut other = None;
        while bytes < COMMIT_BYTES && other.is_none() {
            match self.inbox.try_recv() {
                Ok(Command::Ingest(more, more_bytes, reply)) => {
                    deliveries.extend(more);
                    bytes += more_bytes;
                    replies.push(reply);
                }
                Ok(command) => other = Some(command),
                Err(_) => break,
            }
        }
        let refused = self.refusals.news(&deliveries, now());
        clock::confirm(&mut self.pipeline);
        let done = self.pipeline.merge(deliveries, now());
        clock::report(&self.pipeline, &self.metrics);
        if let Ok(digest) = &done {
            self.announce(digest);
            for refusals::Refused { origin, why } in refused {
                warn!(
                    origin,
                    reason = why,
                    "a record cannot be used and is quarantined"
                );
            }
        }
        for reply in replies {
            let _ = reply.send(done.as_ref().map_err(WriterStopped::from).copied());
        }
        done?;
        other.map_or(Ok(()), |command| self.handle(command))
    }

    fn caught_up(&mut self, stream: Channel) -> Result<(), StoreError> {
        self.unread.retain(|unread| *unread != stream);
        if stream != Channel::Decisions {
            self.pipeline.let_days_close();
            // The days that are over close first: what is sent rests on them.
            let digest = self.pipeline.tick(now())?;
            self.announce(&digest);
        }
        Ok(())
    }

    /// Reports which streams have been read. The last is only reported when the close that they
    /// caused is over and the commands that waited for it have been applied.
    fn announce_read(&mut self) -> Result<(), StoreError> {
        let already = self.settled.borrow().0.len();
        let waits = self.unread.is_empty() && self.pipeline.is_closing();
        if self.unread.len() == already || waits {
            return Ok(());
        }
        if self.unread.is_empty() {
            self.settle_commands()?;
        }
        self.settled.send_replace(Unread(self.unread.clone()));
        self.decided.notify_one();
        Ok(())
    }

    fn settle_commands(&mut self) -> Result<(), StoreError> {
        for AppliedCommand { at, command, .. } in self.pipeline.settle_commands()? {
            warn!(
                "the command of {} at {at} cannot be applied again, because its target has been \
                 superseded ({:?}): check it",
                command.by, command.action
            );
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.finished = true;
        if self.clock == ClockMode::Event {
            let digest = self.pipeline.finish(now())?;
            self.announce(&digest);
        }
        Ok(())
    }

    fn announce(&self, digest: &Digest) {
        self.metrics.committed(digest);
        if let Some(day) = digest.closed {
            info!(%day, decided = digest.decided, "day closed");
        }
        if let Some(day) = digest.undone {
            error!(
                last_closed = %day,
                "days were closed that are not over, because a clock was ahead; they are open \
                 again, and every function is decided again. Set the clock by NTP"
            );
        }
        if digest.early > 0 {
            error!(
                records = digest.early,
                "records are more than a day ahead of this machine's clock; they are kept until \
                 their time. If the clock is wrong, set it by NTP"
            );
        }
        if digest.decided > 0 {
            self.decided.notify_one();
        }
    }
}

/// Responds to the caller, who may be gone, and passes an error on to end the writer.
fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) -> Result<(), StoreError> {
    match result {
        Ok(value) => {
            let _ = reply.send(Ok(value));
            Ok(())
        }
        Err(error) => {
            let _ = reply.send(Err(WriterStopped::from(&error)));
            Err(error)
        }
    }
}
