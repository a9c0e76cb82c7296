//! Values that every principal has without capturing them.

/// Their names, in the order of [`coalmine_core::Principal::attributes`].
pub(crate) const ATTRIBUTES: [&str; 6] =
    ["tenant.name", "tenant.index", "user.name", "user.index", "user.password", "run.id"];

/// The slot of an attribute.
pub(crate) fn slot(name: &str) -> Option<u16> {
    let at = ATTRIBUTES.iter().position(|attribute| *attribute == name)?;
    u16::try_from(at).ok()
}
