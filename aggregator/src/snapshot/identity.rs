//! Which history of snapshots a store is of, as it stands in the store itself.

use anyhow::Context;
use rightsizer_store::{Store, StoreError};

use super::plan::LocalStore;

/// The key in `state` of the store's identity: the history that it belongs to (lineage), its copy within that
/// history, and the location at which it last held the lease.
const IDENTITY: &str = "snapshots";

pub(super) fn identity(store: &mut Store) -> Result<LocalStore, StoreError> {
    let unit = store.begin()?;
    let text = unit.state().get(IDENTITY)?.unwrap_or_default();
    unit.commit()?;
    let mut words = text.split(' ').map(str::to_owned);
    Ok(LocalStore {
        lineage: words.next().filter(|word| !word.is_empty()),
        copy: words.next(),
        held_at: words.next(),
    })
}

pub(super) fn set_identity(store: &mut Store, identity: &LocalStore) -> Result<(), StoreError> {
    let words = [
        identity.lineage.as_deref(),
        identity.copy.as_deref(),
        identity.held_at.as_deref(),
    ];
    let text: Vec<&str> = words.into_iter().flatten().collect();
    let unit = store.begin()?;
    unit.state().set(IDENTITY, Some(&text.join(" ")))?;
    unit.commit()
}

/// 64 random bits.
pub(super) fn drawn() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).context("the operating system returns no random numbers")?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
