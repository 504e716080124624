//! The arguments of the commands that report on functions, and what they read: a store, or a server.

use std::path::Path;

use clap::Args;
use rightsizer_rules::commands::Refused;
use rightsizer_store::inspect::function_named;
use rightsizer_store::{FunctionDetail, Reader, ReviewRow};

use super::form::FormArgs;
use super::list::{no_function, now_held, only_one};
use super::server::{Server, ServerArg};
use super::{ConfigArg, StoreArg};
use crate::settings::Settings;

/// Where to read from, and the form of the output.
#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    #[command(flatten)]
    pub(super) store: StoreArg,
    #[command(flatten)]
    pub(super) server: ServerArg,
    #[command(flatten)]
    pub(super) config: ConfigArg,
    #[command(flatten)]
    form: FormArgs,
}

impl ReadArgs {
    /// Returns whether the output is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.form.is_json()
    }

    /// The path of the store.
    pub(super) fn store(&self) -> &Path {
        &self.store.store
    }

    /// The server that is read instead, if one is named.
    pub(super) fn server(&self) -> Option<Server> {
        self.server.named()
    }

    /// Loads the settings.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        self.config.settings()
    }

    /// Returns everything about a function, from the server if one is named. A pattern must match one function.
    pub(super) fn detail(&self, function: &str) -> anyhow::Result<FunctionDetail> {
        if function.contains('*') {
            let rows: Vec<ReviewRow> = match self.server.named() {
                Some(server) => server.read("")?,
                None => Reader::open(&self.store.store)?.review()?,
            };
            return self.detail(&only_one(function, &rows)?);
        }
        let mut detail: FunctionDetail = match self.server.named() {
            Some(server) => server.read(&format!("/{function}")),
            None => function_named(&self.store.store, function, &self.settings()?.price)?
                .map_err(Into::into),
        }
        .map_err(|error| meant(error, function, self.server.named().as_ref(), self.store()))?;
        now_held(&mut detail.review);
        Ok(detail)
    }
}

/// Returns the error with the name that was probably meant, if the error is that nothing has this name. It is that of the
/// store, or of the server that is named.
pub(super) fn meant(
    error: anyhow::Error,
    name: &str,
    server: Option<&Server>,
    store: &Path,
) -> anyhow::Error {
    if error.to_string() != Refused::NotFound(name.to_owned()).to_string() {
        return error;
    }
    let rows: anyhow::Result<Vec<ReviewRow>> = match server {
        Some(server) => server.read(""),
        None => Reader::open(store)
            .and_then(|reader| reader.review())
            .map_err(Into::into),
    };
    match rows.map(|rows| no_function(name, &rows)) {
        Ok(meant) if meant.suggests() => meant.into(),
        _ => error,
    }
}
