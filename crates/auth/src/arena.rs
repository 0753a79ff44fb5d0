//! The memory in which passwords are hashed.
//!
//! A hash needs 64 MiB for a part of a second. Asking the kernel for it each time means thousands of page faults, a
//! quarter of the time of a hash. So the memory goes from one hash to the next for as long as hashes wait, and back to
//! the kernel after the last one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::Block;

type Blocks = Vec<Block>;

/// Memory of hashes that ended while others waited.
#[derive(Clone, Default)]
pub(crate) struct Arenas(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Hashes that run or wait.
    pending: AtomicUsize,
    spare: Mutex<Vec<Blocks>>,
}

impl Arenas {
    /// Announces a hash. It counts as pending until the turn is dropped.
    pub(crate) fn turn(&self) -> Turn {
        self.0.pending.fetch_add(1, Ordering::AcqRel);
        Turn { arenas: self.clone(), blocks: Blocks::new() }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Blocks>> {
        self.0.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One hash that runs or waits.
pub(crate) struct Turn {
    arenas: Arenas,
    blocks: Blocks,
}

impl Turn {
    /// `count` blocks of 1 KiB with any contents: Argon2 writes each block before it reads it.
    pub(crate) fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.is_empty() {
            self.blocks = self.arenas.spare().pop().unwrap_or_default();
        }
        // Another cost than that of the hash before (a password set under older parameters) is rare; its memory is
        // made anew, so that no arena keeps more than a hash of today's cost needs.
        if self.blocks.len() != count {
            self.blocks = vec![Block::default(); count];
        }
        &mut self.blocks
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        let last = self.arenas.0.pending.fetch_sub(1, Ordering::AcqRel) == 1;
        if last {
            // Freed without the lock: whoever comes next need not wait for the kernel.
            let spare = std::mem::take(&mut *self.arenas.spare());
            drop((blocks, spare));
        } else if !blocks.is_empty() {
            self.arenas.spare().push(blocks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_handed_on_while_others_wait_and_given_back_after_the_last() {
        let arenas = Arenas::default();
        let (mut first, mut second) = (arenas.turn(), arenas.turn());
        let at = first.blocks(8).as_ptr();
        drop(first);
        assert_eq!(arenas.spare().len(), 1);
        assert_eq!(second.blocks(8).as_ptr(), at, "the same memory");
        assert_eq!(arenas.spare().len(), 0);
        drop(second);
        assert_eq!(arenas.spare().len(), 0, "nothing is kept for nobody");
    }

    #[test]
    fn a_turn_that_never_ran_leaves_nothing_behind() {
        let arenas = Arenas::default();
        let (mut ran, refused) = (arenas.turn(), arenas.turn());
        assert_eq!(ran.blocks(4).len(), 4);
        drop(ran);
        assert_eq!(arenas.spare().len(), 1);
        drop(refused);
        assert_eq!(arenas.spare().len(), 0);
    }

    #[test]
    fn another_cost_gets_its_own_size() {
        let arenas = Arenas::default();
        let (mut old, mut new) = (arenas.turn(), arenas.turn());
        assert_eq!(old.blocks(16).len(), 16);
        drop(old);
        assert_eq!(new.blocks(8).len(), 8);
    }
}
