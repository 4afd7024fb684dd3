// SPDX-License-Identifier: GPL-2.0

//! What is the same for all windows of one call.

use super::{
    folio::Folio,
    held_folio::HeldFolio,
    place::Place,
    raw,
    word::{
        PfnWord,
        Reason, //
    }, //
};
use core::cell::Cell;
use kernel::{
    bindings,
    ffi::c_void,
    prelude::*, //
};

/// Which pages a call takes, and where it promises to put them.
pub(crate) struct Policy {
    owner: *mut c_void,
    flags: u32,
}

impl Policy {
    /// Checks what a driver asks for.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] for flags that do not exist, and for device pages without an owner.
    pub(crate) fn new(flags: usize, owner: *mut c_void) -> Result<Self> {
        const SYSTEM: u32 = raw::hmm_migrate_flags_HMM_MIGRATE_FROM_SYSTEM;
        const DEVICE: u32 = raw::hmm_migrate_flags_HMM_MIGRATE_FROM_DEVICE;
        const KNOWN: u32 = SYSTEM
            | DEVICE
            | raw::hmm_migrate_flags_HMM_MIGRATE_TO_SYSTEM
            | raw::hmm_migrate_flags_HMM_MIGRATE_LARGE;

        let mut flags = u32::try_from(flags).map_err(|_| EINVAL)?;
        if flags & !KNOWN != 0 || (flags & DEVICE != 0 && owner.is_null()) {
            return Err(EINVAL);
        }
        if flags & (SYSTEM | DEVICE) == 0 {
            flags |= if owner.is_null() {
                SYSTEM
            } else {
                SYSTEM | DEVICE
            };
        }
        Ok(Self { owner, flags })
    }

    /// The same, for the memory of a device alone.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] where no page is left that could be taken: a driver repeats its call until the
    /// device is empty.
    pub(crate) fn device_alone(self) -> Result<Self> {
        let flags = self.flags & !raw::hmm_migrate_flags_HMM_MIGRATE_FROM_SYSTEM;
        if flags & raw::hmm_migrate_flags_HMM_MIGRATE_FROM_DEVICE == 0 {
            return Err(EINVAL);
        }
        Ok(Self { flags, ..self })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The owner of the driver's device pages, or NULL.
    pub(crate) fn owner(&self) -> *mut c_void {
        self.owner
    }

    /// Whether system pages, holes and the zero page are taken.
    pub(crate) fn takes_system(&self) -> bool {
        self.has(raw::hmm_migrate_flags_HMM_MIGRATE_FROM_SYSTEM)
    }

    /// Whether every destination is ordinary system memory.
    pub(crate) fn to_system(&self) -> bool {
        self.has(raw::hmm_migrate_flags_HMM_MIGRATE_TO_SYSTEM)
    }

    /// Whether the driver understands words with an order.
    pub(crate) fn large(&self) -> bool {
        self.has(raw::hmm_migrate_flags_HMM_MIGRATE_LARGE)
    }

    /// Whether a folio is memory of the driver's device.
    #[inline(always)]
    pub(crate) fn owns(&self, folio: Folio<'_>) -> bool {
        !self.owner.is_null() && folio.owner() == self.owner
    }

    /// Whether a mapped folio is of a kind that the call takes.
    ///
    /// What cannot go to the destination is refused here, before anything is unmapped: pages of a
    /// file go to ordinary system memory alone.
    ///
    /// What KSM shares stays. Its thread forgets an address at which it meets a migration entry
    /// (`get_next_rmap_item()`), so that the reverse mapping would not find that entry again.
    ///
    /// Of a folio that is not locked, nor mapped in a page table whose lock is held, the answer may
    /// be out of date at once.
    ///
    /// # Errors
    ///
    /// Why the folio stays.
    #[inline(always)]
    pub(crate) fn takes(&self, folio: Folio<'_>) -> Result<(), Reason> {
        if folio.is_zone_device() {
            if !folio.is_device_private() && !folio.is_device_coherent() {
                return Err(Reason::Kind);
            }
            if !self.owns(folio) {
                return Err(Reason::Foreign);
            }
            if !self.has(raw::hmm_migrate_flags_HMM_MIGRATE_FROM_DEVICE) {
                return Err(Reason::Nothing);
            }
        } else if !self.takes_system() {
            return Err(Reason::Nothing);
        }
        if folio.is_plain_anon() {
            return Ok(());
        }
        if folio.is_ksm() || !self.to_system() || !folio.may_move_in_system() {
            return Err(Reason::Kind);
        }
        Ok(())
    }
}

/// The page on which the CPU waits.
///
/// Whoever handles the fault holds one reference and the lock of the folio that `page` is in, and
/// gives them back itself.
///
/// # Invariants
///
/// That lock and reference are held while this value exists.
pub(crate) struct Fault {
    page: *mut bindings::page,
    addr: usize,
}

impl Fault {
    /// The fault that a driver handles.
    ///
    /// # Safety
    ///
    /// `page` is locked, and referenced, by the caller for as long as the value exists.
    pub(crate) unsafe fn new(page: *mut bindings::page, addr: usize) -> Self {
        // INVARIANT: The caller's promise.
        Self { page, addr }
    }

