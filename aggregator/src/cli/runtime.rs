//! What commands that call AWS need while they run: a runtime and a progress bar.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

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
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
