//! What services must allow so that a surge can move their tasks before they stop. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::rack::{Cluster, ClusterService};
use crate::roll::observe::Own;
use crate::roll::plan::Advice;
use crate::roll::preflight::advice;

/// Tells whether no instance matters to a service, or each has a task of its own.
pub(in crate::roll) fn is_apart(service: &ClusterService) -> bool {
    service.is_fargate || service.is_daemon || service.desired == 0
}

/// Tells whether ECS may start a replacement before it stops a task of a service.
pub(in crate::roll) fn has_room_for_one_more(service: &ClusterService) -> bool {
    let percent = service.maximum_percent.unwrap_or(200);
    service.desired * percent / 100 > service.desired
}

/// Lists why tasks of a cluster would stop before others run, or never could run elsewhere.
pub(super) fn refusals(own: &Own, cluster: &Cluster) -> Vec<Advice> {
    let services = cluster.services.iter().filter(|service| !is_apart(service));
    let mut reasons = Vec::new();
    for service in services {
        // Whoever uses the rack can do without its API for a moment, as in any other roll.
        if is_down_by_itself(own, service) {
            continue;
        }
        let name = &service.name;
        if service.minimum() == 0 {
            reasons.push(advice(
                "surge-minimum",
                format!("service {name} may have no healthy task (minimumHealthyPercent 0): draining would take all at once"),
                format!("set its minimumHealthyPercent to 50 or more in its stack, or `aws ecs update-service --cluster {} --service {name} --deployment-configuration minimumHealthyPercent=100,maximumPercent=200`", cluster.name),
            ));
        }
        if !has_room_for_one_more(service) {
            reasons.push(advice(
                "surge-maximum",
                format!(
                    "service {name} may not have one task more than {} (maximumPercent {}): none \
                     can start before another stops",
                    service.desired,
                    service.maximum_percent.unwrap_or(200)
                ),
                "set its maximumPercent to 200 in its stack",
            ));
        }
    }
    reasons.extend(port_refusals(cluster));
    reasons
}

/// Warns of services of the rack itself that draining takes down for a moment.
pub(super) fn warnings(own: &Own, cluster: &Cluster) -> Vec<Advice> {
    let services = cluster.services.iter().filter(|service| !is_apart(service));
    let down = services.filter(|service| is_down_by_itself(own, service));
    let warning = |service: &ClusterService| {
        advice(
            "surge-rack-service",
            format!(
                "service {} of the rack itself may have no healthy task (minimumHealthyPercent 0): \
                 the rack's API is away for a moment when its instance is emptied",
                service.name
            ),
            "begin when nobody deploys; the apps' own services are not touched by it",
        )
    };
    down.map(warning).collect()
}

/// Tells whether a service is the rack's own, and all its tasks may stop before others run, which a
/// rack without high availability says of its API.
fn is_down_by_itself(own: &Own, service: &ClusterService) -> bool {
    service.minimum() == 0 && own.services.contains_key(&service.name)
}