    /// The folio that the fault handler has locked; a split makes it another, so that what was
    /// found before is of no use after one.
    pub(crate) fn folio(&self) -> Folio<'_> {
        // SAFETY: By the type invariants the page is referenced, and its folio is locked, so that
        // nobody but us can split it.
        unsafe { Folio::of_page(self.page) }
    }

    /// Whether the page is broken.
    pub(crate) fn is_poisoned(&self) -> bool {
        // SAFETY: By the type invariants the page is referenced.
        unsafe { raw::page_hwpoison(self.page) }
    }

    /// The page that the fault handler unlocks.
    pub(crate) fn page(&self) -> *mut bindings::page {
        self.page
    }
}

/// Why a window is to be worked through once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// A per-CPU batch may hold the reference that is in the way.
    Drain,
    /// A large folio is in it that cannot move whole; it must be split while no other folio is
    /// locked.
    Split,
    /// The driver has had no destination as large as a source: what is left as
    /// [`Reason::Partial`] is to be split, and offered page by page.
    Smaller,
}

/// That the page frames which a caller names may be looked at.
///
/// # Invariants
///
/// Each is memory, of a device or not, that stays while this value exists.
pub(crate) struct DeviceStays(());

impl DeviceStays {
    /// What a caller has promised.
    ///
    /// # Safety
    ///
    /// The invariants are so.
    pub(crate) unsafe fn new() -> Self {
        // INVARIANT: The caller's promise.
        Self(())
    }
}

/// One call of a driver.
pub(crate) struct Call {
    pub(crate) policy: Policy,
    pub(crate) fault: Option<Fault>,
    device: Option<DeviceStays>,
    retry: Cell<Option<Retry>>,
    may_drain: Cell<bool>,
    may_split: Cell<bool>,
    again: Cell<bool>,
    split_failure: Cell<Reason>,
    fault_error: Cell<Option<i32>>,
}

impl Call {
    /// A call that has not begun.
    pub(crate) fn new(policy: Policy, fault: Option<Fault>) -> Self {
        Self {
            policy,
            fault,
            device: None,
            retry: Cell::new(None),
            may_drain: Cell::new(true),
            may_split: Cell::new(true),
            again: Cell::new(false),
            split_failure: Cell::new(Reason::Partial),
            fault_error: Cell::new(None),
        }
    }

    /// A call over the memory of a device, by frame numbers.
    pub(crate) fn over_device(policy: Policy, stays: DeviceStays) -> Self {
        Self {
            device: Some(stays),
            ..Self::new(policy, None)
        }
    }

    /// The device folio that has a page frame, in a call over the memory of a device.
    ///
    /// [`None`] where the frame is no device's, or is free, or has become part of another folio
    /// meanwhile.
    pub(crate) fn device_folio(&self, pfn: usize) -> Option<HeldFolio> {
        HeldFolio::of_device_pfn(pfn, self.device.as_ref()?)
    }

