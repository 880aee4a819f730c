//! The template of a real Convox rack, where its file is present: it is not ours to ship.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use convox::roll::{EventKind, Outcome};
use convox::sandbox::Scenario;
use convox::sandbox::autoscaling::GroupChange;

use crate::outcomes::assert_settled;
use crate::rehearsal::{Rehearsal, in_virtual_time};

/// Finds the template beside the checkout, or where `CONVOX_RACK_TEMPLATE` says.
fn template() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/convox-rack.json");
    let named = std::env::var_os("CONVOX_RACK_TEMPLATE").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|path| path.exists())
}

#[test]
fn the_real_rack_rolls_all_its_groups_and_redeploys_its_api() {
    let Some(template) = template() else {
        let note = "skipped: no rack template (CONVOX_RACK_TEMPLATE names one)\n";
        let _ = std::io::stderr().write_all(note.as_bytes());
        return;
    };
    let parameters = [
        ("Version", "20260421"),
        ("Password", "sandbox-password"),
        ("SpotInstanceBid", "0.10"),
        ("OnDemandMinCount", "3"),
    ];
    let scenario = Scenario {
        template: Some(template),
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Scenario::default()
    };
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario);
        // The spot group of a young rack is empty: two instances, so that it rolls too.
        let resources = rehearsal
            .rack()
            .await
            .stacks
            .resources("prod")
            .await
            .unwrap();
        let spot = resources
            .iter()
            .find(|it| it.logical_id == "SpotInstances")
            .unwrap();
        let change = GroupChange {
            desired: Some(2),
            ..GroupChange::default()
        };
        rehearsal
            .sandbox
            .with(|world| world.update_group(&spot.physical_id, change).unwrap());
        rehearsal.clock.sleep(Duration::from_secs(600)).await;

        let result = rehearsal.roll().await;
        assert_settled(&rehearsal, &result, "the real rack");
        assert_eq!(result.unwrap().outcome, Outcome::Done);
        let mut rolled = BTreeSet::new();
        let mut redeployed = false;
        for event in rehearsal.tape.events() {
            let EventKind::Stack(event) = event.kind else {
                continue;
            };
            let reason = event.reason.unwrap_or_default();
            if reason.starts_with("Rolling update initiated.") {
                rolled.insert(event.logical_id.clone());
            }
            redeployed |= event.logical_id == "ServiceWebApi" && event.status == "UPDATE_COMPLETE";
        }
        assert_eq!(
            rolled.iter().map(String::as_str).collect::<Vec<_>>(),
            ["BuildInstances", "Instances", "SpotInstances"]
        );
        assert!(redeployed, "the API is redeployed");
        rehearsal.watcher.assert_whole("the real rack");
    });
}
