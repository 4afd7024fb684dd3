// SPDX-License-Identifier: GPL-2.0

//! The memory that a call works in.
//!
//! It is lent to one window after the other. A short call, and any call for which the kernel has no
//! memory, works in a little memory on the stack, in shorter windows: there is no `-ENOMEM`.

use super::{
    slot::Slot,
    word::{
        Outcome,
        PfnWord,
        Reason, //
    },
};
use core::mem::MaybeUninit;
use kernel::{
    alloc::{
        flags::*,
        KVVec, //
    },
    bindings,
    prelude::*, //
};

/// Pages of the longest window: one page table.
pub(crate) const WINDOW: usize = 1 << (bindings::PMD_SHIFT as usize - super::PAGE_SHIFT);

/// Pages of a window on the stack.
const SHORT: usize = 16;

/// What a window works in.
pub(crate) struct Lent<'s> {
    pub(crate) slots: &'s mut [MaybeUninit<Slot>],
    pub(crate) outcomes: &'s mut [Outcome],
    pub(crate) words: &'s mut [PfnWord],
}

/// The words of a call.
pub(crate) enum Words<'a> {
    /// The caller's array, one for each page of the range.
    Caller(&'a mut [PfnWord]),
    /// Ours, used by each window again.
    Own,
}

/// Memory on the stack for a short window.
pub(crate) struct Short {
    slots: [MaybeUninit<Slot>; SHORT],
    outcomes: [Outcome; SHORT],
    words: [PfnWord; SHORT],
}

impl Short {
    /// Memory that nobody uses.
    pub(crate) fn new() -> Self {
        Self {
            slots: [const { MaybeUninit::uninit() }; SHORT],
            outcomes: [Outcome::Left(Reason::Nothing); SHORT],
            words: [PfnWord::NOTHING; SHORT],
        }
    }
}

/// Memory from the heap for a long window.
struct Long {
    slots: KVVec<Slot>,
    outcomes: KVVec<Outcome>,
    words: KVVec<PfnWord>,
}

impl Long {
    fn new(pages: usize, own_words: bool) -> Result<Self> {
        let gfp = GFP_KERNEL | __GFP_NOWARN;
        let words = if own_words { pages } else { 0 };

        Ok(Self {
            slots: KVVec::with_capacity(pages, gfp)?,
            outcomes: KVVec::from_elem(Outcome::Left(Reason::Nothing), pages, gfp)?,
            words: KVVec::from_elem(PfnWord::NOTHING, words, gfp)?,
        })
    }
}

/// The memory that a call works in.
pub(crate) struct Scratch<'a> {
    short: &'a mut Short,
    long: Option<Long>,
    words: Words<'a>,
}

impl<'a> Scratch<'a> {
    /// Memory for a call of so many pages.
    pub(crate) fn new(short: &'a mut Short, pages: usize, words: Words<'a>) -> Self {
        let own = matches!(words, Words::Own);
        let long = if pages > SHORT {
            Long::new(pages.min(WINDOW), own).ok()
        } else {
            None
        };
        Self { short, long, words }
    }

    /// How many pages a window may have.
    pub(crate) fn window_pages(&self) -> usize {
        match &self.long {
            Some(long) => long.outcomes.len(),
            None => SHORT,
        }
    }

    /// Lends memory for a window of at most [`Self::window_pages`] pages, which is so many pages
    /// into the range.
    pub(crate) fn lend(&mut self, offset: usize, pages: usize) -> Lent<'_> {
        let (slots, outcomes, own) = match &mut self.long {
            Some(long) => (
                long.slots.spare_capacity_mut(),
                &mut long.outcomes[..],
                &mut long.words[..],
            ),
            None => (
                &mut self.short.slots[..],
                &mut self.short.outcomes[..],
                &mut self.short.words[..],
            ),
        };
        let words = match &mut self.words {
            Words::Caller(words) => words.get_mut(offset..).unwrap_or_default(),
            Words::Own => own,
        };
        Lent {
            slots,
            outcomes: first(outcomes, pages),
            words: first(words, pages),
        }
    }

    /// Ends a window: writes what became of each page, and says it.
    pub(crate) fn finish(&mut self, offset: usize, pages: usize) -> &[Outcome] {
        let lent = self.lend(offset, pages);
        for (word, outcome) in lent.words.iter_mut().zip(lent.outcomes.iter()) {
            *word = PfnWord::outcome(*outcome);
        }
        lent.outcomes
    }

    /// Clears the words of what a call did not reach.
    pub(crate) fn clear_from(&mut self, offset: usize) {
        if let Words::Caller(words) = &mut self.words {
            if let Some(rest) = words.get_mut(offset..) {
                rest.fill(PfnWord::NOTHING);
            }
        }
    }
}

/// The first `count` elements, or all if there are fewer.
fn first<T>(slice: &mut [T], count: usize) -> &mut [T] {
    let count = count.min(slice.len());
    // The bound is checked above; indexing cannot fail.
    slice.split_at_mut(count).0
}
