//! Values that every principal has without capturing them.

/// Their names, in the order of [`coalmine_core::Principal::attributes`]; those that a scenario gives to tenants come after them.
pub(crate) const ATTRIBUTES: [&str; 8] =
    ["tenant.name", "tenant.index", "user.name", "user.index", "user.password", "run.id", ROLE, "user.session"];

/// Empty for users without one.
pub(crate) const ROLE: &str = "user.role";
