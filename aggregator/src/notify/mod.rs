//! Notices for people who do not look at the page: a weekly digest, a rollback, an urgent increase that waits for a
//! person, and the circuit breaker when it opens. It reads the store beside the writer and decides nothing.

mod facts;
mod notice;
mod post;
mod sent;
mod settings;
mod wording;

use std::path::PathBuf;
use std::time::Duration;

use rightsizer_aws::clock::now;
use rightsizer_aws::config::Place;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::settings::NotifySettings;

use self::notice::due;
use self::post::Posts;
use self::sent::Sent;

/// How often the store is read for news.
const EVERY: Duration = Duration::from_secs(30);

/// Sends notices until a stop is requested. A notice that no receiver took is tried again at the next turn.
pub(crate) async fn run(
    settings: NotifySettings,
    place: Place,
    store: PathBuf,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let posts = Posts::new(&settings, &place).await;
    let mut sent = Sent::load(&store);
    loop {
        turn(&posts, &store, &mut sent).await;
        tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Looks once, and sends what is new.
async fn turn(posts: &Posts, store: &std::path::Path, sent: &mut Sent) {
    let at = now();
    let (path, wants_digest) = (store.to_owned(), sent.wants_digest(at));
    let read = tokio::task::spawn_blocking(move || facts::read(&path, at, wants_digest)).await;
    let facts = match read {
        Ok(Ok(facts)) => facts,
        Ok(Err(error)) => return warn!("no notices: the store cannot be read: {error}"),
        Err(error) => return warn!("no notices: {error}"),
    };
    for notice in due(&facts, sent, at) {
        if posts.send(&notice).await {
            info!(kind = notice.kind.name(), "sent a notice");
            sent.note(&notice, &facts, at);
        }
    }
    sent.keep(store);
}
