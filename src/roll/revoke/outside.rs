//! Instances that the leaked key opens and that are none of those that a roll of the rack replaces.

use std::collections::{BTreeMap, BTreeSet};

use crate::rack::{Instance, PortError, Rack};
use crate::roll::plan::Advice;
use crate::roll::preflight::advice;

/// Lists the live instances of the account and region that key pair `key` opens, besides those whose
/// ids are in `known`: started with it in another rack, or by hand.
pub(super) async fn opened_besides(
    rack: &Rack,
    key: &str,
    known: &BTreeSet<String>,
) -> Result<Vec<Instance>, PortError> {
    let (started, tagged) = tokio::try_join!(
        rack.fleet.instances_with_key(key),
        rack.fleet.instances_opened_by(key),
    )?;
    let all = started.into_iter().chain(tagged);
    let by_id: BTreeMap<String, Instance> = all.map(|it| (it.id.clone(), it)).collect();
    let is_open = |it: &Instance| it.is_live() && it.key() == Some(key) && !known.contains(&it.id);
    Ok(by_id.into_values().filter(is_open).collect())
}

/// Says of such an instance why nothing is done about it; `owners` are the rack's groups.
pub(super) fn why_left(instance: &Instance, owners: &BTreeSet<String>) -> String {
    match &instance.owner {
        Some(owner) if owners.contains(owner) => "it has started meanwhile".to_owned(),
        Some(owner) => format!("it is of {owner}, which a roll of this rack does not replace"),
        None => "it is in no group that a roll of this rack replaces".to_owned(),
    }
}

/// Warns of them before anything is done.
pub(super) fn warnings(key: &str, left: &[Instance]) -> Vec<Advice> {
    let warn = |it: &Instance| {
        let why = why_left(it, &BTreeSet::new());
        advice(
            "outside",
            format!("{} goes on letting {key} in: {why}", it.id),
            format!("terminate it, or take the line of {key} out of its authorized_keys by hand"),
        )
    };
    left.iter().map(warn).collect()
}
