// SPDX-License-Identifier: GPL-2.0

//! The pfn word: what a driver and this module tell each other about one page.
//!
//! C header: `include/linux/hmm_migrate.h`.

use super::raw;
use kernel::{
    bindings,
    prelude::*, //
};

const SHIFT: u32 = raw::HMM_MIGRATE_PFN_SHIFT;
const PFN_MASK: u64 = (1 << raw::HMM_MIGRATE_PFN_BITS) - 1;
const ORDER_SHIFT: u32 = raw::HMM_MIGRATE_PFN_SHIFT + raw::HMM_MIGRATE_PFN_BITS;
const ORDER_MASK: u64 = (1 << raw::HMM_MIGRATE_ORDER_BITS) - 1;

/// The largest errno there is.
const MAX_ERRNO: usize = bindings::MAX_ERRNO as usize;

pub(crate) const VALID: u64 = raw::HMM_MIGRATE_WORD_VALID as u64;
pub(crate) const READ: u64 = raw::HMM_MIGRATE_WORD_READ as u64;
pub(crate) const WRITE: u64 = raw::HMM_MIGRATE_WORD_WRITE as u64;
pub(crate) const ERROR: u64 = raw::HMM_MIGRATE_WORD_ERROR as u64;
pub(crate) const EMPTY: u64 = raw::HMM_MIGRATE_WORD_EMPTY as u64;
pub(crate) const FAULT: u64 = raw::HMM_MIGRATE_WORD_FAULT as u64;
pub(crate) const DEVICE: u64 = raw::HMM_MIGRATE_WORD_DEVICE as u64;
pub(crate) const LOCKED: u64 = raw::HMM_MIGRATE_WORD_LOCKED as u64;
pub(crate) const MIGRATE: u64 = raw::HMM_MIGRATE_WORD_MIGRATE as u64;
pub(crate) const UNADDRESSABLE: u64 = raw::HMM_MIGRATE_WORD_UNADDRESSABLE as u64;

/// Why a page is still where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Reason {
    /// There is nothing that the call asks for.
    Nothing = raw::hmm_migrate_reason_HMM_MIGRATE_NOTHING as u8,
    /// A kind that is not moved.
    Kind = raw::hmm_migrate_reason_HMM_MIGRATE_KIND as u8,
    /// A device page of another owner.
    Foreign = raw::hmm_migrate_reason_HMM_MIGRATE_FOREIGN as u8,
    /// Swapped out, or its swap slot is shared.
    Swapped = raw::hmm_migrate_reason_HMM_MIGRATE_SWAPPED as u8,
    /// The memory is broken.
    Poisoned = raw::hmm_migrate_reason_HMM_MIGRATE_POISONED as u8,
    /// Locked or written back by somebody else.
    Locked = raw::hmm_migrate_reason_HMM_MIGRATE_LOCKED as u8,
    /// Taken off the LRU by somebody else.
    NotLru = raw::hmm_migrate_reason_HMM_MIGRATE_NOT_LRU as u8,
    /// Somebody else holds a reference or a pin.
    Pinned = raw::hmm_migrate_reason_HMM_MIGRATE_PINNED as u8,
    /// A large folio that could not be split.
    Partial = raw::hmm_migrate_reason_HMM_MIGRATE_PARTIAL as u8,
    /// No process maps it.
    NotMapped = raw::hmm_migrate_reason_HMM_MIGRATE_NOT_MAPPED as u8,
    /// The page table changed meanwhile.
    Raced = raw::hmm_migrate_reason_HMM_MIGRATE_RACED as u8,
    /// No memory, or no charge, for a page table.
    NoMemory = raw::hmm_migrate_reason_HMM_MIGRATE_NO_MEMORY as u8,
    /// The driver did not want it.
    Declined = raw::hmm_migrate_reason_HMM_MIGRATE_DECLINED as u8,
    /// The driver's destination breaks a rule.
    BadDestination = raw::hmm_migrate_reason_HMM_MIGRATE_BAD_DESTINATION as u8,
}

impl Reason {
    /// How many reasons there are.
    pub(crate) const COUNT: usize = raw::hmm_migrate_reason_HMM_MIGRATE_NR_REASONS as usize;

    /// The names, in the order of the values, as the counters show them.
    pub(crate) const NAMES: [&'static str; Self::COUNT] = [
        "nothing",
        "kind",
        "foreign",
        "swapped",
        "poisoned",
        "locked",
        "not_lru",
        "pinned",
        "partial",
        "not_mapped",
        "raced",
        "no_memory",
        "declined",
        "bad_destination",
    ];
}

