//! Instances by id, and by the group that Auto Scaling's tag names.
//!
//! An account may hold thousands, and whoever follows a roll asks for those of one group again and
//! again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Instance;

/// The tag by which Auto Scaling says whose an instance is. Nobody else may set it.
pub(crate) const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Every instance of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "ById", into = "ById")]
pub(super) struct Register {
    by_id: ById,
    /// Ids by the group that started them, those that it has let go included.
    by_group: BTreeMap<String, BTreeSet<String>>,
}

type ById = BTreeMap<String, Instance>;

impl From<ById> for Register {
    fn from(by_id: ById) -> Self {
        let mut register = Self::default();
        for instance in by_id.into_values() {
            register.insert(instance);
        }
        register
    }
}

impl From<Register> for ById {
    fn from(register: Register) -> Self {
        register.by_id
    }
}

impl Register {
    pub(super) fn insert(&mut self, instance: Instance) {
        if let Some(group) = instance.tags.get(GROUP_TAG) {
            let ids = self.by_group.entry(group.clone()).or_default();
            ids.insert(instance.id.clone());
        }
        self.by_id.insert(instance.id.clone(), instance);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.by_group.retain(|_, ids| {
            ids.remove(id);
            !ids.is_empty()
        });
    }

    pub(super) fn get(&self, id: &str) -> Option<&Instance> {
        self.by_id.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.by_id.get_mut(id)
    }

    /// Lists all instances by id.
    pub(super) fn values(&self) -> impl Iterator<Item = &Instance> {
        self.by_id.values()
    }

    /// Lists the instances that any of the groups started, by id.
    pub(super) fn of_groups(&self, groups: &[String]) -> Vec<&Instance> {
        let ids = groups.iter().filter_map(|group| self.by_group.get(group));
        let ids: BTreeSet<_> = ids.flatten().collect();
        ids.into_iter().filter_map(|id| self.get(id)).collect()
    }
}
