//! The structure that does nothing. It breaks no promise, and must not pass.

use std::marker::PhantomData;

use crate::sync::SyncTypes;

pub(crate) struct Hollow<S>(PhantomData<fn() -> S>);

impl<S: SyncTypes> Hollow<S> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}
