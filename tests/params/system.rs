//! The rack as an operator sees it.

use convox::rack::{ChangeProblem, PortError, Stack};
use convox::sandbox::Scenario;

use crate::rehearsal::{Rehearsal, map};
use crate::virtual_time::in_virtual_time;

#[test]
fn a_rack_is_described_as_its_api_would_and_its_password_is_masked() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 4 }");
        let rack = rehearsal.rack().await;
        let system = rack.system.describe().await.unwrap();
        assert_eq!(system.name, "prod");
        assert_eq!(system.provider, "aws");
        assert_eq!(system.region, "us-east-1");
        assert_eq!(system.status, "running");
        assert_eq!(system.version, "20260421154107");
        assert_eq!(
            (system.count, system.instance_type.as_str()),
            (4, "t3.small")
        );
        assert_eq!(system.parameters["Password"], "****");
        assert_eq!(
            system.parameters["Tags"],
            "Name=prod,System=convox,Type=rack"
        );
        assert_eq!(system.outputs["Rack"], "prod");
        assert!(!format!("{system:?}").contains("sandbox-password"));
    });
}

#[test]
fn the_status_follows_the_stack_and_the_instances() {
    in_virtual_time(async {
        let never = "faults: [{ signals: { group: Instances, fate: never, times: 1 } }]";
        let rehearsal = Rehearsal::of(never);
        let rack = rehearsal.rack().await;
        let wanted = map(&[("InstanceType", "t3.large")]);
        rack.system.set_parameters(&wanted).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..1200 {
            let status = rack.system.describe().await.unwrap().status;
            if seen.last() != Some(&status) {
                seen.push(status);
            }
            rehearsal.pass(1).await;
        }
        assert_eq!(seen.first().unwrap(), "updating");
        assert!(seen.contains(&"rollback".to_owned()), "{seen:?}");
        assert_eq!(seen.last().unwrap(), "running");

        let instance = rack.system.instances().await.unwrap().remove(0).id;
        rack.system.terminate(&instance).await.unwrap();
        rehearsal.pass(5).await;
        let status = rack.system.describe().await.unwrap().status;
        assert_eq!(status, "converging");
    });
}

#[test]
fn instances_are_those_of_the_rack_but_the_build_group() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3, build: true, spot: true }");
        let rack = rehearsal.rack().await;
        let instances = rack.system.instances().await.unwrap();
        // Three of the main group and two of the spot group; the one that builds is not listed.
        assert_eq!(instances.len(), 5, "{instances:#?}");
        assert!(instances.is_sorted_by(|one, other| one.id < other.id));
        for instance in &instances {
            assert_eq!(instance.status, "active");
            assert!(instance.agent && instance.started.is_some());
            assert_eq!(instance.name.as_deref(), Some("prod"));
            assert_eq!(instance.key_name.as_deref(), Some("prod-keypair-4711"));
            assert!(instance.private_ip.starts_with("10."), "{instance:?}");
            assert!((0.0..=1.0).contains(&instance.cpu) && (0.0..=1.0).contains(&instance.memory));
        }
        let processes: u32 = instances.iter().map(|instance| instance.processes).sum();
        assert!(processes >= 2, "the rack API runs somewhere");
        assert!(instances.iter().any(|instance| instance.cpu > 0.0));
    });
}

#[test]
fn a_stack_that_tags_nothing_still_has_groups() {
    in_virtual_time(async {
        let template = include_str!("../../fixtures/rack.yaml");
        let (body, _) = template.split_once("\nOutputs:").unwrap();
        let bare: String = body
            .lines()
            .filter(|line| !line.contains("{ Key: Rack, Value"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bare.yaml");
        std::fs::write(&path, bare).unwrap();
        let text = format!(
            "name: x\nabout: y\ntemplate: {}\nrack: {{ services: [] }}",
            path.display()
        );
        let rehearsal = Rehearsal::new(&Scenario::parse(&text, "test").unwrap());
        let rack = rehearsal.rack().await;
        let system = rack.system.describe().await.unwrap();
        assert_eq!((system.count, system.status.as_str()), (3, "running"));
        let instances = rack.system.instances().await.unwrap();
        assert_eq!(instances.len(), 3);
        assert!(instances.iter().all(|instance| instance.status == "active"));
        rack.system.terminate(&instances[0].id).await.unwrap();
    });
}

fn others(stack: &Stack, changed: &[&str]) -> Vec<(String, String)> {
    let parameters = stack.parameters.iter();
    parameters
        .filter(|parameter| !changed.contains(&parameter.key.as_str()))
        .map(|parameter| (parameter.key.clone(), parameter.value.clone()))
        .collect()
}

#[test]
fn several_parameters_are_one_update_and_nothing_else_moves() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let rack = rehearsal.rack().await;
        let before = rack.stacks.describe("prod").await.unwrap();
        let secret = || {
            rehearsal
                .sandbox
                .peek(|world| world.ssm_value("prodRackApiSecret"))
        };
        assert_eq!(secret().as_deref(), Some("sandbox-password"));
        let wanted = [
            ("ApiCpu", "256"),
            ("ApiWebMemory", "512"),
            ("Tags", "Team=blue"),
        ];
        let report = rehearsal.set_and_wait(&wanted).await.unwrap();
        assert_eq!(report.exit_code, 0, "{report:?}");
        let after = rack.stacks.describe("prod").await.unwrap();
        assert_eq!(after.parameter("ApiCpu"), Some("256"));
        assert_eq!(after.parameter("ApiWebMemory"), Some("512"));
        let changed = ["ApiCpu", "ApiWebMemory"];
        assert_eq!(others(&after, &changed), others(&before, &changed));
        assert_eq!(secret().as_deref(), Some("sandbox-password"));
        let mut tags = before.tags.clone();
        tags.insert("Team".to_owned(), "blue".to_owned());
        assert_eq!(after.tags, tags);
        assert_eq!(after.capabilities, before.capabilities);
        assert_eq!(after.deployment_mode.as_deref(), Some("STANDARD"));
        let calls = rehearsal.sandbox.calls();
        assert_eq!(
            calls.get("cloudformation:UpdateStack"),
            Some(&1),
            "{calls:?}"
        );
    });
}

