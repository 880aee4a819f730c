//! Services behind load balancers: what a plan says of their health, and that a roll waits for it.

use convox::rack::ServiceHealth;
use convox::roll::{Outcome, Plan, ServicePlan};
use convox::sandbox::Scenario;
use convox::sandbox::world::World;

use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time};
use crate::surging::{SURGE, come_to_rest, fewest, kept, roll, settled};

/// A rack with a service of two processes behind a load balancer, and one that is behind none.
fn balanced(balancer: &str, faults: &str) -> Scenario {
    let text = format!(
        "name: x\nabout: y\nrack:\n  services:\n    - {{ name: site, processes: 2, balancer: {balancer} }}\n    \
         - {{ name: mailer, processes: 1 }}\nfaults: [{faults}]\n"
    );
    Scenario::parse(&text, "a test").unwrap()
}

const QUICK: &str = "{ interval: 10s, healthy: 3, delay: 20s, grace: 60s }";

fn service<'a>(plan: &'a Plan, name: &str) -> &'a ServicePlan {
    let mut services = plan.clusters.iter().flat_map(|it| &it.services);
    services.find(|it| it.name == name).unwrap()
}

fn has(plan: &Plan, code: &str) -> bool {
    plan.warnings.iter().any(|it| it.code == code)
}

async fn planned(rehearsal: &Rehearsal) -> Plan {
    let mut engine = rehearsal.engine(rehearsal.journals()).await;
    engine.plan(OPTIONS, WAIT_BUSY).await.unwrap()
}

#[test]
fn a_plan_says_how_services_stand_behind_their_load_balancers() {
    in_virtual_time(async {
        let rehearsal = settled(&balanced(QUICK, "")).await;
        let plan = planned(&rehearsal).await;
        let site = service(&plan, "prod-site");
        let expected = ServiceHealth {
            healthy: Some(2),
            targets: Some(2),
            healthy_within_secs: Some(35),
            deregistration_delay_secs: Some(20),
            classic: Vec::new(),
        };
        assert_eq!(site.health, Some(expected));
        assert_eq!(site.health_check_grace_secs, Some(60));
        assert!(site.stays_up);
        assert!(!has(&plan, "stop-timeout") && !has(&plan, "health-unread"));
        let mailer = service(&plan, "prod-mailer");
        assert_eq!(mailer.health, None);
        assert!(mailer.stays_up);

        let slow = "{ interval: 30s, healthy: 5, delay: 300s }";
        let rehearsal = settled(&balanced(slow, "")).await;
        let plan = planned(&rehearsal).await;
        assert!(!service(&plan, "prod-site").stays_up);
        assert!(service(&plan, "prod-mailer").stays_up);
        let warning = plan.warnings.iter().find(|it| it.code == "stop-timeout");
        assert_eq!(
            warning.unwrap().message,
            "service prod-site may take 330 s to leave its load balancer and to stop (300 s and 30 \
             s), and draining gives it 300 s"
        );
    });
}

#[test]
fn what_may_not_be_read_of_their_health_is_said_and_refuses_nothing() {
    for (api, change) in [
        (
            "DescribeTargetGroups",
            (|it| *it = ServiceHealth::default()) as fn(&mut ServiceHealth),
        ),
        ("DescribeTargetGroupAttributes", |it| {
            it.deregistration_delay_secs = None;
        }),
        ("DescribeTargetHealth", |it| {
            it.healthy = None;
            it.targets = None;
        }),
    ] {
        in_virtual_time(async {
            let rehearsal = settled(&balanced(QUICK, "")).await;
            let mut expected = service(&planned(&rehearsal).await, "prod-site")
                .health
                .clone()
                .unwrap();
            change(&mut expected);
            let denied = format!("{{ deny: {{ api: \"elasticloadbalancing:{api}\" }} }}");
            let rehearsal = settled(&balanced(QUICK, &denied)).await;
            let plan = planned(&rehearsal).await;
            let site = service(&plan, "prod-site");
            assert_eq!(site.health, Some(expected), "{api}");
            assert!(!site.stays_up, "{api}");
            assert!(service(&plan, "prod-mailer").stays_up, "{api}");
            let warning = plan.warnings.iter().find(|it| it.code == "health-unread");
            let message = &warning.unwrap().message;
            assert!(
                message.contains(&format!("not allowed to call elasticloadbalancing:{api}")),
                "{message}"
            );
            let mut engine = rehearsal.engine(rehearsal.journals()).await;
            engine.plan(SURGE, WAIT_BUSY).await.unwrap();
        });
    }
}

#[test]
fn a_target_group_that_is_gone_is_said_and_the_others_are_read() {
    in_virtual_time(async {
        let rehearsal = settled(&balanced(QUICK, "")).await;
        let rack = rehearsal.rack().await;
        let cluster = rehearsal.sandbox.peek(|world| {
            let mut clusters = world.ecs.clusters();
            clusters.next().unwrap().name.clone()
        });
        let cluster = rack.services.cluster(&cluster).await.unwrap();
        let services = cluster.services.iter();
        let mut named: Vec<String> = services.flat_map(|it| it.target_groups.clone()).collect();
        assert_eq!(named.len(), 1);
        let gone = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/1";
        named.push(gone.to_owned());
        let read = rack.balancers.target_groups(&named).await.unwrap();
        assert_eq!(read.found.len(), 1);
        assert_eq!(read.found[0].name, "prod-site");
        assert_eq!(read.unread, [format!("target group {gone} is not there")]);
    });
}

#[test]
fn a_surge_waits_for_health_and_outlasts_processes_that_never_have_it() {
    in_virtual_time(async {
        let slow = "{ interval: 30s, healthy: 5, delay: 300s }";
        let failing = "{ unhealthy: { service: prod-site, times: 2 } }";
        let rehearsal = settled(&balanced(slow, failing)).await;
        rehearsal.sandbox.with(World::keep_ledger);
        let before = rehearsal.sandbox.peek(kept);
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
        let fewest = fewest(&rehearsal.sandbox);
        assert!(fewest["prod-site"] >= 1, "{fewest:?}");
    });
}
