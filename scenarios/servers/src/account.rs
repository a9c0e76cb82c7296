//! Under whose name servers run.

use std::fs;

/// Accounts without privileges, the best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Account {
    /// One that root can take instead of its own.
    pub(crate) fn unprivileged() -> Option<Self> {
        let known = fs::read_to_string("/etc/passwd").ok()?;
        UNPRIVILEGED.into_iter().find_map(|name| Self::named(name, &known))
    }

    fn named(name: &str, known: &str) -> Option<Self> {
        known.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Self { user, group })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_read_from_the_line_of_its_name() {
        let known =
            "root:x:0:0:root:/root:/bin/sh\nmynobody:x:7:8::/:/bin/false\nnobody:x:65534:65533:nobody:/:/bin/false\n";
        assert_eq!(Account::named("nobody", known), Some(Account { user: 65534, group: 65533 }));
        assert_eq!(Account::named("postgres", known), None);
    }
}
