//! Notices for people who do not look at the page: a weekly digest, a rollback, an urgent increase that waits for a
//! person, and the circuit breaker when it opens. It reads the store beside the writer and decides nothing.

mod facts;
mod notice;
mod outgoing;
mod post;
mod sent;
mod settings;
mod wording;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rightsizer_aws::clock::now;
use rightsizer_aws::config::Place;
use rightsizer_rules::price::PriceTable;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::settings::NotifySettings;

use self::notice::due;
use self::post::Posts;
use self::sent::Sent;

/// How often the store is read for news.
const EVERY: Duration = Duration::from_secs(30);

/// Sends notices until a stop is requested. A notice that a receiver does not take is sent to it again later.
pub(crate) async fn run(
    (settings, prices): (NotifySettings, PriceTable),
    place: Place,
    store: PathBuf,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let posts = Posts::new(&settings, &place).await;
    let mut sent = Sent::load(&store);
    sent.outgoing.keep_only(&posts.names());
    loop {
        look(&posts, &store, &prices, &mut sent).await;
        deliver(&posts, &store, &mut sent, &stopped).await;
        let rest = sent
            .outgoing
            .wait(now())
            .map_or(EVERY, |wait| wait.min(EVERY));
        tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Looks once for news.
async fn look(posts: &Posts, store: &Path, prices: &PriceTable, sent: &mut Sent) {
    let at = now();
    let (path, wants_digest) = (store.to_owned(), sent.wants_digest(at));
    let prices = prices.clone();
    let read = move || facts::read(&path, &prices, at, wants_digest);
    let read = tokio::task::spawn_blocking(read).await;
    match read {
        Ok(Ok(facts)) => {
            for notice in due(&facts, sent, at) {
                sent.note(&notice, &facts, at);
                sent.outgoing.add(notice, posts.names(), at);
            }
        }
        Ok(Err(error)) => warn!("no notices: the store cannot be read: {error}"),
        Err(error) => warn!("no notices: {error}"),
    }
    // Before anything is sent, so that a crash loses no notice.
    sent.keep(store);
}

/// Sends what is new, and again what a receiver did not take.
async fn deliver(posts: &Posts, store: &Path, sent: &mut Sent, stopped: &CancellationToken) {
    for (id, receiver) in sent.outgoing.due(now()) {
        if stopped.is_cancelled() {
            return;
        }
        let Some(notice) = sent.outgoing.notice(&id) else {
            continue;
        };
        match posts.send(receiver, &id, notice).await {
            Ok(()) => {
                info!(
                    kind = notice.kind.name(),
                    receiver = receiver.name(),
                    "sent a notice"
                );
                sent.outgoing.taken(&id, receiver);
            }
            Err(why) => {
                let name = receiver.name();
                match sent.outgoing.failed(&id, receiver, now()) {
                    Some(wait) => warn!(
                        "{name} did not take a notice: {why}; next attempt in {} s",
                        wait.as_secs()
                    ),
                    None => {
                        warn!("{name} did not take a notice within a day: {why}; it is dropped");
                    }
                }
            }
        }
        // After each, so that a restart sends it to no receiver twice.
        sent.keep(store);
    }
}
