//! Who carries out review commands and knows the service's health: the server's writer, or, for a store that no
//! server has, the way of the command line.

use std::fmt;
use std::sync::Arc;

use rightsizer_page::{HealthView, ShardView};
use rightsizer_rules::commands::{Done, ReviewCommand, Switched};
use rightsizer_store::{Reader, inspect, wal_bytes};

use super::super::{Port, health, review};
use std::path::Path;

/// Quarantined records that the page shows.
const QUARANTINED: u32 = 50;

/// Applies a review command to a store that this process does not serve.
pub(crate) type LocalDesk = dyn Fn(&ReviewCommand) -> anyhow::Result<Done> + Send + Sync;

/// The reason for which a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCarriedOut {
    /// By the server's writer.
    #[error(transparent)]
    Refused(review::ReviewError),
    /// By the way of the command line.
    #[error("{0:#}")]
    Failed(anyhow::Error),
    /// Its task ended.
    #[error(transparent)]
    Ended(tokio::task::JoinError),
}

/// See the module.
#[derive(Clone)]
pub(crate) enum Desk {
    /// This process serves the store.
    Server(Box<Port>),
    /// It does not.
    Local(Arc<LocalDesk>),
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Local(_) => "Local",
        })
    }
}

impl Desk {
    /// Carries out a command; returns what was done, in words.
    pub(super) async fn carry_out(&self, command: ReviewCommand) -> Result<String, NotCarriedOut> {
        let done = match self {
            // As a task of its own, so that an applied command is also saved if the browser disconnects meanwhile.
            Self::Server(port) => {
                let carried = tokio::spawn(review::carry_out_and_keep(Port::clone(port), command));
                match carried.await {
                    Ok(done) => done.map_err(NotCarriedOut::Refused),
                    Err(error) => Err(NotCarriedOut::Ended(error)),
                }
            }
            Self::Local(desk) => {
                let desk = Arc::clone(desk);
                let carried = tokio::task::spawn_blocking(move || desk(&command)).await;
                match carried {
                    Ok(done) => done.map_err(NotCarriedOut::Failed),
                    Err(error) => Err(NotCarriedOut::Ended(error)),
                }
            }
        };
        done.map(in_words)
    }

    /// The word that `/healthz` answers.
    pub(super) async fn status(&self) -> String {
        match self {
            Self::Server(port) => health::health(port).await.status.to_owned(),
            Self::Local(_) => "ok".to_owned(),
        }
    }

    /// The health of the service and its store.
    pub(super) async fn health(&self, store: &Path) -> HealthView {
        let path = store.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let quarantine = Reader::open(&path)?.newest_quarantined(QUARANTINED)?;
            let (stops, gaps) = inspect::stops_and_gaps(&path)?;
            Ok::<_, rightsizer_store::StoreError>((stops, gaps, quarantine))
        });
        let mut view = HealthView {
            status: "ok".to_owned(),
            wal_bytes: wal_bytes(store),
            ..HealthView::default()
        };
        match read.await {
            Ok(Ok((stops, gaps, quarantine))) => {
                (view.stops, view.gaps, view.quarantine) = (stops, gaps, quarantine);
            }
            Ok(Err(error)) => view.troubles.push(error.to_string()),
            Err(error) => view.troubles.push(error.to_string()),
        }
        if let Self::Server(port) = self {
            server(&mut view, health::health(port).await);
        } else if !view.troubles.is_empty() {
            "failed".clone_into(&mut view.status);
        }
        view
    }
}

fn server(view: &mut HealthView, health: health::Health) {
    view.serving = true;
    health.status.clone_into(&mut view.status);
    view.last_commit = health.last_commit;
    view.troubles.extend(health.troubles());
    view.shards = health
        .shards
        .into_iter()
        .map(|(name, shard)| ShardView {
            name,
            behind_ms: shard.behind_ms,
            failing: shard.failing,
        })
        .collect();
    view.troubles.sort();
    view.troubles.dedup();
}

/// What was done, and whether the updater followed.
fn in_words(done: Done) -> String {
    match done.updater {
        None | Some(Switched::NotNamed) => done.message,
        Some(Switched::Done(updater)) => format!(
            "{}; the updater {} follows within seconds",
            done.message,
            updater.name()
        ),
        Some(Switched::Failed {
            updater,
            why,
            by_hand,
        }) => format!(
            "{}; the updater {} did not follow ({why}): someone with permission to tag it can run {by_hand}",
            done.message,
            updater.name()
        ),
    }
}
