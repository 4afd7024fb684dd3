// SPDX-License-Identifier: GPL-2.0

//! Where a window is.

use super::{
    vma::LockedWindow,
    PAGE_SHIFT, //
};

/// Where a window is.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In a process's address space, whose mmap lock is held.
    Vma(LockedWindow<'a>),
    /// The same, where the pages asked for are those of a device that are mapped there, one after
    /// the other.
    Run {
        /// Where they are mapped.
        window: LockedWindow<'a>,
        /// The number of the window's first page within the call.
        first: usize,
        /// The frame number of that page.
        pfn: usize,
    },
    /// In a device's memory; pages are found, and mapped again, through the reverse mapping.
    Device {
        /// The number of the window's first page within the call.
        first: usize,
        /// How many pages it has.
        pages: usize,
    },
}

impl<'a> Place<'a> {
    /// The part of an address space, where it is one.
    pub(crate) fn window(&self) -> Option<&LockedWindow<'a>> {
        match self {
            Place::Vma(window) | Place::Run { window, .. } => Some(window),
            Place::Device { .. } => None,
        }
    }

    /// Where it begins, as the driver is told: an address, or, for device memory, the bytes from
    /// the first page of the call.
    pub(crate) fn start(&self) -> usize {
        match self {
            Place::Vma(window) => window.start(),
            Place::Run { first, .. } | Place::Device { first, .. } => first << PAGE_SHIFT,
        }
    }

    /// Whether the page frame `pfn`, mapped at the page with this number, is one that is asked for.
    pub(crate) fn expects(&self, index: usize, pfn: usize) -> bool {
        match self {
            Place::Run { pfn: first, .. } => pfn == first + index,
            Place::Vma(_) | Place::Device { .. } => true,
        }
    }

    /// How many pages the window has.
    pub(crate) fn pages(&self) -> usize {
        match self {
            Place::Vma(window) | Place::Run { window, .. } => window.pages(),
            Place::Device { pages, .. } => *pages,
        }
    }
}
