// SPDX-License-Identifier: GPL-2.0

//! The way back for every slot: commit and rollback in one routine.

use super::{
    batch::{
        Batch,
        Which, //
    },
    call::Place,
    huge::LockedPmd,
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    slot::{
        held,
        Slot, //
    },
    task, //
};

impl Batch<'_> {
    /// Maps every page of `which` where it now is, and gives back all that is held.
    ///
    /// Each entry is mapped again: to the destination if that has become the source, else to the
    /// source. Pages are on the LRU before anybody can free them; a folio is unlocked when no
    /// migration entry for it is left; references go last, outside every lock.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn settle(&mut self, which: Which) {
        task::may_sleep();
        self.each(which, Slot::return_to_lru);
        self.remap_own_entries(which);
        self.each(which, Slot::remap_others);
        self.each(which, Slot::put);
    }

    /// Does it for what the window has for a page table; false where that has changed.
    fn remap_under(&mut self, level: Level<'_>, which: Which) -> bool {
        let count = self.len();

        match level {
            // The entries have been zapped, and their table with them.
            Level::Hole => true,
            Level::Leaf(pmd) => {
                let lock = LockedPmd::lock(self, pmd).filter(|lock| !lock.is_table());
                let Some(mut lock) = lock else {
                    return false;
                };
                for number in 0..count {
                    if lock.is_one_of(number, which) {
                        lock.remap_slot(number);
                    }
                }
                true
            }
            Level::Table(pmd) => {
                let Some(mut table) = PteTable::lock(self, pmd) else {
                    return false;
                };
                for number in 0..count {
                    if table.is_one_of(number, which) {
                        table.remap_slot(number);
                    }
                }
                true
            }
        }
    }

    /// Maps again, under one page-table lock, what this window's page table alone has mapped.
    fn remap_own_entries(&mut self, which: Which) {
        let Place::Vma(window) = self.place() else {
            return;
        };
        if !self.has_own_entries(which) {
            return;
        }
        // Somebody may zap, or split, what is there between the look and the lock.
        while !self.remap_under(look_up(&window), which) {}
        self.each(which, |slot| {
            if slot.is_own() {
                slot.release(held::OWN_ENTRY);
            }
        });
    }
}
