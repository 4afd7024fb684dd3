// SPDX-License-Identifier: GPL-2.0

//! The way back for every slot: commit and rollback in one routine.

use super::{
    batch::{
        Batch,
        Which, //
    },
    held_folio::Puts,
    huge::LockedPmd,
    lru::Lists,
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    stats::Stage,
    watch::Watch, //
};
use core::mem::MaybeUninit;
use kernel::task::might_sleep;

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.len() > 0 {
            self.settle(Which::All);
        }
    }
}

impl Batch<'_> {
    /// Maps every page of `which` where it now is, and gives back all that is held.
    ///
    /// Each entry is mapped again: to the destination if that has become the source, else to the
    /// source. Pages are on the LRU before anybody can free them; a folio is unlocked when no
    /// migration entry for it is left; references go last, under no lock but those of other folios.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn settle(&mut self, which: Which) {
        let _watch = (which == Which::All).then(|| Watch::new(Stage::Settle, self));
        might_sleep();
        self.return_to_lru(which);
        self.remap_own_entries(which);
        self.remap_shared(which);
        let mut batch = MaybeUninit::uninit();
        let mut puts = Puts::new(&mut batch);
        self.each(which, |slot| {
            // SAFETY: It has been replaced, or was gone, when the window's table was gone through.
            unsafe { slot.forget_own_entry() };
            slot.remap_others();
            // SAFETY: Those elsewhere have been replaced as well.
            unsafe { slot.put(&mut puts) };
        });
        drop(puts);
        if which == Which::All {
            // SAFETY: All have been put.
            unsafe { self.forget_slots() };
        }
    }

    /// Settles what has been refused since this was called last.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn settle_refused(&mut self) {
        if self.take_refused() > 0 {
            self.settle(Which::Refused);
        }
    }

    fn return_to_lru(&mut self, which: Which) {
        let mut lists = Lists::new();
        self.each(which, |slot| slot.return_to_lru(&mut lists));
    }

    /// Does it for what the window has for a page table; false where that has changed.
    fn remap_under(&mut self, level: Level<'_>, which: Which) -> bool {
        match level {
            // The entries have been zapped, and their table with them.
            Level::Hole => true,
            Level::Leaf(pmd) => {
                let lock = LockedPmd::lock(self, pmd).filter(|lock| !lock.is_table());
                let Some(mut lock) = lock else {
                    return false;
                };
                lock.remap(which);
                true
            }
            Level::Table(pmd) => {
                let Some(mut table) = PteTable::lock(self, pmd) else {
                    return false;
                };
                table.remap(which);
                true
            }
        }
    }

    /// Maps again, under one page-table lock, what this window's page table alone has mapped.
    fn remap_own_entries(&mut self, which: Which) {
        let Some(window) = self.place().window() else {
            return;
        };
        if !self.has_own_entries(which) {
            return;
        }
        // Somebody may zap, or split, what is there between the look and the lock.
        while !self.remap_under(look_up(window), which) {}
    }
}
