//! Accounts with many racks: how many, or which.

use serde::Deserialize;

use super::file::{Rack, Scenario, Service};

/// The racks of an account that has many.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "a number of racks, or a list of racks with names"
)]
pub enum Racks {
    /// So many like the one that the scenario describes, called `NAME-001` and so on.
    Count(u32),
    /// These.
    Named(Vec<NamedRack>),
}

/// One rack of many. What it does not say is as the scenario's `rack` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRack {
    /// The stack's name; with `count`, what the names begin with.
    pub name: String,
    /// So many of them, called `NAME-001` and so on.
    #[serde(default)]
    pub count: Option<u32>,
    /// How many instances it has.
    #[serde(default)]
    pub instances: Option<u32>,
    /// How many instances an update replaces at a time.
    #[serde(default)]
    pub batch: Option<u32>,
    /// The apps' services.
    #[serde(default)]
    pub services: Option<Vec<Service>>,
}

impl Scenario {
    /// Lists the racks of the account: the one that it describes, unless it has many.
    #[must_use]
    pub fn all_racks(&self) -> Vec<Rack> {
        let called = |name: String| Rack {
            name,
            ..self.rack.clone()
        };
        match &self.racks {
            None => vec![self.rack.clone()],
            Some(Racks::Count(count)) => {
                let names = (1..=*count).map(|number| numbered(&self.rack.name, number));
                names.map(called).collect()
            }
            Some(Racks::Named(named)) => named
                .iter()
                .flat_map(|entry| entry.racks(&self.rack))
                .collect(),
        }
    }
}

impl NamedRack {
    fn racks(&self, like: &Rack) -> Vec<Rack> {
        let named = |name: String| Rack {
            name,
            instances: self.instances.unwrap_or(like.instances),
            batch: self.batch.unwrap_or(like.batch),
            services: self.services.clone().unwrap_or(like.services.clone()),
            ..like.clone()
        };
        match self.count {
            None => vec![named(self.name.clone())],
            Some(count) => (1..=count)
                .map(|number| named(numbered(&self.name, number)))
                .collect(),
        }
    }
}

fn numbered(name: &str, number: u32) -> String {
    format!("{name}-{number:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn racks(text: &str) -> Vec<(String, u32, u32)> {
        let text = format!("name: x\nabout: y\nrack: {{ name: prod, batch: 2 }}\n{text}");
        let scenario = Scenario::parse(&text, "x.yaml").unwrap();
        let racks = scenario.all_racks().into_iter();
        racks
            .map(|rack| (rack.name, rack.instances, rack.batch))
            .collect()
    }

    #[test]
    fn an_account_has_one_rack_or_so_many_or_those_that_are_named() {
        assert_eq!(racks(""), [("prod".to_owned(), 3, 2)]);
        let many = racks("racks: 200\n");
        assert_eq!(many.len(), 200);
        assert_eq!(many[0], ("prod-001".to_owned(), 3, 2));
        assert_eq!(many[199].0, "prod-200");
        let named =
            racks("racks:\n  - { name: eu, instances: 5 }\n  - { name: us, count: 2, batch: 1 }\n");
        assert_eq!(
            named,
            [
                ("eu".to_owned(), 5, 2),
                ("us-001".to_owned(), 3, 1),
                ("us-002".to_owned(), 3, 1)
            ]
        );
    }
}