/// What has become of one page of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// It is at its destination.
    Moved,
    /// It is where it was.
    Left(Reason),
}

impl Outcome {
    /// The byte that it is kept in: there is one for each page, compared with its neighbour.
    const fn code(self) -> u8 {
        match self {
            Outcome::Left(reason) => reason as u8,
            Outcome::Moved => Reason::COUNT as u8,
        }
    }
}

impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Outcome {}

/// How many outcomes, from the first on, are like the first.
fn count_like_first(outcomes: &[Outcome]) -> usize {
    const _: () = assert!(size_of::<Outcome>() == 1);
    // SAFETY: An outcome is one byte, which is initialised.
    let bytes: &[u8] =
        unsafe { core::slice::from_raw_parts(outcomes.as_ptr().cast(), outcomes.len()) };
    let Some(&first) = bytes.first() else {
        return 0;
    };
    // Mostly all are, so that it pays to look at a word at a time.
    let like = [first; 8];
    let words = bytes.chunks_exact(like.len());
    let count = like.len() * words.take_while(|word| *word == like).count();
    let rest = bytes.get(count..).unwrap_or_default();
    count + rest.iter().take_while(|byte| **byte == first).count()
}

/// What has become of the pages of a window, and of how many of them in a row.
pub(crate) fn runs(mut outcomes: &[Outcome]) -> impl Iterator<Item = (Outcome, usize)> + '_ {
    core::iter::from_fn(move || {
        let first = *outcomes.first()?;
        let count = count_like_first(outcomes);
        outcomes = outcomes.get(count..).unwrap_or_default();
        Some((first, count))
    })
}

/// What a driver says about a page that it was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It stays; with an errno if the driver gave one.
    Declined(Option<i32>),
    /// It goes to this page, which is yet to be checked.
    Given(PfnWord),
}

/// One word; see the C header for its layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct PfnWord(u64);

impl PfnWord {
    /// The number after the last that a word can have.
    pub(crate) const MAX_PFN: usize = PFN_MASK as usize + 1;

    /// The word of a page that is not offered, or of which there is nothing to say.
    pub(crate) const NOTHING: Self = Self(0);

    /// The word that offers a hole.
    pub(crate) const HOLE: Self = Self(EMPTY);

    /// The word that offers a page; `flags` are those of WRITE, DEVICE, UNADDRESSABLE and FAULT.
    pub(crate) const fn offer(pfn: usize, flags: u64) -> Self {
        Self((pfn as u64) << SHIFT | VALID | READ | LOCKED | MIGRATE | flags)
    }

    /// The same word for a folio, or a hole, of an order.
    pub(crate) const fn with_order(self, order: u32) -> Self {
        Self(self.0 | (order as u64 & ORDER_MASK) << ORDER_SHIFT)
    }

    /// What the driver's word says.
    ///
    /// A hole that the driver left alone has no MIGRATE, and is declined like any other.
    pub(crate) const fn answer(self) -> Answer {
        if self.0 & ERROR != 0 {
            let errno = self.pfn();
            // What is no errno says nothing.
            Answer::Declined(if errno >= 1 && errno <= MAX_ERRNO {
                Some(errno as i32)
            } else {
                None
            })
        } else if self.0 & MIGRATE == 0 {
            Answer::Declined(None)
        } else {
            Answer::Given(self)
        }
    }

    /// The word of a page that has moved, while the driver may still look at its destination.
    pub(crate) const fn moved_to(pfn: usize, flags: u64) -> Self {
        Self((pfn as u64) << SHIFT | VALID | LOCKED | MIGRATE | flags)
    }

    /// The word of a page that has not moved, with the destination that it did not get.
    pub(crate) const fn failed_for(pfn: usize, flags: u64) -> Self {
        Self((pfn as u64) << SHIFT | VALID | LOCKED | ERROR | flags)
    }

    /// The word that stays after the call: no pfn survives it.
    pub(crate) const fn outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Moved => Self(MIGRATE),
            Outcome::Left(Reason::Nothing) => Self::NOTHING,
            Outcome::Left(reason) => Self((reason as u64) << SHIFT | ERROR),
        }
    }

    /// The page frame number; of use only with VALID.
    pub(crate) const fn pfn(self) -> usize {
        (self.0 >> SHIFT & PFN_MASK) as usize
    }

    /// The order of the folio that begins at this page.
    pub(crate) const fn order(self) -> u32 {
        (self.0 >> ORDER_SHIFT & ORDER_MASK) as u32
    }

    /// Whether all of `flags` are set.
    pub(crate) const fn has(self, flags: u64) -> bool {
        self.0 & flags == flags
    }

    /// Whether a bit is set that no word may have.
    pub(crate) const fn is_malformed(self) -> bool {
        self.0 >> (ORDER_SHIFT + raw::HMM_MIGRATE_ORDER_BITS) != 0
    }
}

