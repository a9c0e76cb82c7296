//! Tables in a file of SQLite, or in memory.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;

use super::SCHEMAS;
use crate::error::StartError;
use crate::id;
use crate::sql::Lite;

/// A database of SQLite. It begins with its first connection.
pub(super) struct File {
    path: PathBuf,
    /// Of each session.
    views: String,
    /// It has its tables.
    is_furnished: AtomicBool,
    /// Removed with it.
    _folder: Option<TempDir>,
}

impl File {
    pub(super) fn at(path: PathBuf, views: String) -> Self {
        Self { path, views, is_furnished: AtomicBool::new(false), _folder: None }
    }

    pub(super) fn memory(views: String) -> Self {
        Self::at(format!("file:{}?mode=memory&cache=shared", id::fresh("target")).into(), views)
    }

    pub(super) fn temporary(views: String) -> Result<Self, StartError> {
        let folder = tempfile::Builder::new().prefix("coalmine-target-").tempdir()?;
        let path = folder.path().join("target.sqlite");
        Ok(Self { _folder: Some(folder), ..Self::at(path, views) })
    }

    /// A session. The first, which must stand before others are opened, makes the tables.
    pub(super) fn connect(&self) -> Result<Lite, StartError> {
        let connection = self.open()?;
        if !self.is_furnished.swap(true, Ordering::Relaxed) {
            connection.execute_batch(&format!("BEGIN; {} COMMIT;", SCHEMAS.concat()))?;
        }
        Ok(Lite::new(connection, &self.views)?)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // In memory, connections share their pages, and who reads would make who writes fail. Elsewhere this has no effect.
        connection.pragma_update(None, "read_uncommitted", true)?;
        Ok(connection)
    }
}
