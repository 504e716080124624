//! What commands that call AWS or serve need while they run: a runtime and a progress bar.

use std::future::Future;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::runtime::{Builder, Runtime};

/// A progress bar of the given number of functions, on standard error and only if it is a
/// terminal.
pub(super) fn progress(what: &'static str, length: usize) -> ProgressBar {
    let template = "{msg} [{wide_bar}] {pos}/{len} {rate}/s, {eta} left";
    // The template is a constant; with a bad one the bar would only look plainer.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key(
        "rate",
        |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // If it cannot be written, it is not shown.
            let _ = write!(out, "{:.0}", state.per_sec());
        },
    );
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX));
    bar.with_style(style).with_message(what)
}

/// A runtime for one command.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Runs a server to its end. It has stored by then what it acknowledged; threads that still read something, such as a large
/// fleet for a page, are not waited for.
pub(super) fn run_server<T>(runtime: Runtime, server: impl Future<Output = T>) -> T {
    let done = runtime.block_on(server);
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_that_has_ended_waits_for_no_reader() {
        let (ended, end) = mpsc::channel();
        let (answer, never_answered) = mpsc::channel::<()>();
        thread::spawn(move || {
            run_server(runtime().unwrap(), async {
                tokio::task::spawn_blocking(move || never_answered.recv());
            });
            ended.send(())
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(30)), Ok(()));
        drop(answer);
    }
}