#[test]
fn what_cannot_be_is_refused_before_the_stack_is_asked() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let rack = rehearsal.rack().await;
        for (pairs, said) in [
            (
                &[("InstanceTyp", "x")][..],
                "the rack has no parameter InstanceTyp",
            ),
            (
                &[("ApiCpu", "1"), ("B", ""), ("C", "")],
                "the rack has no parameter B, C",
            ),
            (
                &[("Password", "****")],
                "Password: `****` only stands for a value that is not shown",
            ),
            (
                &[("Autoscale", "Maybe")],
                "Parameter 'Autoscale' must be one of AllowedValues",
            ),
            (&[("ApiCpu", "much")], "Parameter 'ApiCpu' must be a number"),
            (
                &[("InstanceCount", "0")],
                "Parameter 'InstanceCount' must be a number not less than 1",
            ),
            (
                &[("Tags", "Type=app")],
                "Tags: `Type=app` would make the rack unknown as one",
            ),
        ] {
            let refused = rack.system.set_parameters(&map(pairs)).await.unwrap_err();
            assert!(matches!(refused, PortError::Change(_)), "{refused:?}");
            assert_eq!(refused.to_string(), said);
        }
        let same = rack
            .system
            .set_parameters(&map(&[("InstanceType", "t3.small")]))
            .await;
        assert!(matches!(same, Err(PortError::NoChanges)), "{same:?}");
        assert_eq!(
            rehearsal.sandbox.calls().get("cloudformation:UpdateStack"),
            None
        );
    });
}

#[test]
fn a_busy_stack_is_told_as_busy() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let rack = rehearsal.rack().await;
        rack.system
            .set_parameters(&map(&[("InstanceType", "t3.large")]))
            .await
            .unwrap();
        let second = rack.system.set_parameters(&map(&[("ApiCpu", "256")])).await;
        let Err(PortError::Busy { what, status }) = second else {
            panic!("{second:?}");
        };
        assert_eq!(
            (what.as_str(), status.as_str()),
            ("stack prod", "UPDATE_IN_PROGRESS")
        );
        // A name that does not exist stays the first thing to say.
        let unknown = rack.system.set_parameters(&map(&[("Bogus", "1")])).await;
        assert!(
            matches!(
                &unknown,
                Err(PortError::Change(ChangeProblem::Unknown { .. }))
            ),
            "{unknown:?}"
        );
    });
}

#[test]
fn only_an_instance_of_the_rack_is_terminated_and_its_group_replaces_it() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3, build: true }");
        let rack = rehearsal.rack().await;
        let before = rack.system.instances().await.unwrap();
        let stack = rack.stacks.describe("prod").await.unwrap();
        let build = [stack.outputs["BuildAutoscalingGroup"].clone()];
        let builder = rack
            .fleet
            .instances(&build, &[])
            .await
            .unwrap()
            .remove(0)
            .id;
        for stranger in ["i-0123456789abcdef0", builder.as_str(), ""] {
            let refused = rack.system.terminate(stranger).await.unwrap_err();
            assert!(refused.is_not_found());
            assert_eq!(
                refused.to_string(),
                format!("instance not found: {stranger}")
            );
        }
        let gone = before[1].id.clone();
        rack.system.terminate(&gone).await.unwrap();
        rehearsal.pass(600).await;
        let after = rack.system.instances().await.unwrap();
        assert_eq!(after.len(), 3, "the group keeps its size");
        assert!(after.iter().all(|instance| instance.id != gone));
    });
}
