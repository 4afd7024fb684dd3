// SPDX-License-Identifier: GPL-2.0

//! The module's files in debugfs, below `hmm_migrate/`.
//!
//! * `enable`: whether the counters are on; write 1 or 0.
//! * `stats`: the counters; write anything to set them to zero.
//! * `drop_after` and `pause_after`, where the test device is configured: the stage after which
//!   batches are dropped, or held up.

use super::stats;
#[cfg(CONFIG_HMM_MIGRATE_TEST)]
use super::test_hook::{
    self,
    Hook, //
};
use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    fmt,
    prelude::*,
    uaccess::UserSliceReader, //
};

/// The files, which go with this value.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    stats: File<()>,
    #[pin]
    enable: File<()>,
    #[cfg(CONFIG_HMM_MIGRATE_TEST)]
    #[pin]
    drop_after: File<&'static Hook>,
    #[cfg(CONFIG_HMM_MIGRATE_TEST)]
    #[pin]
    pause_after: File<&'static Hook>,
    _dir: Dir,
}

impl Files {
    /// Makes the files.
    ///
    /// Without debugfs there are none, which is no error.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"hmm_migrate");
        try_pin_init!(Self {
            stats <- dir.read_write_callback_file(c"stats", (), &show_stats, &reset_stats),
            enable <- dir.read_write_callback_file(c"enable", (), &show_switch, &switch_stats),
            #[cfg(CONFIG_HMM_MIGRATE_TEST)]
            drop_after <- dir.read_write_callback_file(
                c"drop_after",
                &test_hook::DROP,
                &show_hook,
                &set_hook,
            ),
            #[cfg(CONFIG_HMM_MIGRATE_TEST)]
            pause_after <- dir.read_write_callback_file(
                c"pause_after",
                &test_hook::PAUSE,
                &show_hook,
                &set_hook,
            ),
            _dir: dir,
        })
    }
}

fn show_stats(_: &(), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    stats::show(f)
}

fn reset_stats(_: &(), _: &mut UserSliceReader) -> Result {
    stats::reset();
    Ok(())
}

fn show_switch(_: &(), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", u8::from(stats::is_on()))
}

fn switch_stats(_: &(), reader: &mut UserSliceReader) -> Result {
    match reader.read::<u8>()? {
        b'0' => stats::switch(false),
        b'1' => stats::switch(true),
        _ => return Err(EINVAL),
    }
    Ok(())
}

#[cfg(CONFIG_HMM_MIGRATE_TEST)]
fn show_hook(hook: &&Hook, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", hook.name())
}

#[cfg(CONFIG_HMM_MIGRATE_TEST)]
fn set_hook(hook: &&Hook, reader: &mut UserSliceReader) -> Result {
    let mut name = [0; 16];
    let length = reader.len().min(name.len());
    let name = name.get_mut(..length).ok_or(EINVAL)?;
    reader.read_slice(name)?;
    let name = core::str::from_utf8(name).map_err(|_| EINVAL)?;
    if hook.set(name.trim_end()) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}
