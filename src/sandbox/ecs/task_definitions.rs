//! Task definitions and their revisions.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::world::World;
use super::{Ecs, Room};

/// One revision of a task definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// The ARN.
    pub arn: String,
    /// The family.
    pub family: String,
    /// The revision, from 1.
    pub revision: usize,
    /// When it was registered.
    pub registered: Timestamp,
    /// The host ports that it takes, which one host can give only once.
    pub host_ports: BTreeSet<u16>,
    /// What it takes of a host.
    #[serde(default = "nothing")]
    pub needs: Room,
    /// How long ECS lets its tasks stop.
    #[serde(default = "usual_stop_timeout")]
    pub stop_timeout: Duration,
    /// All it says, with the API's names.
    pub body: Value,
}

impl Ecs {
    /// Finds a task definition by ARN, by `family:revision`, or the newest of a family.
    #[must_use]
    pub fn task_definition(&self, name: &str) -> Option<&TaskDefinition> {
        let short = name.rsplit_once('/').map_or(name, |(_, short)| short);
        match short.rsplit_once(':') {
            Some((family, revision)) => {
                let revision: usize = revision.parse().ok()?;
                self.families.get(family)?.get(revision.checked_sub(1)?)
            }
            None => self.families.get(short)?.last(),
        }
    }
}

impl World {
    /// Registers a task definition from its CloudFormation properties and returns its ARN.
    pub fn register_task_definition(&mut self, properties: &Value) -> String {
        let body = with_api_names(properties);
        self.register_body(body).arn.clone()
    }

    /// Registers a task definition that has the API's names already.
    pub(super) fn register_body(&mut self, mut body: Value) -> &TaskDefinition {
        let family = match body.get("family").and_then(Value::as_str) {
            Some(family) => family.to_owned(),
            None => format!("task-{}", self.chance.hex(12)),
        };
        let now = self.now;
        let revision = self.ecs.families.get(&family).map_or(0, Vec::len) + 1;
        let arn = self.arn("ecs", &format!("task-definition/{family}:{revision}"));
        if let Some(fields) = body.as_object_mut() {
            fields.insert("family".to_owned(), family.clone().into());
            fields.remove("tags");
        }
        let (host_ports, needs) = (host_ports(&body), needs(&body));
        let stop_timeout = stop_timeout(&body);
        let definition = TaskDefinition {
            arn,
            family: family.clone(),
            revision,
            registered: now,
            host_ports,
            needs,
            stop_timeout,
            body,
        };
        let revisions = self.ecs.families.entry(family).or_default();
        revisions.push(definition);
        &revisions[revision - 1]
    }
}

fn nothing() -> Room {
    Room::NONE
}

/// What ECS gives a task that does not say otherwise (`ECS_CONTAINER_STOP_TIMEOUT`).
fn usual_stop_timeout() -> Duration {
    Duration::from_secs(30)
}

fn containers(body: &Value) -> impl Iterator<Item = &Value> {
    let containers = body.get("containerDefinitions").and_then(Value::as_array);
    containers.into_iter().flatten()
}

/// What a task takes of its host.
fn needs(body: &Value) -> Room {
    let number = |container: &Value, name: &str| container.get(name).and_then(whole).unwrap_or(0);
    containers(body).fold(Room::NONE, |sum, container| {
        sum.plus(Room {
            cpu: number(container, "cpu"),
            memory: match number(container, "memoryReservation") {
                0 => number(container, "memory"),
                reserved => reserved,
            },
        })
    })
}

/// How long the container that may take longest is let stop.
fn stop_timeout(body: &Value) -> Duration {
    let said = containers(body).filter_map(|container| container.get("stopTimeout"));
    let longest = said.filter_map(whole).max();
    longest.map_or_else(usual_stop_timeout, Duration::from_secs)
}

