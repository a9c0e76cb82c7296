//! Where there is no Unix, there is no server.

use std::path::Path;

use crate::error::ServerError;

/// A server, which there is not.
pub(crate) enum Kept {}

/// A folder for a server, which there is not.
pub(crate) enum Room {}

impl Room {
    pub(crate) fn new() -> Result<Self, ServerError> {
        Err(ServerError::NotHere)
    }

    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn write(&self, _: &str, _: &str) -> Result<(), ServerError> {
        match *self {}
    }

    pub(crate) fn keep(
        self,
        _: &'static str,
        _: &str,
        _: &[&str],
        _: impl Fn(&Path) -> bool,
    ) -> Result<Kept, ServerError> {
        match self {}
    }
}
