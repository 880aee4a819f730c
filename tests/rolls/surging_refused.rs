//! What a surge refuses, and what it says beforehand of racks that it takes.

use std::path::Path;
use std::time::Duration;

use convox::roll::{Advice, Outcome, Plan, Step};
use convox::sandbox::Scenario;
use convox::sandbox::scenario::App;
use convox::sandbox::world::World;
use serde_json::{Value, json};

use crate::gate_keeper::rack_with_policy;
use crate::rehearsal::{Rehearsal, WAIT_BUSY, in_virtual_time, scenario};
use crate::surging::{SURGE, come_to_rest, fewest, kept, roll, settled};
use crate::surging_odd::put_hook;

/// A refusal's code, the rack and what happened to it, and what the refusal and its hint say.
type Refused<'a> = (&'a str, &'a Scenario, fn(&mut World), &'a str, &'a str);

/// A rack whose template has other words in some places.
fn rack_with(dir: &Path, changes: &[(&str, &str)]) -> Scenario {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rack.yaml");
    let mut text = std::fs::read_to_string(own).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let path = dir.join("rack.yaml");
    std::fs::write(&path, text).unwrap();
    let mut scenario = scenario("success");
    scenario.template = Some(path);
    scenario
}

/// Runs a service of two processes.
fn run(world: &mut World, name: &str, port: Option<u16>, deployment: &Value) {
    let cluster = world.ecs.clusters().next().unwrap().name.clone();
    let mut container = json!({ "Name": "main", "Image": "app", "Cpu": 32, "Memory": 64 });
    if let Some(port) = port {
        container["PortMappings"] = json!([{ "HostPort": port, "ContainerPort": port }]);
    }
    let task = world.register_task_definition(&json!({
        "Family": name, "ContainerDefinitions": [container],
    }));
    let service = json!({
        "Cluster": cluster, "TaskDefinition": task, "DesiredCount": 2,
        "DeploymentConfiguration": deployment,
    });
    world.create_service(name, &service).unwrap();
}

/// Plans a surge of a rack that has been changed, and returns why it is refused.
async fn reasons(scenario: &Scenario, change: fn(&mut World)) -> Vec<Advice> {
    let rehearsal = settled(scenario).await;
    rehearsal.sandbox.with(change);
    rehearsal.clock.sleep(Duration::from_secs(600)).await;
    let before = (rehearsal.sandbox.peek(kept), rehearsal.key_pairs());
    let refusal = roll(&rehearsal, SURGE, rehearsal.journals()).await;
    let refusal = refusal.expect_err("it is refused");
    assert_eq!(refusal.outcome, Outcome::NothingChanged);
    let after = (rehearsal.sandbox.peek(kept), rehearsal.key_pairs());
    assert_eq!(before, after, "{refusal:?}");
    refusal.reasons
}

/// A fleet that the key reaches through its launch template.
const FLEET: &str = "
  Fleet:
    Type: AWS::EC2::SpotFleet
    Properties:
      SpotFleetRequestConfigData:
        TargetCapacity: 1
        LaunchTemplateConfigs:
          - LaunchTemplateSpecification:
              LaunchTemplateId: { Ref: InstancesLaunchTemplate }
              Version: { \"Fn::GetAtt\": [InstancesLaunchTemplate, LatestVersionNumber] }

Outputs:
";

#[test]
fn everything_that_a_surge_cannot_do_is_refused_with_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let own = |name: &str, policy: &str| {
        let place = dir.path().join(name);
        std::fs::create_dir(&place).unwrap();
        rack_with_policy(&place, policy, "[]")
    };
    let stock = scenario("success");
    let table: [Refused<'_>; 6] = [
        (
            "surge-maximum",
            &stock,
            |world| {
                let full = json!({ "MinimumHealthyPercent": 50, "MaximumPercent": 100 });
                run(world, "full", None, &full);
            },
            "service full may not have one task more than 2 (maximumPercent 100)",
            "maximumPercent to 200",
        ),
        (
            "surge-host-ports",
            &stock,
            |world| {
                let usual = json!({ "MinimumHealthyPercent": 50, "MaximumPercent": 200 });
                run(world, "one", Some(5000), &usual);
                run(world, "two", Some(5000), &usual);
            },
            "services one and two want 4 tasks with port 5000 of the host, and there are 3",
            "lower its count",
        ),
        (
            "surge-spot-fleet",
            &rack_with(dir.path(), &[("\nOutputs:\n", FLEET)]),
            |_| {},
            "spot fleet Fleet is replaced as a whole",
            "take the fleet out of the stack",
        ),
        (
            "surge-policy",
            &own(
                "replacing",
                "{ AutoScalingReplacingUpdate: { WillReplace: true } }",
            ),
            |_| {},
            "group Instances is not known to be rolled",
            "AutoScalingRollingUpdate policy",
        ),
        (
            "surge-refresh-policy",
            &own(
                "refreshing",
                "{ AutoScalingInstanceRefresh: { Strategy: Rolling } }",
            ),
            |_| {},
            "group Instances is replaced by the instance refresh of its policy",
            "`--strategy cloudformation`",
        ),
        (
            "surge-cluster",
            &own(
                "rolling",
                "{ AutoScalingRollingUpdate: { MaxBatchSize: 1 } }",
            ),
            |_| {},
            "no ECS cluster of the stack can be read",
            "allow ecs:List*",
        ),
    ];
    for (code, scenario, change, message, hint) in table {
        let reasons = in_virtual_time(reasons(scenario, change));
        let reason = reasons.iter().find(|reason| reason.code == code);
        let reason = reason.unwrap_or_else(|| panic!("{code}: {reasons:?}"));
        assert!(reason.message.contains(message), "{code}: {reason:?}");
        assert!(reason.hint.contains(hint), "{code}: {reason:?}");
    }
}

