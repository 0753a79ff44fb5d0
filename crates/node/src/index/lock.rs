//! One node at a time per index.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Keeps other nodes away from an index while it, or a clone of it, is there. The system lets go of it when the
/// process ends in whatever way.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    _file: Arc<File>,
}

impl Lock {
    /// Takes the lock of `file`, which is created when missing; `None` when somebody else has it.
    pub(crate) fn take(file: &Path) -> io::Result<Option<Self>> {
        let file = File::options().create(true).truncate(false).write(true).open(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: Arc::new(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
