//! Service Quotas, as far as EC2 counts vCPUs by them: what it tells, and what EC2 refuses.

use serde_json::json;

use super::api::{Answer, AwsError, Input};
use super::ec2::InstanceState;
use super::world::World;

/// The quota of standard on-demand instances.
pub const STANDARD: &str = "L-1216C47A";

/// What the account may run where no scenario says otherwise: more than any rack here needs.
const GENEROUS: u32 = 1_000_000;

/// The quotas on vCPUs that are known here, by what the names of their instance types begin with: the code and the name
/// of the one that counts on-demand instances, and then of the one that counts spot instances
/// (EC2 user guide, "On-Demand Instance quotas" and "Spot Instance quotas").
const CLASSES: [(&[&str], Named, Option<Named>); 7] = [
    (
        &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"],
        (
            STANDARD,
            "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        ),
        Some((
            "L-34B43A08",
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
        )),
    ),
    (
        &["f"],
        ("L-74FC7D96", "Running On-Demand F instances"),
        Some(("L-88CF9481", "All F Spot Instance Requests")),
    ),
    (
        &["g", "gr", "vt"],
        ("L-DB2E81BA", "Running On-Demand G and VT instances"),
        Some(("L-3819A6DF", "All G and VT Spot Instance Requests")),
    ),
    (
        &["inf"],
        ("L-1945791B", "Running On-Demand Inf instances"),
        Some(("L-B5D1601B", "All Inf Spot Instance Requests")),
    ),
    (
        &["p"],
        ("L-417A185B", "Running On-Demand P instances"),
        Some(("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests")),
    ),
    (
        &["x"],
        ("L-7295265B", "Running On-Demand X instances"),
        Some(("L-E3A00192", "All X Spot Instance Requests")),
    ),
    (
        &["u"],
        ("L-43DA4232", "Running On-Demand High Memory instances"),
        None,
    ),
];

/// A quota's code and name.
type Named = (&'static str, &'static str);

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "GetServiceQuota" => get(world, input),
        _ => return None,
    })
}

fn get(world: &World, input: &Input) -> Answer {
    let service = input.required("ServiceCode")?;
    let code = input.required("QuotaCode")?;
    let quotas = CLASSES.iter().flat_map(|(_, on_demand, spot)| {
        let spot = spot.as_ref();
        [on_demand].into_iter().chain(spot)
    });
    let mut quotas = quotas.filter(|_| service == "ec2");
    let Some((code, name)) = quotas.find(|(known, _)| *known == code) else {
        return Err(AwsError::new(
            400,
            "NoSuchResourceException",
            "The request failed because the specified service or quota does not exist.",
        ));
    };
    Ok(json!({ "Quota": {
        "ServiceCode": service,
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": world.arn("servicequotas", &format!("ec2/{code}")),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": f64::from(world.quota(code)),
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    } }))
}

impl World {
    /// Returns how many vCPUs a quota lets run at once.
    #[must_use]
    pub fn quota(&self, code: &str) -> u32 {
        self.quota_set(code).unwrap_or(GENEROUS)
    }

    /// Says why one more instance cannot be started, where a scenario has set the quota that counts
    /// it and too little is left of it; in EC2's words.
    pub(super) fn quota_refusal(&self, instance_type: &str, is_spot: bool) -> Option<AwsError> {
        let code = code_of(instance_type, is_spot)?;
        let limit = self.quota_set(code)?;
        let counts = |state| matches!(state, InstanceState::Pending | InstanceState::Running);
        let of_class = self
            .ec2
            .instances()
            .filter(|it| counts(it.state) && code_of(&it.instance_type, it.is_spot) == Some(code));
        let used: u32 = of_class.map(|it| vcpus_of(&it.instance_type)).sum();
        if used + vcpus_of(instance_type) <= limit {
            return None;
        }
        Some(if is_spot {
            AwsError::new(
                400,
                "MaxSpotInstanceCountExceeded",
                "Max spot instance count exceeded",
            )
        } else {
            AwsError::new(
                400,
                "VcpuLimitExceeded",
                format!(
                    "You have requested more vCPU capacity than your current vCPU limit of {limit} \
                     allows for the instance bucket that the specified instance type belongs to. \
                     Please visit http://aws.amazon.com/contact-us/ec2-request to request an \
                     adjustment to this limit."
                ),
            )
        })
    }
}

