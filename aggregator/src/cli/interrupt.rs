//! Ctrl-C in commands that change functions. Before the first change it ends the command; after it, what was begun is
//! finished, and the results are printed.

use std::future::{Future, pending};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::fleet_regions::INTERRUPTED;
use super::out;

/// Whether changes were begun.
static CHANGING: AtomicBool = AtomicBool::new(false);

/// Cancelled by the first Ctrl-C. The second one ends the process.
pub(super) fn pressed() -> &'static CancellationToken {
    static PRESSED: OnceLock<CancellationToken> = OnceLock::new();
    PRESSED.get_or_init(|| {
        let token = CancellationToken::new();
        let first = token.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if first.is_cancelled() {
                    std::process::exit(INTERRUPTED.into());
                }
                if CHANGING.load(Ordering::Relaxed) {
                    out::note(format_args!(
                        "\nrightsizer: stopping once the changes that were begun are done; press Ctrl-C again to end at once"
                    ));
                }
                first.cancel();
            }
        });
        token
    })
}

/// From now on, [`until_changes`] is not ended by Ctrl-C.
pub(super) fn begin_changes() {
    CHANGING.store(true, Ordering::Relaxed);
}

/// Does this work; `None` if Ctrl-C ended it before it had begun changes.
pub(super) async fn until_changes<T>(work: impl Future<Output = T>) -> Option<T> {
    CHANGING.store(false, Ordering::Relaxed);
    let pressed_in_time = async {
        pressed().cancelled().await;
        if CHANGING.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = pressed_in_time => None,
        done = work => Some(done),
    }
}
