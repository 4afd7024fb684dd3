// SPDX-License-Identifier: GPL-2.0

//! Dropping a batch half-way, for the selftests.

use super::stats::Stage;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The stages after which a batch may be dropped; the first stands for none.
const STAGES: [(&str, Option<Stage>); 6] = [
    ("none", None),
    ("collect", Some(Stage::Collect)),
    ("isolate", Some(Stage::Isolate)),
    ("unmap", Some(Stage::Unmap)),
    ("copy", Some(Stage::Copy)),
    ("finalize", Some(Stage::Finalize)),
];

/// The index of what is set.
static DROP_AFTER: Atomic<i32> = Atomic::new(0);

fn current() -> (&'static str, Option<Stage>) {
    STAGES
        .get(DROP_AFTER.load(Relaxed) as usize)
        .copied()
        .unwrap_or(("none", None))
}

/// Sets the stage after which every batch is dropped; false if there is no such stage.
pub(crate) fn set(name: &str) -> bool {
    let found = STAGES.iter().position(|(stage, _)| *stage == name);
    if let Some(number) = found {
        DROP_AFTER.store(number as i32, Relaxed);
    }
    found.is_some()
}

/// The name of the stage that is set.
pub(crate) fn name() -> &'static str {
    current().0
}

/// Whether batches go on after this stage.
pub(crate) fn goes_on(stage: Stage) -> bool {
    current().1 != Some(stage)
}
