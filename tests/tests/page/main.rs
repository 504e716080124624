//! The page in a real Chromium: every page in both themes and at the widths of phones and walls, every action from the
//! click to the store's row, and what must not happen.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set its scene has failed"
)]

mod actions;
mod browser;
mod histogram;
mod looks;
mod notices;
mod prices;
mod refusals;
mod scene;
mod stream;
mod stubborn;
mod tuned;
mod visitor;
