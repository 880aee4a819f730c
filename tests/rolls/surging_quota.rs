//! Rolls by `surge` in accounts whose quotas have little room, or may not be read.

use convox::roll::{EventKind, Outcome, RollOptions, SurgeSize};
use convox::sandbox::Scenario;
use convox::sandbox::ec2::{LaunchSpec, Owner};
use convox::sandbox::scenario::{Calls, Fault, Quota};

use crate::outcomes::assert_settled;
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time, scenario};
use crate::surging::{SURGE, come_to_rest, kept, roll, settled};

/// The quota of standard on-demand instances.
const STANDARD: &str = "L-1216C47A";

/// A rack of six instances of two vCPUs in an account that may run so many vCPUs.
fn with_quota(vcpus: u32) -> Scenario {
    let mut scenario = scenario("success");
    scenario.rack.instances = 6;
    let code = STANDARD.to_owned();
    scenario.faults = vec![Fault::Quota(Quota { code, vcpus })];
    scenario
}

fn denying(api: &str) -> Scenario {
    let mut scenario = scenario("success");
    scenario.faults = vec![Fault::Deny(Calls {
        api: api.to_owned(),
        ..Calls::default()
    })];
    scenario
}

const fn of_size(size: u32) -> RollOptions {
    RollOptions {
        surge: SurgeSize::Count(size),
        ..SURGE
    }
}

/// The warnings of the plan that was told last.
fn warned(rehearsal: &Rehearsal) -> Vec<(String, String, String)> {
    let events = rehearsal.tape.events();
    let mut plans = events
        .into_iter()
        .rev()
        .filter_map(|event| match event.kind {
            EventKind::Planned(plan) => Some(plan),
            _ => None,
        });
    let warnings = plans.next().unwrap().warnings.into_iter();
    warnings
        .filter(|it| it.code.starts_with("surge-quota"))
        .map(|it| (it.code, it.message, it.hint))
        .collect()
}

