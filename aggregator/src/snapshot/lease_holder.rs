//! Keeps the head while serving: checks whether this task still holds the lease, saves review
//! commands, makes snapshots. One tokio task owns the head; others use its handle.

use std::path::PathBuf;
use std::time::Duration;

use rightsizer_aws::clock::now;
use rightsizer_records::Timestamp;
use rightsizer_rules::commands::AppliedCommand;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::handle::{LeaseHandle, NotSaved, Request};
use super::head::{Edit, Head, Snapshot, left_over};
use super::held::{Held, Superseded, Trouble};
use super::make::{Original, Place};
use super::settings::SnapshotSettings;
use super::start::Opened;
use super::status::SnapshotStatus;

/// How often the head is looked at when nothing is sent: a task that lost it ends so soon.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Review commands that make a snapshot due at once: the head stays small.
const MANY_COMMANDS: usize = 500;
/// How long the last snapshot may take when the process is to end.
const LAST_WITHIN: Duration = Duration::from_secs(100);

/// Keeps the head until a stop is requested, or until the lease is lost.
#[derive(Debug)]
pub struct LeaseHolder {
    held: Held,
    store: PathBuf,
    settings: SnapshotSettings,
    status: SnapshotStatus,
    requests: mpsc::Receiver<Request>,
    /// What could not be written to the head yet.
    unsaved: Vec<AppliedCommand>,
    /// The next snapshot's number: one that failed may have left something under its own.
    sequence: u64,
    /// The store, when no snapshot is being made of it.
    original: Option<Original>,
    due: Instant,
    swept: bool,
}

/// A snapshot that was made, or why not.
struct Made {
    original: Original,
    begun: Timestamp,
    took: Duration,
    outcome: anyhow::Result<Option<Snapshot>>,
}

type Making = JoinHandle<Made>;

impl LeaseHolder {
    /// A keeper of what was opened, with a handle to it.
    pub fn new(
        opened: Opened,
        store: PathBuf,
        settings: SnapshotSettings,
    ) -> anyhow::Result<(Self, LeaseHandle)> {
        let status = SnapshotStatus::default();
        status.begun(&opened.head);
        let (handle, requests) = LeaseHandle::new(status.clone(), opened.contested);
        // What was just restored need not be stored again at once.
        let first = if opened.restored {
            settings.pause_after(Duration::ZERO)
        } else {
            Duration::ZERO
        };
        let holder = Self {
            sequence: opened.head.next_sequence(),
            original: Some(Original::open(&store)?),
            held: opened.held,
            store,
            settings,
            status,
            requests,
            unsaved: Vec::new(),
            due: Instant::now() + first,
            swept: false,
        };
        Ok((holder, handle))
    }

    /// Keeps it until a stop is requested; returns itself, to make the last snapshot when the store
    /// is closed.
    pub async fn run(mut self, stopped: CancellationToken) -> Result<Self, Superseded> {
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut making: Option<Making> = None;
        loop {
            tokio::select! {
                () = stopped.cancelled() => break,
                Some(request) = self.requests.recv() => self.answer(request).await?,
                _ = check.tick() => self.tick().await?,
                made = finished(&mut making) => {
                    making = None;
                    self.made(made).await?;
                }
                () = tokio::time::sleep_until(self.due), if making.is_none() => {
                    making = self.make();
                }
            }
        }
        if let Some(making) = making {
            let made = making.await.ok();
            self.made(made).await?;
        }
        Ok(self)
    }

    /// The store is closed: makes the last snapshot of it, and records for the next task that it is
    /// complete.
    pub async fn finish(self) -> Result<(), Superseded> {
        let done = tokio::time::timeout(LAST_WITHIN, self.last()).await;
        done.unwrap_or_else(|_| {
            warn!(
                "the last snapshot took longer than {LAST_WITHIN:?}: the next task has more to \
                   read from the streams"
            );
            Ok(())
        })
    }

