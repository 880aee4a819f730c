//! What a plan says of services holds, in racks of every kind.

use convox::rehearse::{RunResult, lacks};
use convox::roll::{Outcome, Plan, RollOptions, ServicePlan, Strategy};

use crate::foretelling::{Apps, rolled};
use crate::virtual_time::in_virtual_time;

/// How many racks: 40, or what `CONVOX_REHEARSED_RACKS` says, such as 2000. Every one is rolled
/// through the SDK.
fn racks() -> u64 {
    let named = std::env::var("CONVOX_REHEARSED_RACKS").ok();
    named.and_then(|racks| racks.parse().ok()).unwrap_or(40)
}

/// Names the services that had no task at a moment, of those that ran before and that `wanted`
/// takes in.
fn fallen(plan: &Plan, happened: &RunResult, wanted: fn(&ServicePlan) -> bool) -> Vec<String> {
    let services = plan.clusters.iter().flat_map(|cluster| &cluster.services);
    let had = services.filter(|service| service.running > 0 && wanted(service));
    had.filter(|service| lacks(happened, &service.name, 1).1 > 0)
        .map(|service| service.name.clone())
        .collect()
}

#[test]
fn a_surge_takes_no_service_below_one_task() {
    let options = RollOptions {
        strategy: Strategy::Surge,
        ..RollOptions::DEFAULT
    };
    let (mut all, mut back) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 1..=racks() {
        let (plan, happened) = in_virtual_time(rolled(seed, Apps::Movable, options)).unwrap();
        all += 1;
        back += u32::from(happened.outcome == Outcome::RolledBack);
        if !matches!(happened.outcome, Outcome::Done | Outcome::RolledBack) {
            // Instances that start too slowly for a rollback do so whatever the roll is like.
            let ordinary = rolled(seed, Apps::Movable, RollOptions::DEFAULT);
            let (_, otherwise) = in_virtual_time(ordinary).unwrap();
            if otherwise.outcome != happened.outcome {
                wrong.push(format!(
                    "rack {seed}: {}, and ordinarily {}",
                    happened.message, otherwise.message
                ));
            }
        }
        let fallen = fallen(&plan, &happened, |_| true);
        if !fallen.is_empty() {
            wrong.push(format!("rack {seed}: {fallen:?}, {}", happened.message));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // One of ten racks boots so slowly that some of these roll back; a few racks need have none.
    assert!(back < all, "{back} of {all} rolled back");
    assert!(all < 200 || back > 0, "nothing ever rolled back");
}

#[test]
fn services_that_are_said_to_stay_up_do() {
    let (mut said, mut unsaid_fell) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 1..=racks() {
        let rolled = rolled(seed, Apps::Any, RollOptions::DEFAULT);
        let (plan, happened) = in_virtual_time(rolled).unwrap();
        // CloudFormation itself takes instances away in a rollback: nothing is said of that.
        if happened.outcome != Outcome::Done {
            continue;
        }
        let services = plan.clusters.iter().flat_map(|cluster| &cluster.services);
        said += services.filter(|service| service.stays_up).count();
        unsaid_fell += fallen(&plan, &happened, |service| !service.stays_up).len();
        let fallen = fallen(&plan, &happened, |service| service.stays_up);
        if !fallen.is_empty() {
            wrong.push(format!("rack {seed}: {fallen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Else the saying would be worth nothing.
    let enough = usize::try_from(racks() / 10).unwrap();
    assert!(
        said > enough && unsaid_fell > 0,
        "{said} said, {unsaid_fell} fell"
    );
}

#[test]
fn a_surge_keeps_up_what_it_says_it_does_however_it_ends() {
    let options = RollOptions {
        strategy: Strategy::Surge,
        ..RollOptions::DEFAULT
    };
    let (mut taken, mut said, mut otherwise) = (0, 0, 0);
    let mut wrong = Vec::new();
    for seed in 1..=racks() {
        // Racks with services that no surge can move are refused.
        let Ok((plan, happened)) = in_virtual_time(rolled(seed, Apps::Any, options)) else {
            continue;
        };
        taken += 1;
        otherwise += u32::from(happened.outcome != Outcome::Done);
        let services = plan.clusters.iter().flat_map(|cluster| &cluster.services);
        said += services.filter(|service| service.stays_up).count();
        // Also of a roll that is turned back: whoever is held on the way is let go only when empty.
        let fallen = fallen(&plan, &happened, |service| service.stays_up);
        if !fallen.is_empty() {
            wrong.push(format!("rack {seed}: {fallen:?}, {}", happened.message));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(taken > 0 && said > 0, "{taken} surges, {said} said");
    assert!(
        taken < 100 || otherwise > 0,
        "{taken} surges all ended well"
    );
}
