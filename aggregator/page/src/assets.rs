//! The style sheet and the script. Both are served under a name that contains their hash, so a browser keeps them
//! until they change, and the content security policy needs no `unsafe-inline`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// A file that the page needs.
#[derive(Debug)]
pub struct Asset {
    /// Its text.
    pub text: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// The path under which it is served.
    pub path: String,
    /// Its hash as a content security policy names it, for a page that contains it.
    pub(crate) source: String,
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("page.css"), "text/css; charset=utf-8", "css"));

/// The script: live updates, and what a large table needs. The pages can be read without it.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        include_str!("page.js"),
        "text/javascript; charset=utf-8",
        "js",
    )
});

impl Asset {
    fn new(text: &'static str, kind: &'static str, ending: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let short = hash.iter().take(8);
        let short = short.fold(0, |short: u64, byte| short << 8 | u64::from(*byte));
        Self {
            text,
            kind,
            path: format!("/ui/{short:016x}.{ending}"),
            source: format!("'sha256-{}'", BASE64_STANDARD.encode(hash)),
        }
    }
}