/// Refuses more tasks with one port of the host than there are instances: every instance has each
/// port once, whichever service takes it.
fn port_refusals(cluster: &Cluster) -> Vec<Advice> {
    let hosts = cluster.hosts.iter().filter(|host| !host.is_draining);
    let hosts = u32::try_from(hosts.count()).unwrap_or(u32::MAX);
    let mut takers: BTreeMap<u16, Vec<&ClusterService>> = BTreeMap::new();
    for service in cluster
        .services
        .iter()
        .filter(|service| service.desired > 0)
    {
        let mut definitions = cluster.definitions.iter();
        let definition = definitions.find(|it| it.arn == service.definition);
        let ports = definition.map_or(&[][..], |it| it.host_ports.as_slice());
        let ports: BTreeSet<u16> = ports.iter().copied().collect();
        for port in ports.into_iter().filter(|_| !service.is_fargate) {
            takers.entry(port).or_default().push(service);
        }
    }
    let mut reasons: Vec<Advice> = Vec::new();
    for (port, services) in takers {
        let tasks = services.iter().map(|service| match service.is_daemon {
            true => hosts,
            false => service.desired,
        });
        let tasks = tasks.fold(0, u32::saturating_add);
        if tasks <= hosts || services.iter().all(|service| service.is_daemon) {
            continue;
        }
        let names: Vec<&str> = services.iter().map(|it| it.name.as_str()).collect();
        let message = match names.as_slice() {
            [name] => format!(
                "service {name} wants {tasks} tasks with a port of the host each, and there are \
                 {hosts} instances"
            ),
            _ => format!(
                "services {} want {tasks} tasks with port {port} of the host, and there are \
                 {hosts} instances",
                names.join(" and ")
            ),
        };
        // One service with several ports is one reason.
        if reasons.iter().any(|reason| reason.message == message) {
            continue;
        }
        let hint = "lower its count, or add instances";
        reasons.push(advice("surge-host-ports", message, hint));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack::{ClusterDefinition, ClusterHost};

    fn service(name: &str, desired: u32) -> ClusterService {
        ClusterService {
            name: name.to_owned(),
            desired,
            running: desired,
            minimum_healthy_percent: Some(50),
            maximum_percent: Some(200),
            is_daemon: false,
            is_fargate: false,
            health_check_grace_secs: None,
            target_groups: Vec::new(),
            classic_balancers: Vec::new(),
            definition: format!("{name}:1"),
        }
    }

    /// A cluster of three instances, with services that take ports of the host.
    fn cluster<const N: usize>(services: [(ClusterService, &[u16]); N]) -> Cluster {
        let host = |n: u32| ClusterHost {
            instance: format!("i-{n}"),
            is_draining: false,
            registered_at: None,
            cpu: 2048,
            memory: 4096,
            tasks: 0,
        };
        let definition = |(service, ports): &(ClusterService, &[u16])| ClusterDefinition {
            arn: service.definition.clone(),
            host_ports: ports.to_vec(),
            stop_timeout_secs: None,
            cpu: 64,
            memory: 128,
        };
        Cluster {
            name: "c".to_owned(),
            definitions: services.iter().map(definition).collect(),
            services: services.into_iter().map(|(service, _)| service).collect(),
            hosts: (0..3).map(host).collect(),
            ..Cluster::default()
        }
    }

    fn messages(cluster: &Cluster) -> Vec<String> {
        let reasons = refusals(&Own::default(), cluster).into_iter();
        reasons.map(|reason| reason.message).collect()
    }

    #[test]
    fn tasks_with_the_same_port_are_added_up() {
        let fits = cluster([
            (service("a", 2), &[5000]),
            (service("b", 2), &[5001]),
            (service("c", 9), &[]),
        ]);
        assert_eq!(messages(&fits), [""; 0]);
        let alone = cluster([(service("a", 4), &[5000, 5001])]);
        assert_eq!(
            messages(&alone),
            ["service a wants 4 tasks with a port of the host each, and there are 3 instances"]
        );
        let together = cluster([(service("a", 2), &[5000]), (service("b", 2), &[5000])]);
        assert_eq!(
            messages(&together),
            ["services a and b want 4 tasks with port 5000 of the host, and there are 3 instances"]
        );
        let daemon = ClusterService {
            is_daemon: true,
            ..service("d", 3)
        };
        assert_eq!(messages(&cluster([(daemon.clone(), &[9100])])), [""; 0]);
        let beside = cluster([(daemon, &[9100]), (service("a", 1), &[9100])]);
        assert_eq!(messages(&beside).len(), 1);
    }

    #[test]
    fn only_the_racks_own_services_may_be_down() {
        let fragile = |name: &str| ClusterService {
            minimum_healthy_percent: Some(0),
            maximum_percent: Some(100),
            ..service(name, 1)
        };
        let cluster = cluster([(fragile("api"), &[4000]), (fragile("web"), &[])]);
        let own = Own {
            services: BTreeMap::from([("api".to_owned(), "ServiceWebApi".to_owned())]),
            ..Own::default()
        };
        let reasons = refusals(&own, &cluster);
        let refused: Vec<&str> = reasons.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(refused, ["surge-minimum", "surge-maximum"]);
        assert!(reasons.iter().all(|it| it.message.contains("web")));
        let warned = warnings(&own, &cluster);
        assert_eq!(warned.len(), 1);
        assert!(warned[0].message.contains("service api of the rack"));
        assert_eq!(warnings(&Own::default(), &cluster), []);
    }
}
