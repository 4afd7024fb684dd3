// SPDX-License-Identifier: GPL-2.0

//! The memory that a call works in.
//!
//! It is lent to one window after the other. A short call, and any call for which the kernel has no
//! memory, works in a little memory on the stack, in shorter windows: there is no `-ENOMEM`.

use super::{
    slot::Slot,
    span::WINDOW,
    word::{
        self,
        Outcome,
        PfnWord,
        Reason, //
    },
};
use core::{
    cell::Cell,
    mem::MaybeUninit, //
};
use kernel::prelude::*;

/// Pages of a window on the stack.
const SHORT: usize = 16;

/// What a window works in.
pub(crate) struct Lent<'s> {
    pub(crate) slots: &'s mut [MaybeUninit<Slot>],
    pub(crate) outcomes: &'s mut [Outcome],
    pub(crate) words: &'s [Cell<PfnWord>],
}

/// The words of a call.
#[derive(Clone, Copy)]
pub(crate) enum Words<'a> {
    /// The caller's array, one for each page of the range.
    ///
    /// The driver may have other pointers to it, which it uses in its callbacks.
    Caller(&'a [Cell<PfnWord>]),
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
    #[inline(always)]
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
    /// The page whose word is the first of our own.
    begin: usize,
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
        Self {
            short,
            long,
            words,
            begin: 0,
        }
    }

    /// Begins with the pages from `offset` on: words of our own are used again.
    pub(crate) fn begin(&mut self, offset: usize) {
        self.begin = offset;
    }

    /// How many pages a window may have.
    pub(crate) fn window_pages(&self) -> usize {
        match &self.long {
            Some(long) => long.outcomes.len(),
            None => SHORT,
        }
    }

    /// Lends memory for a window, which is so many pages into the range.
    ///
    /// There is enough for [`Self::window_pages`] pages from where it was begun.
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
        let words = match self.words {
            Words::Caller(words) => words.get(offset..).unwrap_or_default(),
            Words::Own => {
                let own = Cell::from_mut(own).as_slice_of_cells();
                own.get(offset.wrapping_sub(self.begin)..)
                    .unwrap_or_default()
            }
        };
        Lent {
            slots,
            outcomes: outcomes.get_mut(..pages).unwrap_or_default(),
            words: words.get(..pages).unwrap_or_default(),
        }
    }

    /// Ends a window: writes what became of each page, and says it.
    pub(crate) fn finish(&mut self, offset: usize, pages: usize) -> &[Outcome] {
        let lent = self.lend(offset, pages);
        let mut words = lent.words;
        for (outcome, count) in word::runs(lent.outcomes) {
            let word = PfnWord::outcome(outcome);
            let (run, rest) = words.split_at_checked(count).unwrap_or_default();
            run.iter().for_each(|place| place.set(word));
            words = rest;
        }
        lent.outcomes
    }

    /// Clears the words of what a call did not reach.
    pub(crate) fn clear_from(&mut self, offset: usize) {
        if let Words::Caller(words) = self.words {
            let rest = words.get(offset..).unwrap_or_default();
            rest.iter().for_each(|word| word.set(PfnWord::NOTHING));
        }
    }
}
