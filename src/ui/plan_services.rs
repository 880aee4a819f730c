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
