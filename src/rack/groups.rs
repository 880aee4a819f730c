//! The groups in which a rack's parameters are shown.

use super::change::TAGS;

/// A group's name and its parameters; one that ends in `*` stands for all that begin so.
///
/// The names of the groups are those of the classic CLI. Which parameter belongs to which is
/// our own reading of the rack template; some belong to two.
const GROUPS: [(&str, &[&str]); 10] = [
    (
        "api",
        &[
            "ApiCount",
            "ApiCpu",
            "ApiMonitorMemory",
            "ApiRouter",
            "ApiWebMemory",
            "PrivateApi*",
        ],
    ),
    (
        "build",
        &[
            "Build*",
            "FargateBuild*",
            "PrivateBuild",
            "PruneOlderImages*",
        ],
    ),
    (
        "instances",
        &[
            "Ami",
            "CpuCredits",
            "DefaultAmi*",
            "Ecs*",
            "EnableContainerReadonlyRootFilesystem",
            "IMDS*",
            "ImagePullBehavior",
            "Instance*",
            "Key",
            "MinInstancesInService",
            "NoHaInstanceCount",
            "SwapSize",
            "Tenancy",
            "VolumeSize",
        ],
    ),
    ("logging", &["Log*", "Syslog*"]),
    (
        "meta",
        &[
            "ClientId",
            "Development",
            "HighAvailability",
            "MaintainTimerState",
            TAGS,
            "Telemetry",
            "Version",
        ],
    ),
    (
        "network",
        &[
            "AvailabilityZones",
            "DisableALBPort80",
            "ExistingVpc",
            "HttpProxy",
            "Internal*",
            "InternetGateway",
            "LoadBalancerIdleTimeout",
            "MaxAvailabilityZones",
            "PlaceLambdaInVpc",
            "Private",
            "Router*",
            "SslPolicy",
            "Subnet*",
            "VPCCIDR",
            "WhiteList",
        ],
    ),
    ("nlb", &["NLB*"]),
    (
        "scaling",
        &[
            "Autoscale*",
            "InstanceCount",
            "InstanceType",
            "NoHA*",
            "NoHaInstanceCount",
            "OnDemandMinCount",
            "ScheduleRackScale*",
            "Spot*",
        ],
    ),
    (
        "security",
        &[
            "BuildInstancePolicy",
            "BuildInstanceSecurityGroup",
            "EnableContainerReadonlyRootFilesystem",
            "EnableSharedEFSVolumeEncryption",
            "Encrypt*",
            "IMDS*",
            "InstancePolicy",
            "InstanceSecurityGroup",
            "InstancesIpToIncludInWhiteListing",
            "Key",
            "Password",
            "PrivateApiSecurityGroup",
            "Router*SecurityGroup",
            "RouterMitigationMode",
            "RouterSecurityGroup",
            "SslPolicy",
            "WhiteList",
        ],
    ),
    (
        "storage",
        &[
            "BuildVolumeSize",
            "DynamoDb*",
            "EnableS3Versioning",
            "EnableSharedEFSVolumeEncryption",
            "EncryptEbs",
            "LogBucket",
            "SwapSize",
            "VolumeSize",
        ],
    ),
];

/// Where a parameter goes that no group names: a template newer than this list has some.
const REST: &str = "meta";

/// The fewest letters by which a group is suggested.
const SUGGESTED: usize = 3;

/// Why no group is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupProblem {
    /// Nothing was named.
    #[error("group name required")]
    Missing,
    /// There is no such group.
    #[error("group '{0}' not found")]
    Unknown(String),
    /// Several begin so.
    #[error(
        "group '{asked}' matches multiple groups: {} (use {})",
        .found.join(", "),
        .found.iter().map(|name| format!("'{}'", &name[..SUGGESTED])).collect::<Vec<_>>().join(" or ")
    )]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The groups that begin so.
        found: Vec<&'static str>,
    },
}

/// A group of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterGroup {
    name: &'static str,
    members: &'static [&'static str],
}

impl ParameterGroup {
    /// Finds the group that is meant: by its name, or by what only one begins with.
    ///
    /// # Errors
    /// [`GroupProblem`] when it is none or several, in the classic's words.
    pub fn find(asked: &str) -> Result<Self, GroupProblem> {
        let wanted = asked.trim().to_lowercase();
        if wanted.is_empty() {
            return Err(GroupProblem::Missing);
        }
        let all = GROUPS.iter();
        let fits: Vec<_> = all.filter(|(name, _)| name.starts_with(&wanted)).collect();
        let exact = fits.iter().find(|(name, _)| *name == wanted);
        match (exact, fits.as_slice()) {
            (Some((name, members)), _) | (None, [(name, members)]) => Ok(Self { name, members }),
            (None, []) => Err(GroupProblem::Unknown(asked.trim().to_owned())),
            (None, several) => Err(GroupProblem::Ambiguous {
                asked: asked.trim().to_owned(),
                found: several.iter().map(|(name, _)| *name).collect(),
            }),
        }
    }

    /// Lists the names of all groups.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        GROUPS.iter().map(|(name, _)| *name).collect()
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tells whether a parameter belongs to the group.
    #[must_use]
    pub fn has(&self, parameter: &str) -> bool {
        holds(self.members, parameter)
            || (self.name == REST && !GROUPS.iter().any(|(_, members)| holds(members, parameter)))
    }
}

fn holds(members: &[&str], parameter: &str) -> bool {
    members.iter().any(|member| match member.split_once('*') {
        Some((start, end)) => {
            parameter.len() >= start.len() + end.len()
                && parameter.starts_with(start)
                && parameter.ends_with(end)
        }
        None => *member == parameter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(asked: &str) -> Result<&'static str, String> {
        ParameterGroup::find(asked)
            .map(|group| group.name())
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_group_is_found_by_what_it_begins_with() {
        for (asked, name) in [
            ("network", "network"),
            ("net", "network"),
            ("nl", "nlb"),
            ("in", "instances"),
            (" SECURITY ", "security"),
            ("ap", "api"),
        ] {
            assert_eq!(found(asked), Ok(name), "{asked}");
        }
    }

    #[test]
    fn what_is_not_one_group_is_told_in_the_classics_words() {
        assert_eq!(found("zz").unwrap_err(), "group 'zz' not found");
        assert_eq!(
            found("n").unwrap_err(),
            "group 'n' matches multiple groups: network, nlb (use 'net' or 'nlb')"
        );
        assert_eq!(
            found("s").unwrap_err(),
            "group 's' matches multiple groups: scaling, security, storage (use 'sca' or 'sec' or \
             'sto')"
        );
        assert_eq!(found(" ").unwrap_err(), "group name required");
    }

    #[test]
    fn no_parameter_is_in_no_group() {
        let group = |name| ParameterGroup::find(name).unwrap();
        for (parameter, name) in [
            ("Key", "security"),
            ("Password", "security"),
            ("NLBInternalAllowCIDR", "nlb"),
            ("InternalRouterSuffix", "network"),
            ("SpotFleetMaxPrice", "scaling"),
            ("SubnetPrivate2CIDR", "network"),
            ("RouterInternalSecurityGroup", "security"),
            ("VolumeSize", "storage"),
            ("SomethingNew", "meta"),
        ] {
            assert!(group(name).has(parameter), "{parameter} {name}");
        }
        assert!(!group("meta").has("Key"));
        assert!(!group("network").has("InternetExplorer"));
    }
}
