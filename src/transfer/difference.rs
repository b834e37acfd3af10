//! What two stores hold otherwise: nothing but names comes out.

use std::collections::BTreeSet;

use super::Held;
use crate::words::secret::Name;
use crate::written::Likeness;

/// How a secret of two stores differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The first has it alone.
    OnlyInA,
    /// The second has it alone.
    OnlyInB,
    /// Its values are not the same.
    Differs,
    /// Its values are of other types, and the same text.
    DiffersInType,
    /// Whether its values are the same cannot be told.
    Unknown,
}

impl Difference {
    /// The word used for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Difference::OnlyInA => "only_in_a",
            Difference::OnlyInB => "only_in_b",
            Difference::Differs | Difference::DiffersInType => "differs",
            Difference::Unknown => "unknown",
        }
    }
}

/// What `a` and `b` were compared to have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What differs, by name, sorted.
    pub differences: Vec<(Name, Difference)>,
    /// How many are the same in both.
    pub same: usize,
}

impl Comparison {
    /// Compares what `a` and `b` hold under the names that `admits` says yes to.
    pub fn of(a: &Held, b: &Held, admits: impl Fn(&Name) -> bool) -> Self {
        let names: BTreeSet<&Name> = a.names().chain(b.names()).collect();
        let mut comparison = Self::default();
        for name in names.into_iter().filter(|name| admits(name)) {
            match difference(a, b, name) {
                Some(difference) => comparison.differences.push((name.clone(), difference)),
                None => comparison.same += 1,
            }
        }
        comparison
    }

    /// How many differ in this way.
    pub fn count(&self, difference: Difference) -> usize {
        let found = self.differences.iter();
        found.filter(|(_, found)| *found == difference).count()
    }
}

fn difference(a: &Held, b: &Held, name: &Name) -> Option<Difference> {
    let likeness = match (a, b) {
        (Held::Values(reading), other) | (other, Held::Values(reading)) => {
            match reading.values.get(name) {
                Some(value) => other.compare(name, value),
                None => None,
            }
        }
        // Neither tells its values.
        _ => (a.has(name) && b.has(name)).then_some(Likeness::Unknown),
    };
    match likeness {
        Some(Likeness::Same) => None,
        Some(Likeness::Other) => match (a.value(name), b.value(name)) {
            (Some(a), Some(b)) if a.reads_as(b) => Some(Difference::DiffersInType),
            _ => Some(Difference::Differs),
        },
        Some(Likeness::Unknown) => Some(Difference::Unknown),
        None if a.has(name) => Some(Difference::OnlyInA),
        None => Some(Difference::OnlyInB),
    }
}
