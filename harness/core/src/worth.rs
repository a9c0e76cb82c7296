//! What tenants are worth, and how much of that came through a run unharmed.

use serde::{Deserialize, Serialize};

use crate::verdict::{Shortfall, ShortfallKind};

/// What is demanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorthRule {
    /// The attribute of tenants that says it, such as `tenant.arr`: a whole number.
    pub attribute: String,
    /// So much must come through unharmed.
    pub min: u64,
}

/// What the tenants of a run are worth. Tenants with the same attributes are one, in whichever round they act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Summed")]
pub struct Worth {
    /// The attribute that says it.
    pub attribute: String,
    /// So much must come through unharmed.
    pub min: u64,
    /// Those who have it, in the order in which they acted first.
    pub tenants: Vec<Valued>,
}

/// As it is written: with the sums.
#[derive(Serialize)]
struct Summed {
    attribute: String,
    min: u64,
    total: u64,
    protected: u64,
    tenants: Vec<Valued>,
}

impl From<Worth> for Summed {
    fn from(worth: Worth) -> Self {
        let (total, protected) = (worth.total(), worth.protected());
        Self { attribute: worth.attribute, min: worth.min, total, protected, tenants: worth.tenants }
    }
}

/// A tenant with what it is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valued {
    /// The values of its attributes, in the scenario's order.
    pub attributes: Vec<String>,
    /// What it is worth.
    pub value: u64,
    /// Passes of its users that were due and that were not to be given up.
    pub due: u64,
    /// Those that were gone through whole.
    pub whole: u64,
    /// Findings in which data of its users reached others, or theirs reached it, or in which it was otherwise harmed.
    pub findings: u32,
}

impl Valued {
    /// Whether it acted, went through all that was due, and is in no finding.
    pub fn is_unharmed(&self) -> bool {
        self.due > 0 && self.whole == self.due && self.findings == 0
    }
}

impl Worth {
    /// What those are worth that came through unharmed.
    pub fn protected(&self) -> u64 {
        sum(self.tenants.iter().filter(|tenant| tenant.is_unharmed()))
    }

    /// What all are worth.
    pub fn total(&self) -> u64 {
        sum(&self.tenants)
    }

    /// Whether as much came through unharmed as is demanded.
    pub fn is_enough(&self) -> bool {
        self.protected() >= self.min
    }

    /// That it is not enough.
    pub fn shortfall(&self) -> Option<Shortfall> {
        let (protected, total, min) = (self.protected(), self.total(), self.min);
        let message = format!("tenants worth {protected} of {total} came through unharmed; the policy demands {min}");
        (!self.is_enough()).then_some(Shortfall { kind: ShortfallKind::Worth, operation: None, message })
    }

    /// Takes what another part of the run has shown of the same tenants.
    pub fn add(&mut self, other: Self) {
        for tenant in other.tenants {
            match self.tenants.iter_mut().find(|known| known.attributes == tenant.attributes) {
                Some(known) => {
                    known.due += tenant.due;
                    known.whole += tenant.whole;
                    known.findings = known.findings.saturating_add(tenant.findings);
                }
                None => self.tenants.push(tenant),
            }
        }
    }
}

fn sum<'a>(tenants: impl IntoIterator<Item = &'a Valued>) -> u64 {
    tenants.into_iter().fold(0, |sum: u64, tenant| sum.saturating_add(tenant.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valued(name: &str, value: u64, (whole, due): (u64, u64), findings: u32) -> Valued {
        Valued { attributes: vec![name.to_owned()], value, due, whole, findings }
    }

    #[test]
    fn only_who_came_through_everything_unharmed_is_protected() {
        let tenants = vec![
            valued("whole", 240, (9, 9), 0),
            valued("robbed", 180, (9, 9), 1),
            valued("broken", 120, (8, 9), 0),
            valued("absent", 60, (0, 0), 0),
        ];
        let worth = Worth { attribute: "tenant.arr".to_owned(), min: 240, tenants };
        assert_eq!((worth.protected(), worth.total()), (240, 600));
        assert!(worth.is_enough());
        assert!(!Worth { min: 241, ..worth }.is_enough());
    }

    #[test]
    fn it_is_written_with_its_sums_and_read_as_it_was() {
        let tenants = vec![valued("one", 5, (1, 1), 0), valued("other", 7, (0, 1), 0)];
        let worth = Worth { attribute: "tenant.arr".to_owned(), min: 3, tenants };
        let written = serde_json::to_value(&worth).unwrap();
        assert_eq!((&written["total"], &written["protected"]), (&12.into(), &5.into()));
        assert_eq!(serde_json::from_value::<Worth>(written).unwrap(), worth);
    }

    #[test]
    fn who_acts_again_is_counted_once_and_harmed_for_good() {
        let of = |tenants| Worth { tenants, ..Worth::default() };
        let mut worth = of(vec![valued("one", 5, (1, 1), 0)]);
        worth.add(of(vec![valued("one", 5, (2, 2), 0), valued("other", 7, (1, 1), 0)]));
        assert_eq!((worth.protected(), worth.total()), (12, 12));
        worth.add(of(vec![valued("one", 5, (1, 1), 1)]));
        assert_eq!((worth.protected(), worth.total()), (7, 12));
        assert_eq!(worth.tenants[0].due, 4);
    }
}
