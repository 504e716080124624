//! Rows in memory: read once, changed in place, and written back at the commit in the order of their table. They
//! stay in memory afterwards, because the same rows are usually changed again soon.

use std::hash::Hash;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::Entry;

use super::error::StoreError;

/// Rows of one table. A row has a place, which is fixed until rows are dropped.
#[derive(Debug)]
pub(super) struct Rows<K, V> {
    rows: IndexMap<K, Slot<V>, RandomState>,
    /// Places of the rows that changed since they were written.
    changed: Vec<usize>,
}

#[derive(Debug)]
struct Slot<V> {
    row: V,
    changed: bool,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self {
            rows: IndexMap::default(),
            changed: Vec::new(),
        }
    }
}

impl<K: Hash + Eq + Ord, V> Rows<K, V> {
    /// Returns the row of `key` for a change; `load` reads or creates it if it is not in memory.
    pub(super) fn change(
        &mut self,
        key: K,
        load: impl FnOnce(&K) -> Result<V, StoreError>,
    ) -> Result<&mut V, StoreError> {
        let place = match self.rows.entry(key) {
            Entry::Occupied(slot) => slot.index(),
            Entry::Vacant(slot) => {
                let row = load(slot.key())?;
                let place = slot.index();
                slot.insert(Slot {
                    row,
                    changed: false,
                });
                place
            }
        };
        self.at(place)
    }

    /// Returns the row at `place` for a change.
    pub(super) fn at(&mut self, place: usize) -> Result<&mut V, StoreError> {
        let gone = || StoreError::Damaged("a row in memory is gone".into());
        let (_, slot) = self.rows.get_index_mut(place).ok_or_else(gone)?;
        if !slot.changed {
            slot.changed = true;
            self.changed.push(place);
        }
        Ok(&mut slot.row)
    }

    /// Returns the place of the row of `key`, if it is in memory.
    pub(super) fn place(&self, key: &K) -> Option<usize> {
        self.rows.get_index_of(key)
    }

    /// Adds an unchanged row that is not in memory.
    pub(super) fn keep(&mut self, key: K, row: V) -> usize {
        let changed = false;
        self.rows.insert_full(key, Slot { row, changed }).0
    }

    /// Returns the row of `key` without a change.
    pub(super) fn read(
        &mut self,
        key: K,
        load: impl FnOnce() -> Result<V, StoreError>,
    ) -> Result<&V, StoreError> {
        let slot = match self.rows.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => slot.insert(Slot {
                row: load()?,
                changed: false,
            }),
        };
        Ok(&slot.row)
    }

    /// Returns the row of `key`, which is never written back because other tables have its data.
    pub(super) fn look(
        &mut self,
        key: K,
        load: impl FnOnce(&K) -> Result<V, StoreError>,
    ) -> Result<&mut V, StoreError> {
        let slot = match self.rows.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => {
                let row = load(slot.key())?;
                slot.insert(Slot {
                    row,
                    changed: false,
                })
            }
        };
        Ok(&mut slot.row)
    }

    /// Returns the key of a row that is `wanted`; reads every row.
    pub(super) fn find(&self, wanted: impl Fn(&V) -> bool) -> Option<&K> {
        let mut rows = self.rows.iter();
        rows.find(|(_, slot)| wanted(&slot.row)).map(|(key, _)| key)
    }

    /// Returns the sum of `weight` over all rows.
    pub(super) fn weight(&self, weight: impl Fn(&V) -> usize) -> usize {
        self.rows.values().map(|slot| weight(&slot.row)).sum()
    }

    /// Drops the rows whose values `gone` selects, changed or not.
    pub(super) fn forget_rows(&mut self, gone: impl Fn(&V) -> bool) {
        self.rows.retain(|_, slot| !gone(&slot.row));
        let slots = self.rows.values().enumerate();
        let changed = slots.filter(|(_, slot)| slot.changed);
        self.changed = changed.map(|(place, _)| place).collect();
    }

    /// Returns the number of rows in memory.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the number of rows to write.
    pub(super) const fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Writes the changed rows in the order of their keys, because neighbours share pages.
    pub(super) fn write_back(
        &mut self,
        mut write: impl FnMut(&K, &mut V) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut changed = std::mem::take(&mut self.changed);
        let key = |place: &usize| self.rows.get_index(*place).map(|(key, _)| key);
        changed.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        for place in changed {
            if let Some((key, slot)) = self.rows.get_index_mut(place) {
                write(key, &mut slot.row)?;
                slot.changed = false;
            }
        }
        Ok(())
    }

    /// Drops the rows whose keys `gone` selects, changed or not.
    pub(super) fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.rows.retain(|key, _| !gone(key));
        let slots = self.rows.values().enumerate();
        let changed = slots.filter(|(_, slot)| slot.changed);
        self.changed = changed.map(|(place, _)| place).collect();
    }

    /// Drops all rows if there are more than `most`; all must be written.
    pub(super) fn bound(&mut self, most: usize) {
        if self.rows.len() > most && self.changed.is_empty() {
            self.rows = IndexMap::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_loaded_once_and_written_once_and_in_order() {
        let mut rows: Rows<u8, u32> = Rows::default();
        for key in [3, 1, 3, 2, 1] {
            *rows.change(key, |key| Ok(u32::from(*key) * 100)).unwrap() += 1;
        }
        let mut written = Vec::new();
        let mut write = |key: &u8, row: &mut u32| {
            written.push((*key, *row));
            Ok(())
        };
        rows.write_back(&mut write).unwrap();
        rows.write_back(&mut write).unwrap();
        assert_eq!(written, [(1, 102), (2, 201), (3, 302)]);
        let known = rows.change(2, |_| Err(StoreError::Damaged("loaded again".into())));
        assert_eq!(*known.unwrap(), 201);
        rows.forget(|key| *key == 1);
        rows.bound(0);
        assert_eq!(rows.changed(), 1, "what is not written is not forgotten");
        let place = rows.place(&3).unwrap();
        *rows.at(place).unwrap() += 1;
        let mut rest = Vec::new();
        let mut write = |key: &u8, row: &mut u32| {
            rest.push((*key, *row));
            Ok(())
        };
        rows.write_back(&mut write).unwrap();
        assert_eq!(
            rest,
            [(2, 201), (3, 303)],
            "places move when rows are forgotten"
        );
    }
}
