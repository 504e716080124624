//! A person who meets the product for the first time: signs in as they always do, installs it without a
//! compiler, and reads an account.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod endpoints;
mod install;
mod laptop;
mod not_signed_in;
mod sign_in;
mod ten_minutes;
