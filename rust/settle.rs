// SPDX-License-Identifier: GPL-2.0

//! The way back for every slot: commit and rollback in one routine.

use super::{
    batch::{
        Batch,
        Which, //
    },
    call::Place,
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

    /// Maps again, under one page-table lock, what this window's page table alone has mapped.
    fn remap_own_entries(&mut self, which: Which) {
        let Place::Vma(window) = self.place() else {
            return;
        };
        if !self.has_own_entries(which) {
            return;
        }
        let count = self.len();
        // Where there is no page table any more, the entries have been zapped with it.
        if let Level::Table(pmd) = look_up(&window) {
            if let Some(mut table) = PteTable::lock(self, pmd) {
                for number in 0..count {
                    if table.is_one_of(number, which) {
                        table.remap_slot(number);
                    }
                }
            }
        }
        self.each(which, |slot| {
            if slot.is_own() {
                slot.release(held::OWN_ENTRY);
            }
        });
    }
}