#[test]
fn a_surge_beyond_the_quota_is_refused_and_the_most_that_fits_works() {
    in_virtual_time(async {
        let rehearsal = settled(&with_quota(20)).await;
        let before = rehearsal.sandbox.peek(kept);
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        assert_eq!(refusal.outcome, Outcome::NothingChanged);
        assert_eq!(refusal.reasons.len(), 1, "{refusal:?}");
        let reason = &refusal.reasons[0];
        assert_eq!(reason.code, "surge-quota");
        assert_eq!(
            reason.message,
            "a surge needs 12 vCPUs of on-demand standard (A, C, D, H, I, M, R, T, Z) instances \
             more, and 12 of the 20 that the account may run are in use (quota L-1216C47A)"
        );
        assert!(
            reason.hint.starts_with("`--surge 2` is the most"),
            "{reason:?}"
        );
        assert_eq!(rehearsal.sandbox.peek(kept), before);
        assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"]);

        let refusal = roll(&rehearsal, of_size(3), rehearsal.journals()).await;
        let reason = refusal.unwrap_err().reasons.remove(0);
        assert!(
            reason.hint.starts_with("`--surge 2` is the most"),
            "{reason:?}"
        );

        let report = roll(&rehearsal, of_size(2), rehearsal.journals()).await;
        let report = report.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_eq!(warned(&rehearsal)[0].0, "surge-quota-tight");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn a_surge_that_just_fits_goes_on_without_a_word() {
    in_virtual_time(async {
        let rehearsal = settled(&with_quota(24)).await;
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_eq!(warned(&rehearsal), []);
        let calls = rehearsal.sandbox.calls();
        assert_eq!(calls["servicequotas:GetServiceQuota"], 1);
        assert_eq!(calls["ec2:DescribeInstanceTypes"], 1);
    });
}

#[test]
fn what_others_run_counts_where_the_same_quota_counts_it() {
    in_virtual_time(async {
        let start = |instance_type: &str, is_spot| LaunchSpec {
            instance_type: Some(instance_type.to_owned()),
            is_spot,
            ..LaunchSpec::default()
        };
        let rehearsal = settled(&with_quota(26)).await;
        rehearsal.sandbox.with(|world| {
            for spec in [start("g4dn.xlarge", false), start("m5.4xlarge", true)] {
                world.start_instance(spec, Owner::Nobody).unwrap();
            }
        });
        let mut engine = rehearsal.engine(rehearsal.journals()).await;
        assert!(engine.plan(SURGE, WAIT_BUSY).await.is_ok());
        rehearsal.sandbox.with(|world| {
            let another = start("m5.xlarge", false);
            world.start_instance(another, Owner::Nobody).unwrap();
        });
        let refusal = engine.plan(SURGE, WAIT_BUSY).await.unwrap_err();
        let message = &refusal.reasons[0].message;
        assert!(message.contains("16 of the 26"), "{message}");
        // What needs no more than a batch is not asked.
        let asked = rehearsal.sandbox.calls()["servicequotas:GetServiceQuota"];
        assert!(engine.plan(OPTIONS, WAIT_BUSY).await.is_ok());
        let calls = rehearsal.sandbox.calls();
        assert_eq!(calls["servicequotas:GetServiceQuota"], asked);
    });
}

#[test]
fn no_size_fits_where_there_is_no_room_for_one() {
    in_virtual_time(async {
        let rehearsal = settled(&with_quota(12)).await;
        let refusal = roll(&rehearsal, of_size(1), rehearsal.journals())
            .await
            .unwrap_err();
        let reason = &refusal.reasons[0];
        assert_eq!(reason.code, "surge-quota");
        assert!(!reason.hint.contains("--surge"), "{reason:?}");
        assert!(reason.hint.contains("quota raised"), "{reason:?}");
    });
}

#[test]
fn a_quota_that_may_not_be_read_is_warned_of_and_keeps_nobody() {
    for (api, action) in [
        ("servicequotas:*", "servicequotas:GetServiceQuota"),
        ("ec2:DescribeInstanceTypes", "ec2:DescribeInstanceTypes"),
    ] {
        in_virtual_time(async {
            let rehearsal = settled(&denying(api)).await;
            let result = roll(&rehearsal, SURGE, rehearsal.journals()).await;
            assert_settled(&rehearsal, &result, api);
            assert_eq!(result.unwrap().outcome, Outcome::Done);
            let warned = warned(&rehearsal);
            let [(code, message, hint)] = warned.as_slice() else {
                panic!("{warned:?}");
            };
            assert_eq!(code, "surge-quota-unread");
            assert!(
                message.ends_with(&format!("{action} is not allowed")),
                "{message}"
            );
            assert!(hint.contains(action), "{hint}");
        });
    }
}

#[test]
fn what_a_surge_is_foretold_to_need_is_what_it_needs() {
    for (instances, batch, min_in_service, size, most) in [
        (6, 2, None, None, 12),
        // The group has five at the end, beside three old ones.
        (3, 1, Some(5), None, 8),
        (8, 2, None, Some(2), 14),
        (6, 1, Some(9), Some(1), 12),
    ] {
        let options = size.map_or(SURGE, of_size);
        let of_quota = |vcpus| {
            let mut scenario = with_quota(vcpus);
            scenario.rack.instances = instances;
            scenario.rack.batch = batch;
            scenario.rack.min_in_service = min_in_service;
            scenario
        };
        in_virtual_time(async {
            let context = format!("{instances} {batch} {min_in_service:?} {size:?}");
            let rehearsal = settled(&of_quota(2 * most - 1)).await;
            let refusal = roll(&rehearsal, options, rehearsal.journals()).await;
            let refusal = refusal.expect_err(&context);
            assert_eq!(refusal.reasons[0].code, "surge-quota", "{context}");
            // EC2 itself would refuse what is beyond the quota.
            let rehearsal = settled(&of_quota(2 * most)).await;
            let report = roll(&rehearsal, options, rehearsal.journals()).await;
            let report = report.expect(&context);
            assert_eq!(report.outcome, Outcome::Done, "{context}: {report:?}");
        });
    }
}

#[test]
fn spot_instances_have_a_quota_of_their_own() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.rack.spot = true;
        let code = "L-34B43A08".to_owned();
        scenario.faults = vec![Fault::Quota(Quota { code, vcpus: 5 })];
        let rehearsal = settled(&scenario).await;
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        let [reason] = refusal.reasons.as_slice() else {
            panic!("{refusal:?}");
        };
        let told = "4 of the 5 that the account may run are in use (quota L-34B43A08)";
        assert!(reason.message.ends_with(told), "{reason:?}");
    });
}