/// Returns the code of the quota that counts an instance.
fn code_of(instance_type: &str, is_spot: bool) -> Option<&'static str> {
    let letters = instance_type.find(|letter: char| !letter.is_ascii_alphabetic());
    let begin = &instance_type[..letters.unwrap_or(instance_type.len())];
    let class = CLASSES
        .iter()
        .find(|(begins, _, _)| begins.contains(&begin));
    class.and_then(|(_, (code, _), spot)| match is_spot {
        true => spot.map(|(code, _)| code),
        false => Some(*code),
    })
}

/// Returns how many vCPUs an instance of a type has, by the size in its name: as instances of the
/// `t3` and `m5` families have them.
#[must_use]
pub fn vcpus_of(instance_type: &str) -> u32 {
    let size = instance_type.rsplit('.').next().unwrap_or_default();
    match size.strip_suffix("xlarge") {
        Some("") => 4,
        Some(times) => times
            .parse()
            .map_or(2, |times: u32| times.saturating_mul(4)),
        None if size.starts_with("metal") => 96,
        None => 2,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::ec2::{LaunchSpec, Owner};
    use super::super::scenario::Scenario;
    use super::*;

    fn quota(world: &mut World, service: &str, code: &str) -> Answer {
        let input = json!({ "ServiceCode": service, "QuotaCode": code });
        handle(world, "GetServiceQuota", &Input(input)).unwrap()
    }

    #[test]
    fn a_quota_is_told_by_its_code() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let told = quota(&mut world, "ec2", STANDARD).unwrap();
        assert_eq!(told["Quota"]["Value"], 1_000_000.0);
        assert!(quota(&mut world, "ec2", "L-B5D1601B").is_ok());
        for (service, code) in [("ec2", "L-00000000"), ("vpc", STANDARD)] {
            let error = quota(&mut world, service, code).unwrap_err();
            assert_eq!(error.code, "NoSuchResourceException");
        }
    }

    #[test]
    fn the_name_of_a_type_says_its_class_and_its_size() {
        for (name, class, vcpus) in [
            ("t3.small", Some("L-1216C47A"), 2),
            ("im4gn.xlarge", Some("L-1216C47A"), 4),
            ("inf1.24xlarge", Some("L-1945791B"), 96),
            ("vt1.3xlarge", Some("L-DB2E81BA"), 12),
            ("u-6tb1.metal", Some("L-43DA4232"), 96),
            ("mac2.metal", None, 96),
        ] {
            assert_eq!(
                (code_of(name, false), vcpus_of(name)),
                (class, vcpus),
                "{name}"
            );
        }
        assert_eq!(code_of("t3.small", true), Some("L-34B43A08"));
        assert_eq!(code_of("u-6tb1.metal", true), None);
    }

    #[test]
    fn what_runs_of_a_class_is_counted_and_nothing_else() {
        let text = "name: x\nabout: y\nfaults:\n  - quota: { vcpus: 10 }\n";
        let scenario = Scenario::parse(text, "x").unwrap();
        let mut world = World::of_scenario(&scenario, Timestamp::UNIX_EPOCH).unwrap();
        let mut start = |name: &str, is_spot| {
            let spec = LaunchSpec {
                instance_type: Some(name.to_owned()),
                is_spot,
                ..LaunchSpec::default()
            };
            world.start_instance(spec, Owner::Nobody)
        };
        // The rack has three instances of two vCPUs.
        let first = start("m5.xlarge", false).unwrap();
        let refused = start("t3.small", false).unwrap_err();
        assert_eq!(refused.code, "VcpuLimitExceeded");
        assert!(refused.message.contains("vCPU limit of 10"), "{refused:?}");
        start("t3.small", true).unwrap();
        start("x1.32xlarge", false).unwrap();
        world.terminate_instance(&first, "test");
        world
            .start_instance(LaunchSpec::default(), Owner::Nobody)
            .unwrap();
    }
}