/// The ports that a task takes on its host; with its own network address it takes none.
fn host_ports(body: &Value) -> BTreeSet<u16> {
    let mode = body
        .get("networkMode")
        .and_then(Value::as_str)
        .unwrap_or("bridge");
    if mode == "awsvpc" {
        return BTreeSet::new();
    }
    let list = |value: &Value, name: &str| -> Vec<Value> {
        value
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    list(body, "containerDefinitions")
        .iter()
        .flat_map(|container| list(container, "portMappings"))
        .filter_map(|mapping| {
            let name = if mode == "host" {
                "containerPort"
            } else {
                "hostPort"
            };
            u16::try_from(whole(mapping.get(name)?)?).ok()
        })
        .filter(|port| *port != 0)
        .collect()
}

/// Reads a whole number, which CloudFormation may have as text.
pub(super) fn whole(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// Turns CloudFormation's names into the API's, and its text into numbers where the API has such.
pub(super) fn with_api_names(value: &Value) -> Value {
    /// Maps whose keys are somebody's own words.
    const OPAQUE: [&str; 3] = ["DockerLabels", "Options", "DriverOpts"];
    const NUMBERS: [&str; 8] = [
        "StopTimeout",
        "Cpu",
        "Memory",
        "MemoryReservation",
        "HostPort",
        "ContainerPort",
        "SoftLimit",
        "HardLimit",
    ];
    const TRUTHS: [&str; 5] = [
        "Essential",
        "Privileged",
        "ReadonlyRootFilesystem",
        "InitProcessEnabled",
        "ReadOnly",
    ];
    match value {
        Value::Object(fields) => {
            let is_container = fields.contains_key("Image");
            let mut named = Map::new();
            for (name, inner) in fields {
                let text = inner.as_str();
                // A task's own Cpu and Memory are text in the API too.
                let is_number = NUMBERS.contains(&name.as_str())
                    && (is_container || !matches!(name.as_str(), "Cpu" | "Memory"));
                let translated = if OPAQUE.contains(&name.as_str()) {
                    inner.clone()
                } else if is_number && let Some(number) = whole(inner) {
                    number.into()
                } else if TRUTHS.contains(&name.as_str()) && text.is_some() {
                    Value::Bool(text == Some("true"))
                } else {
                    with_api_names(inner)
                };
                named.insert(lower_first(name), translated);
            }
            Value::Object(named)
        }
        Value::Array(items) => items.iter().map(with_api_names).collect(),
        other => other.clone(),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cloudformations_names_become_the_apis() {
        let properties = json!({
            "Family": "web",
            "Cpu": "256",
            "ContainerDefinitions": [{
                "Name": "web", "Image": "convox/rack", "Cpu": "128", "Essential": "true",
                "DockerLabels": { "rack.SshKey": "k1" },
                "PortMappings": [{ "HostPort": "4000", "ContainerPort": "5443" }],
            }],
        });
        let expected = json!({
            "family": "web",
            "cpu": "256",
            "containerDefinitions": [{
                "name": "web", "image": "convox/rack", "cpu": 128, "essential": true,
                "dockerLabels": { "rack.SshKey": "k1" },
                "portMappings": [{ "hostPort": 4000, "containerPort": 5443 }],
            }],
        });
        assert_eq!(with_api_names(&properties), expected);
        assert_eq!(host_ports(&expected), BTreeSet::from([4000]));
    }

    #[test]
    fn revisions_count_up_and_are_found_by_any_name() {
        let mut world = World::new("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let one = world.register_task_definition(&json!({ "Family": "web" }));
        let two = world.register_task_definition(&json!({ "Family": "web" }));
        assert!(one.ends_with("task-definition/web:1") && two.ends_with("task-definition/web:2"));
        for name in [two.as_str(), "web", "web:2"] {
            assert_eq!(
                world.ecs.task_definition(name).unwrap().revision,
                2,
                "{name}"
            );
        }
        assert!(world.ecs.task_definition("web:3").is_none());
        assert!(world.ecs.task_definition("web:0").is_none());
    }
}
