//! How the services of a cluster read in a plan.

use std::time::Duration;

use super::table::Table;
use super::text::{count, span};
use crate::roll::{ClusterPlan, ServicePlan};

/// Words the facts of a cluster's services, one a line, and how its instances are emptied; with
/// `held`, they are held for as long as that takes.
pub(super) fn cluster_words(cluster: &ClusterPlan, held: bool) -> String {
    let mut table = Table::new([
        "SERVICE",
        "DESIRED",
        "RUNNING",
        "MIN",
        "MAX",
        "PLACED ON",
        "HOST PORTS",
        "GRACE",
        "STOPS IN",
    ]);
    for service in &cluster.services {
        table.row([
            service.name.clone(),
            service.desired.to_string(),
            service.running.to_string(),
            percent(service.minimum_healthy_percent),
            percent(service.maximum_percent),
            placed(service),
            ports(&service.host_ports),
            service.health_check_grace_secs.map_or_else(none, seconds),
            seconds(service.stop_timeout_secs),
        ]);
    }
    let mut text = table.render();
    text.push_str(&behind_words(cluster));
    text.push_str(&format!("{}\n", draining_words(cluster, held)));
    let up = cluster.services.iter().filter(|service| service.stays_up);
    let up: Vec<&str> = up.map(|service| service.name.as_str()).collect();
    if !up.is_empty() {
        text.push_str(&format!(
            "never without a task, if the roll ends well: {}\n",
            up.join(", ")
        ));
    }
    match cluster.one_off_tasks.len() {
        0 => {}
        tasks => text.push_str(&format!(
            "{} of no service: draining kills what it meets\n",
            count(tasks, "one-off task")
        )),
    }
    text
}

fn draining_words(cluster: &ClusterPlan, held: bool) -> String {
    if held {
        return "instances are held until their tasks run elsewhere, for up to 48 hours".to_owned();
    }
    let managed = match cluster.managed_draining {
        Some(true) => return "ECS drains instances before they go (managed draining)".to_owned(),
        Some(false) => "no managed draining",
        None => "nobody says whether ECS drains by itself",
    };
    match cluster.drain_limit_secs {
        Some(secs) => format!(
            "a lifecycle hook drains each instance for at most {}; {managed}",
            seconds(secs)
        ),
        None => format!("no lifecycle hook drains instances: tasks die with theirs; {managed}"),
    }
}

/// Words how services stand behind their load balancers: how many targets are healthy, how long a
/// new one takes to be, and how long one is kept that leaves. Nothing, where none is behind one.
fn behind_words(cluster: &ClusterPlan) -> String {
    let mut table = Table::new([
        "BEHIND A LOAD BALANCER",
        "HEALTHY",
        "HEALTHY IN",
        "LEAVES IN",
    ]);
    for service in &cluster.services {
        let Some(health) = &service.health else {
            continue;
        };
        let unknown = || "?".to_owned();
        let healthy = health.healthy.zip(health.targets);
        table.row([
            service.name.clone(),
            healthy.map_or_else(unknown, |(healthy, all)| format!("{healthy} of {all}")),
            health.healthy_within_secs.map_or_else(unknown, seconds),
            health
                .deregistration_delay_secs
                .map_or_else(unknown, seconds),
        ]);
    }
    match table.is_empty() {
        true => String::new(),
        false => table.render(),
    }
}

fn placed(service: &ServicePlan) -> String {
    match service.instances {
        0 => none(),
        instances => {
            let instances = count(usize::try_from(instances).unwrap_or(0), "instance");
            if service.most_on_one > 1 {
                format!("{instances}, {} on one", service.most_on_one)
            } else {
                instances
            }
        }
    }
}

fn ports(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    if ports.is_empty() {
        none()
    } else {
        ports.join(",")
    }
}

fn percent(percent: Option<u32>) -> String {
    percent.map_or_else(none, |percent| format!("{percent}%"))
}

fn seconds(secs: u32) -> String {
    span(Duration::from_secs(secs.into()))
}

fn none() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack::ServiceHealth;

    fn service(name: &str, health: Option<ServiceHealth>) -> ServicePlan {
        ServicePlan {
            name: name.to_owned(),
            desired: 2,
            running: 2,
            minimum_healthy_percent: Some(50),
            maximum_percent: Some(200),
            minimum: 1,
            instances: 2,
            most_on_one: 1,
            host_ports: Vec::new(),
            health_check_grace_secs: Some(60),
            health,
            stop_timeout_secs: 30,
            is_daemon: false,
            is_fargate: false,
            stays_up: false,
        }
    }

    #[test]
    fn services_behind_load_balancers_have_a_table_of_their_own() {
        let cluster = |services| ClusterPlan {
            name: "c".to_owned(),
            managed_draining: Some(false),
            drain_limit_secs: Some(300),
            services,
            one_off_tasks: Vec::new(),
            health_unread: Vec::new(),
        };
        let known = ServiceHealth {
            healthy: Some(1),
            targets: Some(2),
            healthy_within_secs: Some(95),
            deregistration_delay_secs: Some(300),
            classic: Vec::new(),
        };
        let text = cluster_words(
            &cluster(vec![
                service("site", Some(known)),
                service("shop", Some(ServiceHealth::default())),
                service("mailer", None),
            ]),
            false,
        );
        insta::assert_snapshot!(text, @r"
        SERVICE  DESIRED  RUNNING  MIN  MAX   PLACED ON    HOST PORTS  GRACE  STOPS IN
        site     2        2        50%  200%  2 instances  -           1m     30s
        shop     2        2        50%  200%  2 instances  -           1m     30s
        mailer   2        2        50%  200%  2 instances  -           1m     30s
        BEHIND A LOAD BALANCER  HEALTHY  HEALTHY IN  LEAVES IN
        site                    1 of 2   1m 35s      5m
        shop                    ?        ?           ?
        a lifecycle hook drains each instance for at most 5m; no managed draining
        ");
        let text = cluster_words(&cluster(vec![service("mailer", None)]), false);
        assert!(!text.contains("BALANCER"), "{text}");
    }
}
