// SPDX-License-Identifier: GPL-2.0

//! Ranges of addresses: arithmetic alone.

use super::{
    raw,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE, //
};
use kernel::prelude::*;

/// Bytes that one page table maps.
const TABLE_SIZE: usize = raw::HMM_MIGRATE_TABLE_SIZE;

/// Pages of the longest window: one page table.
pub(crate) const WINDOW: usize = TABLE_SIZE >> PAGE_SHIFT;

/// The order of a folio that one entry of the table above maps.
pub(crate) const HUGE_ORDER: u32 = WINDOW.ilog2();

/// Addresses that follow each other.
///
/// # Invariants
///
/// `start < end`, and both are multiples of the page size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Checks two addresses.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] where they are reversed, the same, unaligned, or not inside `bounds`.
    pub(crate) fn new(start: usize, end: usize, bounds: core::ops::Range<usize>) -> Result<Self> {
        let aligned = (start | end) & (PAGE_SIZE - 1) == 0;

        if !aligned || start >= end || start < bounds.start || end > bounds.end {
            return Err(EINVAL);
        }
        // INVARIANT: Checked above.
        Ok(Self { start, end })
    }

    /// The first address.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The address after the last.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// How many pages there are.
    pub(crate) fn pages(&self) -> usize {
        (self.end - self.start) >> PAGE_SHIFT
    }

    /// Whether it is all that one page table maps.
    pub(crate) fn is_table(&self) -> bool {
        self.start & (TABLE_SIZE - 1) == 0 && self.end - self.start == TABLE_SIZE
    }

    /// Whether an address is inside.
    pub(crate) fn contains(&self, addr: usize) -> bool {
        (self.start..self.end).contains(&addr)
    }

    /// The page inside that is nearest to an address.
    fn nearest(&self, addr: usize) -> usize {
        addr.clamp(self.start, self.end - PAGE_SIZE) & PAGE_MASK
    }

    /// The part that begins at `at`, and ends with its page table, or after `pages`.
    ///
    /// It has one page at least, whatever is asked.
    pub(crate) fn window(&self, at: usize, pages: usize) -> Self {
        let start = self.nearest(at);
        let bytes = pages.max(1).saturating_mul(PAGE_SIZE);
        // INVARIANT: `start` is inside, and every bound is at least a page behind it.
        Self {
            start,
            end: self
                .end
                .min((start & !(TABLE_SIZE - 1)).saturating_add(TABLE_SIZE))
                .min(start.saturating_add(bytes)),
        }
    }

    /// The part around `at` that one page table maps, of at most `pages`.
    ///
    /// It has one page at least, whatever is asked.
    pub(crate) fn around(&self, at: usize, pages: usize) -> Self {
        let at = self.nearest(at);
        let table = self.window(self.start.max(at & !(TABLE_SIZE - 1)), usize::MAX);
        if table.pages() <= pages {
            return table;
        }
        // As much as possible lies before `at`.
        let end = at + PAGE_SIZE;
        // INVARIANT: Inside `table`, and not empty.
        Self {
            start: table
                .start
                .max(end.saturating_sub(pages.max(1).saturating_mul(PAGE_SIZE))),
            end,
        }
    }
}

#[cfg(CONFIG_HMM_MIGRATE_KUNIT_TEST)]
#[kunit_tests(hmm_migrate_span)]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    #[test]
    fn bad_addresses_are_refused() {
        let bounds = 4 * MB..8 * MB;

        assert!(Span::new(4 * MB, 8 * MB, bounds.clone()).is_ok());
        for (start, end) in [
            (4 * MB, 4 * MB),
            (5 * MB, 4 * MB),
            (4 * MB + 1, 5 * MB),
            (4 * MB, 5 * MB + 8),
            (3 * MB, 5 * MB),
            (7 * MB, 9 * MB),
            (0, usize::MAX & !(PAGE_SIZE - 1)),
        ] {
            assert_eq!(Span::new(start, end, bounds.clone()), Err(EINVAL));
        }
    }

    #[test]
    fn windows_end_with_their_page_table() {
        let range = span(3 * MB, 9 * MB);

        assert_eq!(range.window(3 * MB, 512), span(3 * MB, 4 * MB));
        assert_eq!(range.window(4 * MB, 512), span(4 * MB, 6 * MB));
        assert_eq!(range.window(8 * MB, 512), span(8 * MB, 9 * MB));
    }

    #[test]
    fn windows_are_no_longer_than_asked() {
        let range = span(4 * MB, 8 * MB);

        assert_eq!(
            range.window(4 * MB, 16),
            span(4 * MB, 4 * MB + 16 * PAGE_SIZE)
        );
        let last = 6 * MB - PAGE_SIZE;
        assert_eq!(range.window(last, 16), span(last, 6 * MB));
    }

    #[test]
    fn windows_cover_a_range_once() {
        let range = span(3 * MB + PAGE_SIZE, 9 * MB - PAGE_SIZE);
        let mut at = range.start();
        let mut pages = 0;

        while at < range.end() {
            let window = range.window(at, 100);
            assert_eq!(window.start(), at);
            assert!(window.pages() > 0 && window.pages() <= 100);
            pages += window.pages();
            at = window.end();
        }
        assert_eq!(at, range.end());
        assert_eq!(pages, range.pages());
    }

    #[test]
    fn the_top_of_the_address_space_does_not_overflow() {
        let top = usize::MAX & !(PAGE_SIZE - 1);
        let range = span(top - PAGE_SIZE, top);

        assert_eq!(range.window(top - PAGE_SIZE, usize::MAX), range);
        assert_eq!(range.around(top - PAGE_SIZE, 512), range);
    }

    #[test]
    fn the_bottom_of_the_address_space_does_not_underflow() {
        let range = span(PAGE_SIZE, 32 * PAGE_SIZE);

        assert_eq!(
            range.around(2 * PAGE_SIZE, 16),
            span(PAGE_SIZE, 3 * PAGE_SIZE)
        );
    }

    #[test]
    fn a_window_is_never_empty() {
        let range = span(4 * MB, 8 * MB);

        assert_eq!(range.window(4 * MB, 0).pages(), 1);
        assert_eq!(range.around(5 * MB, 0).pages(), 1);
        assert_eq!(range.window(0, 1), span(4 * MB, 4 * MB + PAGE_SIZE));
        assert_eq!(
            range.window(usize::MAX, 1),
            span(8 * MB - PAGE_SIZE, 8 * MB)
        );
    }

    #[test]
    fn a_window_around_an_address_has_it() {
        let range = span(MB, 9 * MB);

        assert_eq!(range.around(5 * MB, 512), span(4 * MB, 6 * MB));
        assert_eq!(range.around(MB, 512), span(MB, 2 * MB));
        for at in [4 * MB, 5 * MB, 6 * MB - PAGE_SIZE] {
            let window = range.around(at, 16);
            assert!(window.contains(at));
            assert!(window.pages() <= 16);
            assert!(window.start() >= 4 * MB && window.end() <= 6 * MB);
        }
    }
}