#[cfg(CONFIG_HMM_MIGRATE_KUNIT_TEST)]
#[kunit_tests(hmm_migrate_word)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_has_its_pfn_and_flags() {
        let word = PfnWord::offer(0x12345, WRITE | DEVICE);

        assert_eq!(word.pfn(), 0x12345);
        assert!(word.has(VALID | MIGRATE | LOCKED | READ | WRITE | DEVICE));
        assert!(!word.has(UNADDRESSABLE));
        assert_eq!(word.order(), 0);
    }

    #[test]
    fn the_largest_pfn_leaves_the_order_alone() {
        let word = PfnWord::offer((1 << raw::HMM_MIGRATE_PFN_BITS) - 1, 0);

        assert_eq!(word.pfn(), (1 << raw::HMM_MIGRATE_PFN_BITS) - 1);
        assert_eq!(word.order(), 0);
        assert!(!word.is_malformed());
    }

    #[test]
    fn a_word_without_migrate_is_declined() {
        assert_eq!(PfnWord(VALID | LOCKED).answer(), Answer::Declined(None));
        assert_eq!(PfnWord::NOTHING.answer(), Answer::Declined(None));
        assert_eq!(PfnWord::HOLE.answer(), Answer::Declined(None));
    }

    #[test]
    fn an_error_outweighs_migrate() {
        let word = PfnWord(12 << SHIFT | ERROR | MIGRATE | VALID);

        assert_eq!(word.answer(), Answer::Declined(Some(12)));
    }

    #[test]
    fn what_is_no_errno_is_declined_without() {
        for errno in [0, MAX_ERRNO as u64 + 1, -12_i64 as u64] {
            let word = PfnWord(errno << SHIFT | ERROR);

            assert_eq!(word.answer(), Answer::Declined(None));
        }
        let word = PfnWord((MAX_ERRNO as u64) << SHIFT | ERROR);
        assert_eq!(word.answer(), Answer::Declined(Some(MAX_ERRNO as i32)));
    }

    #[test]
    fn a_destination_is_given_with_its_order() {
        let word = PfnWord(9 << ORDER_SHIFT | 0x200 << SHIFT | VALID | MIGRATE | LOCKED);

        assert_eq!(word.answer(), Answer::Given(word));
        assert_eq!(word.order(), 9);
        assert_eq!(word.pfn(), 0x200);
    }

    #[test]
    fn an_order_leaves_the_rest_alone() {
        let word = PfnWord::offer(0x12345, WRITE).with_order(9);

        assert_eq!(word.order(), 9);
        assert_eq!(word.pfn(), 0x12345);
        assert!(word.has(VALID | MIGRATE | WRITE));
        assert!(!word.is_malformed());
        assert!(!PfnWord::HOLE.with_order(31).is_malformed());
    }

    #[test]
    fn the_top_byte_must_be_clear() {
        assert!(PfnWord(1 << 56).is_malformed());
        assert!(!PfnWord(0x1f << ORDER_SHIFT).is_malformed());
    }

    #[test]
    fn no_pfn_survives_the_call() {
        assert_eq!(PfnWord::outcome(Outcome::Moved), PfnWord(MIGRATE));
        assert_eq!(PfnWord::outcome(Outcome::Left(Reason::Nothing)), PfnWord(0));

        let left = PfnWord::outcome(Outcome::Left(Reason::Pinned));
        assert!(left.has(ERROR));
        assert!(!left.has(VALID));
        assert_eq!(left.pfn(), Reason::Pinned as usize);
    }

    #[test]
    fn a_failed_destination_is_shown_without_migrate() {
        let word = PfnWord::failed_for(7, WRITE);

        assert!(word.has(VALID | ERROR | WRITE));
        assert!(!word.has(MIGRATE));
        assert_eq!(word.pfn(), 7);
    }

    #[test]
    fn runs_are_counted_wherever_they_end() {
        for length in 1..40 {
            let mut outcomes = [Outcome::Left(Reason::Pinned); 40];
            outcomes[..length].fill(Outcome::Moved);
            let mut runs = runs(&outcomes);

            assert!(runs.next() == Some((Outcome::Moved, length)));
            assert!(runs.next() == Some((Outcome::Left(Reason::Pinned), 40 - length)));
            assert!(runs.next().is_none());
        }
        assert!(runs(&[]).next().is_none());
    }
}