    /// Begins a window, whose large folios may be split once.
    pub(crate) fn begin_window(&self) {
        self.may_split.set(true);
        self.again.set(false);
        self.split_failure.set(Reason::Partial);
    }

    /// Whether the window is worked through again for what is left as [`Reason::Partial`].
    pub(crate) fn is_again(&self) -> bool {
        self.again.get()
    }

    /// Asks for a drain of all per-CPU batches, unless this call has had one, or the driver has
    /// seen the window.
    pub(crate) fn ask_for_drain(&self) {
        if self.may_drain.get() && !self.again.get() {
            self.retry.set(Some(Retry::Drain));
        }
    }

    /// Asks for a split of the window's large folios, unless this window has had one.
    pub(crate) fn ask_for_split(&self) {
        if self.may_split.get() {
            self.retry.set(Some(Retry::Split));
        }
    }

    /// Asks for another go at the window for what is left as [`Reason::Partial`], in pages.
    pub(crate) fn ask_for_smaller(&self) {
        if !self.again.get() {
            self.retry.set(Some(Retry::Smaller));
        }
    }

    /// Notes why a large folio of the window could not be split.
    pub(super) fn set_split_failure(&self, reason: Reason) {
        self.split_failure.set(reason);
    }

    /// Why a large folio is left after its window has been split.
    pub(crate) fn split_failure(&self) -> Reason {
        self.split_failure.get()
    }

    /// Whether the window is to be dropped and worked through once more.
    pub(crate) fn will_retry(&self) -> bool {
        self.retry.get().is_some()
    }

    /// What is to be done before the window is worked through once more; it is granted once.
    pub(crate) fn take_retry(&self) -> Option<Retry> {
        let retry = self.retry.take();
        match retry {
            Some(Retry::Drain) => self.may_drain.set(false),
            Some(Retry::Split) => self.may_split.set(false),
            Some(Retry::Smaller) => {
                self.may_split.set(false);
                self.again.set(true);
            }
            None => {}
        }
        retry
    }

    /// Whether this is the folio whose lock and reference are the fault handler's.
    pub(super) fn is_borrowed(&self, folio: Folio<'_>) -> bool {
        self.fault
            .as_ref()
            .is_some_and(|fault| fault.folio() == folio)
    }

    /// Whether the CPU waits for a page that is one of `addrs`.
    pub(super) fn is_fault_in(&self, addrs: core::ops::Range<usize>) -> bool {
        let fault = self.fault.as_ref();
        fault.is_some_and(|fault| addrs.contains(&fault.addr))
    }

    /// Notes that the driver left the page that the CPU waits for; 0 if it did not say why.
    pub(super) fn set_fault_error(&self, errno: i32) {
        self.fault_error.set(Some(errno));
    }

    /// Why the driver left the page that the CPU waits for, if it did.
    pub(crate) fn fault_error(&self) -> Option<i32> {
        self.fault_error.get()
    }
}

/// A driver's part in a migration: what the pipeline calls.
///
/// # Safety
///
/// * Every word that [`Self::alloc_and_copy`] gives as a destination is a live page, whose lock and
///   one of whose references are given to the pipeline; the copy to it is complete.
/// * Neither function gives back a lock or a reference of a source, or the mmap lock.
/// * The words are not used when a function has returned, nor by anybody else meanwhile.
pub(crate) unsafe trait MigrateOps {
    /// Allocates destinations for the pages that `words` offer, and copies to them.
    ///
    /// # Safety
    ///
    /// There is a word for each page of `place`. What they offer is locked until the function
    /// has returned.
    unsafe fn alloc_and_copy(&self, place: &Place<'_>, words: &[Cell<PfnWord>]);

    /// Learns what has moved, before the processes' entries lead to it; holes are filled by then.
    ///
    /// # Safety
    ///
    /// [`Self::alloc_and_copy`] has returned. The words are as many, and say what became of those
    /// that it wrote; the destinations that they name are still locked.
    unsafe fn finalize_and_map(&self, place: &Place<'_>, words: &[Cell<PfnWord>]);
}