    async fn last(mut self) -> Result<(), Superseded> {
        // Review commands that wait are in the store too.
        let Some(making) = self.make() else {
            return Ok(());
        };
        let made = making.await.ok();
        self.made(made).await?;
        if self.status.health().failing.is_some() {
            return Ok(());
        }
        match self.held.edit(&Edit::Release).await {
            Ok(()) => info!("the last snapshot is made, and the next task may start at once"),
            Err(Trouble::Lost(lost)) => return Err(lost),
            Err(Trouble::Unclear(why)) => {
                warn!("the next task could not be notified that this one has ended: {why}");
            }
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request) -> Result<(), Superseded> {
        let mut asked = vec![request];
        while let Ok(request) = self.requests.try_recv() {
            asked.push(request);
        }
        let (mut speakers, mut senders) = (Vec::new(), Vec::new());
        for request in asked {
            match request {
                Request::Keep(command, reply) => {
                    self.unsaved.push(command);
                    speakers.push(reply);
                }
                Request::Check(reply) => senders.push(reply),
            }
        }
        if !speakers.is_empty() {
            let saved = self.keep_commands().await?;
            for reply in speakers {
                // The receiver may be gone.
                let _ = reply.send(saved.clone());
            }
        }
        if !senders.is_empty() {
            let holds = self.check().await?;
            for reply in senders {
                let _ = reply.send(holds);
            }
        }
        Ok(())
    }

    async fn keep_commands(&mut self) -> Result<Result<(), NotSaved>, Superseded> {
        let edit = Edit::Commands(self.unsaved.clone());
        let saved = match self.held.edit(&edit).await {
            Ok(()) => {
                self.unsaved.clear();
                Ok(())
            }
            Err(Trouble::Lost(lost)) => return Err(lost),
            Err(Trouble::Unclear(why)) => Err(NotSaved {
                location: self.held.bucket().location().clone(),
                why,
            }),
        };
        self.status.commands_waiting(self.unsaved.len());
        if self.held.head().commands.len() >= MANY_COMMANDS {
            self.due = self.due.min(Instant::now());
        }
        Ok(saved)
    }

    async fn tick(&mut self) -> Result<(), Superseded> {
        if self.check().await? && !self.unsaved.is_empty() {
            // Their senders were informed that they wait.
            let _ = self.keep_commands().await?;
        }
        Ok(())
    }

    /// Whether this task certainly still holds the lease. Nothing slow follows: the caller sends
    /// immediately (`OTHERS_END_WITHIN`).
    async fn check(&mut self) -> Result<bool, Superseded> {
        let why = match self.held.check().await {
            Ok(()) => None,
            Err(Trouble::Lost(lost)) => return Err(lost),
            Err(Trouble::Unclear(why)) => Some(why),
        };
        let sure = why.is_none();
        let location = self.held.bucket().location();
        match (&why, self.status.unsure(why.clone())) {
            (Some(why), true) => warn!(
                "decreases wait: cannot confirm the lease at {location} ({why}). Increases are \
                 sent, and evidence is taken in as before"
            ),
            (None, true) => info!("{location} responds again: sending resumes"),
            _ => {}
        }
        Ok(sure)
    }

    /// Begins a snapshot.
    fn make(&mut self) -> Option<Making> {
        self.due = Instant::now() + self.settings.pause_after(Duration::ZERO);
        let original = match self.original.take() {
            Some(original) => original,
            None => match Original::open(&self.store) {
                Ok(original) => original,
                Err(error) => {
                    self.failed(&format!("{error:#}"), Duration::ZERO);
                    return None;
                }
            },
        };
        let bucket = self.held.bucket().clone();
        let place = Place {
            lineage: self.held.head().lineage.clone(),
            epoch: self.held.head().epoch,
            sequence: self.sequence,
        };
        self.sequence += 1;
        Some(tokio::spawn(async move {
            let (from, begun) = (Instant::now(), now());
            let (original, outcome) = original.snapshot(bucket, place, begun).await;
            Made {
                original,
                begun,
                took: from.elapsed(),
                outcome,
            }
        }))
    }

    async fn made(&mut self, made: Option<Made>) -> Result<(), Superseded> {
        // The thread panicked, which its own message shows.
        let Some(mut made) = made else {
            self.failed(
                "the task that makes snapshots ended unexpectedly",
                Duration::ZERO,
            );
            return Ok(());
        };
        let done = match made.outcome {
            Ok(Some(snapshot)) => self.enter(snapshot).await,
            Ok(None) => {
                self.status.unchanged(made.begun);
                Ok(())
            }
            Err(error) => Err(Trouble::Unclear(format!("{error:#}"))),
        };
        match done {
            Ok(()) => self.due = Instant::now() + self.settings.pause_after(made.took),
            Err(Trouble::Lost(lost)) => return Err(lost),
            Err(Trouble::Unclear(why)) => {
                made.original.forget();
                self.failed(&why, made.took);
            }
        }
        self.original = Some(made.original);
        Ok(())
    }

    fn failed(&mut self, why: &str, took: Duration) {
        let location = self.held.bucket().location();
        let pause = self.settings.pause_after_failure(took);
        warn!(
            "no snapshot could be made at {location} ({why}); the previous one is still valid, and \
             the streams have the records since. Next attempt in {pause:?}"
        );
        self.status.failed(why.to_owned());
        self.due = Instant::now() + pause;
    }

    /// Enters a snapshot in the head. Only then is anything let go of.
    async fn enter(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        let edit = Edit::Snapshot(snapshot.clone());
        let mut gone: Vec<String> = keys_of(self.held.head());
        self.held.edit(&edit).await?;
        let named = keys_of(self.held.head());
        gone.retain(|key| !named.contains(key));
        let (kb, key) = (snapshot.bytes.div_ceil(1024), &snapshot.key);
        info!(kb, %key, "made a snapshot");
        self.status.made(&snapshot);
        let (bucket, head) = (self.held.bucket().clone(), self.held.head().clone());
        let sweep = !std::mem::replace(&mut self.swept, true);
        tokio::spawn(async move {
            if sweep {
                gone.extend(swept(&bucket, &head).await);
            }
            for key in gone {
                if let Err(error) = bucket.delete(&key).await {
                    warn!("{}/{key} cannot be removed: {error}", bucket.location());
                }
            }
        });
        Ok(())
    }
}

fn keys_of(head: &Head) -> Vec<String> {
    let snapshots = head.snapshots.iter();
    snapshots.map(|snapshot| snapshot.key.clone()).collect()
}

/// What uploads that were cut off left, as of the first snapshot of each task.
async fn swept(bucket: &super::bucket::Bucket, head: &Head) -> Vec<String> {
    match bucket.snapshot_keys().await {
        Ok(keys) => left_over(head, keys.iter().map(String::as_str))
            .into_iter()
            .map(str::to_owned)
            .collect(),
        Err(error) => {
            warn!("{} cannot be listed: {error}", bucket.location());
            Vec::new()
        }
    }
}

/// Completes when the snapshot that is being made is; never if none is.
async fn finished(making: &mut Option<Making>) -> Option<Made> {
    match making {
        Some(making) => making.await.ok(),
        None => std::future::pending().await,
    }
}