async fn planned(rehearsal: &Rehearsal) -> Plan {
    let mut engine = rehearsal.engine(rehearsal.journals()).await;
    engine.plan(SURGE, WAIT_BUSY).await.unwrap()
}

fn warnings<'a>(plan: &'a Plan, code: &str) -> Vec<&'a str> {
    let warnings = plan.warnings.iter().filter(|it| it.code == code);
    warnings.map(|it| it.message.as_str()).collect()
}

#[test]
fn a_plan_names_the_hooks_that_are_set_aside_and_warns_of_other_than_the_racks() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        let plan = planned(&rehearsal).await;
        let [own] = plan.touches.set_aside.as_slice() else {
            panic!("{:?}", plan.touches);
        };
        assert!(own.is_drain, "{own:?}");
        assert!(
            own.hook.contains("InstancesLifecycleTerminating"),
            "{own:?}"
        );
        assert_eq!(warnings(&plan, "surge-set-aside"), [""; 0]);
        let guard = plan.steps.iter().find(|it| it.step == Step::Guard);
        let changes = &guard.unwrap().changes;
        assert!(
            changes.contains(&format!("in place of {}", own.hook)),
            "{changes}"
        );

        rehearsal
            .sandbox
            .with(|world| put_hook(world, "ships-logs", "CONTINUE", Some("x".to_owned())));
        let plan = planned(&rehearsal).await;
        let told = warnings(&plan, "surge-set-aside");
        assert_eq!(told.len(), 1, "{:?}", plan.warnings);
        assert!(
            told[0].starts_with("hook ships-logs of prod-Instances"),
            "{told:?}"
        );
        let json = serde_json::to_value(&plan).unwrap();
        let aside = json["touches"]["set_aside"].as_array().unwrap();
        let mut aside: Vec<&Value> = aside.iter().map(|it| &it["is_drain"]).collect();
        aside.sort_by_key(|it| it.as_bool());
        assert_eq!(aside, [&json!(false), &json!(true)]);
    });
}

#[test]
fn a_rack_without_high_availability_can_surge_and_only_its_api_is_away() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let mut scenario = rack_with(
            dir.path(),
            &[(
                "{ MinimumHealthyPercent: 50, MaximumPercent: 200 }",
                "{ MinimumHealthyPercent: 0, MaximumPercent: 200 }",
            )],
        );
        scenario.rack.instances = 1;
        let app = |name: &str, processes| App {
            name: name.to_owned(),
            processes,
            balancer: None,
        };
        scenario.rack.services = vec![app("mailer", 1), app("site", 2)];
        let one = ("ApiCount".to_owned(), "1".to_owned());
        scenario.parameters.extend([one]);
        let rehearsal = settled(&scenario).await;
        rehearsal.sandbox.with(World::keep_ledger);
        let before = rehearsal.sandbox.peek(kept);
        let told = planned(&rehearsal).await;
        let told = warnings(&told, "surge-rack-service").join("\n");
        assert!(
            told.contains("ServiceWebApi") && !told.contains("mailer"),
            "{told}"
        );
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
        let counts = fewest(&rehearsal.sandbox);
        let apps = counts.iter().filter(|(name, _)| !name.contains("Api"));
        assert_eq!(apps.clone().count(), 2, "{counts:?}");
        assert!(apps.clone().all(|(_, least)| *least > 0), "{counts:?}");

        // The same of an app's service is refused.
        rehearsal.sandbox.with(|world| {
            let fragile = json!({ "MinimumHealthyPercent": 0, "MaximumPercent": 200 });
            run(world, "fragile", None, &fragile);
        });
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        let codes: Vec<&str> = refusal.reasons.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["surge-minimum"], "{refusal:?}");
    });
}
