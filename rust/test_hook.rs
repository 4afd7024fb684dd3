// SPDX-License-Identifier: GPL-2.0

//! Dropping a batch half-way, or holding it up there, for the selftests.

use super::{
    stats::Stage,
    task, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The stages after which something may be done; the first stands for none.
const STAGES: [(&str, Option<Stage>); 6] = [
    ("none", None),
    ("collect", Some(Stage::Collect)),
    ("isolate", Some(Stage::Isolate)),
    ("unmap", Some(Stage::Unmap)),
    ("copy", Some(Stage::Copy)),
    ("finalize", Some(Stage::Finalize)),
];

/// Something that is done after the stage that is set.
pub(crate) struct Hook {
    /// Its index.
    stage: Atomic<i32>,
}

/// Every batch is dropped.
pub(crate) static DROP: Hook = Hook::new();

/// Every batch waits until no stage, or another one, is set, or its task is killed.
pub(crate) static PAUSE: Hook = Hook::new();

impl Hook {
    const fn new() -> Self {
        Self {
            stage: Atomic::new(0),
        }
    }

    fn current(&self) -> (&'static str, Option<Stage>) {
        STAGES
            .get(self.stage.load(Relaxed) as usize)
            .copied()
            .unwrap_or(("none", None))
    }

    /// Sets the stage; false if there is no such stage.
    pub(crate) fn set(&self, name: &str) -> bool {
        let found = STAGES.iter().position(|(stage, _)| *stage == name);
        if let Some(number) = found {
            self.stage.store(number as i32, Relaxed);
        }
        found.is_some()
    }

    /// The name of the stage that is set.
    pub(crate) fn name(&self) -> &'static str {
        self.current().0
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.current().1 == Some(stage)
    }
}

/// Whether batches go on after this stage.
///
/// # Context
///
/// May sleep.
pub(crate) fn goes_on(stage: Stage) -> bool {
    while PAUSE.is_at(stage) && !task::is_killed() {
        task::give_way();
    }
    !DROP.is_at(stage)
}
