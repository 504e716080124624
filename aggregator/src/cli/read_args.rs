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
            Some(server) => server.read(&format!("/{function}"))?,
            None => match function_named(&self.store.store, function, &self.settings()?.price)? {
                Ok(detail) => detail,
                Err(Refused::NotFound(name)) => {
                    let rows = Reader::open(&self.store.store)?.review()?;
                    return Err(no_function(&name, &rows).into());
                }
                Err(refused) => return Err(refused.into()),
            },
        };
        now_held(&mut detail.review);
        Ok(detail)
    }
}
