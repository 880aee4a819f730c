//! The rack's own HTTP API, as far as a roll of its key can notice.
//!
//! It is answered by the tasks of the rack's web service, behind a balancer: each knows the key
//! that it was started with, and nobody answers while none is healthy.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::api::Input;
use super::cloudformation::Stack;
use super::ecs::Task;
use super::wire::{self, Service};
use super::world::World;

/// The logical id of the service in a rack's template.
const SERVICE: &str = "ServiceWebApi";
/// The user whose name the balancer's path begins with, as in `/racks/prod/auth`.
const PREFIX: &str = "/racks/";

/// Splits `/racks/NAME/PATH`, where a served sandbox has its racks' APIs, into name and path.
pub(super) fn rack_of_path(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(PREFIX)?;
    let at = rest.find('/')?;
    Some((&rest[..at], &rest[at..]))
}

impl World {
    /// Returns the keys that the healthy tasks of a rack's API take, one for each.
    #[must_use]
    pub fn rack_api_keys(&self, rack: &str) -> Vec<String> {
        let tasks = self.rack_api_tasks(rack).into_iter();
        tasks.map(key_of).collect()
    }

    /// Returns the rack that a request means which names none in its path: the one of its header
    /// `Rack`, or else the only one that has an API.
    pub(super) fn rack_meant(&self, request: &Request<Bytes>) -> Option<String> {
        let named = request
            .headers()
            .get("rack")
            .and_then(|it| it.to_str().ok());
        let mut racks = self.cloudformation.stacks().filter(|stack| {
            let mut resources = stack.resources();
            resources.any(|it| it.logical_id == SERVICE)
        });
        match (named, racks.next(), racks.next()) {
            (Some(named), _, _) => Some(named.to_owned()),
            (None, Some(only), None) => Some(only.name.clone()),
            _ => None,
        }
    }

    fn rack_api_tasks(&self, rack: &str) -> Vec<&Task> {
        let service = self.cloudformation.stack(rack).and_then(|stack| {
            let resource = stack.resources().find(|it| it.logical_id == SERVICE)?;
            self.ecs.service(&resource.physical_id)
        });
        let Some(service) = service else {
            return Vec::new();
        };
        let Some(cluster) = self.ecs.cluster(&service.cluster) else {
            return Vec::new();
        };
        // A task is taken off the balancer before it is stopped.
        let tasks = service.tasks.iter().filter_map(|id| cluster.tasks.get(id));
        tasks.filter(|task| task.is_healthy()).collect()
    }

    /// Answers a request to a rack's API; `path` is what the rack sees of it.
    pub(super) fn answer_as_rack(
        &mut self,
        rack: &str,
        path: &str,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        let keys = self.rack_api_keys(rack);
        let Some(many) = std::num::NonZeroUsize::new(keys.len()) else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable\n");
        };
        let chosen = usize::try_from(self.requests.bits() >> 1).unwrap_or(0) % many;
        if path == "/check" {
            return text(StatusCode::OK, "ok");
        }
        if password_in(request).as_deref() != Some(keys[chosen].as_str()) {
            let mut refused = text(StatusCode::UNAUTHORIZED, "invalid authentication\n");
            let challenge = header::HeaderValue::from_static("Basic");
            refused
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
            return refused;
        }
        match (request.method().as_str(), path) {
            ("GET", "/auth") => text(StatusCode::OK, "ok\n"),
            ("GET", "/system") => self.system(rack),
            ("PUT", "/system") => self.update_system(rack, request.body()),
            _ => text(StatusCode::NOT_FOUND, ""),
        }
    }

    /// Updates the stack as a rack does by itself: all parameters of a nested form in one update,
    /// and names that the stack does not have are dropped without a word.
    fn update_system(&mut self, rack: &str, body: &[u8]) -> Response<Bytes> {
        let field = form_urlencoded::parse(body).find(|(name, _)| name == "parameters");
        let nested = field.map(|(_, nested)| nested.into_owned());
        let nested = nested.unwrap_or_default();
        let wanted: BTreeMap<_, _> = form_urlencoded::parse(nested.as_bytes()).collect();
        let names = self.cloudformation.stack(rack).map(Stack::parameter_names);
        let parameters = names
            .into_iter()
            .flatten()
            .map(|name| match wanted.get(&*name) {
                Some(value) => json!({ "ParameterKey": name, "ParameterValue": value }),
                None => json!({ "ParameterKey": name, "UsePreviousValue": true }),
            });
        let parameters: Vec<Value> = parameters.collect();
        let asked = Input(json!({
            "StackName": rack,
            "UsePreviousTemplate": true,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": parameters,
        }));
        match wire::dispatch(self, Service::CloudFormation, "UpdateStack", &asked) {
            Ok(_) => text(StatusCode::OK, "ok\n"),
            // A rack passes on what the SDK says, whatever it is.
            Err(error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!(
                    "{}: {}\n\tstatus code: {}, request id: sandbox\n",
                    error.code, error.message, error.status
                ),
            ),
        }
    }

    fn system(&mut self, rack: &str) -> Response<Bytes> {
        let asked = Input(json!({ "StackName": rack }));
        let described = wire::dispatch(self, Service::CloudFormation, "DescribeStacks", &asked);
        let Ok(described) = described else {
            return text(StatusCode::NOT_FOUND, &format!("{rack} not found\n"));
        };
        let stack = &described["Stacks"][0];
        let map = |list: &str, key: &str, value: &str| -> Map<String, Value> {
            let entries = stack[list].as_array().into_iter().flatten();
            let pairs =
                entries.filter_map(|it| Some((it[key].as_str()?.to_owned(), it[value].clone())));
            pairs.collect()
        };
        let parameters = map("Parameters", "ParameterKey", "ParameterValue");
        let given = |name: &str| parameters.get(name).cloned().unwrap_or_default();
        let count = given("InstanceCount")
            .as_str()
            .and_then(|it| it.parse::<u32>().ok());
        let status = match stack["StackStatus"].as_str().unwrap_or_default() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" => "running",
            "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => "updating",
            status if status.contains("ROLLBACK") && status.ends_with("_IN_PROGRESS") => "rollback",
            "UPDATE_ROLLBACK_FAILED" => "failed",
            _ => "unknown",
        };
        let body = json!({
            "count": count.unwrap_or_default(),
            "domain": "",
            "name": rack,
            "outputs": map("Outputs", "OutputKey", "OutputValue"),
            "provider": "aws",
            "rack-domain": "",
            "region": self.region,
            "status": status,
            "type": given("InstanceType"),
            "version": given("Version"),
            "parameters": parameters,
        });
        let body = serde_json::to_string_pretty(&body).unwrap_or_default() + "\n";
        let mut answer = text(StatusCode::OK, &body);
        let json = header::HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        answer
    }
}

fn key_of(task: &Task) -> String {
    let password = task.password.as_ref();
    password.map(|password| password.text()).unwrap_or_default()
}

/// The password of `Authorization: Basic`; the user's name does not matter to a rack.
fn password_in(request: &Request<Bytes>) -> Option<String> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let encoded = header.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}

fn text(status: StatusCode, body: &str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *answer.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Scenario;

    fn get(path: &str, password: &str) -> Request<Bytes> {
        let basic = STANDARD.encode(format!("convox:{password}"));
        Request::get(path)
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn a_task_takes_the_key_that_it_was_started_with() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut world = World::of_scenario(&Scenario::default(), now).unwrap();
        let ask = |world: &mut World, path: &str, password: &str| {
            let request = get(path, password);
            world
                .answer_as_rack("prod", path, &request)
                .status()
                .as_u16()
        };
        assert_eq!(world.rack_api_keys("prod").len(), 2);
        assert_eq!(ask(&mut world, "/auth", "sandbox-password"), 200);
        assert_eq!(ask(&mut world, "/auth", "other"), 401);
        assert_eq!(ask(&mut world, "/check", ""), 200);
        assert_eq!(ask(&mut world, "/nowhere", "sandbox-password"), 404);
        world.put_ssm_parameter("prodRackApiSecret", "other");
        assert_eq!(ask(&mut world, "/auth", "sandbox-password"), 200);
        let answer = world.answer_as_rack("prod", "/system", &get("/system", "sandbox-password"));
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["status"], "running");
        assert_eq!(body["parameters"]["Password"], "****");
        assert_eq!(ask(&mut world, "/auth", "sandbox-password"), 200);
        assert!(world.rack_api_keys("nothing").is_empty());
    }

    #[test]
    fn a_rack_updates_its_own_stack() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut world = World::of_scenario(&Scenario::default(), now).unwrap();
        let put = |world: &mut World, form: &'static str| {
            let mut request = get("/system", "sandbox-password");
            *request.method_mut() = http::Method::PUT;
            *request.body_mut() = Bytes::from_static(form.as_bytes());
            assert_eq!(world.rack_meant(&request).as_deref(), Some("prod"));
            let answer = world.answer_as_rack("prod", "/system", &request);
            let said = String::from_utf8(answer.body().to_vec()).unwrap();
            (answer.status().as_u16(), said)
        };
        let same = "parameters=Password%3Dsandbox-password%26Bogus%3Dx";
        let (status, said) = put(&mut world, same);
        assert_eq!(status, 500);
        let nothing = "ValidationError: No updates are to be performed.";
        assert!(said.starts_with(nothing), "{said}");
        let new = "parameters=Password%3Da%253Db%2526c%2Bd";
        assert_eq!(put(&mut world, new), (200, "ok\n".to_owned()));
        let (status, said) = put(&mut world, new);
        assert!(
            status == 500 && said.contains("UPDATE_IN_PROGRESS"),
            "{said}"
        );
        let stack = world.cloudformation.stack("prod").unwrap();
        assert_eq!(stack.parameter("InstanceCount"), Some("3"));
    }

    #[test]
    fn a_path_names_its_rack() {
        assert_eq!(rack_of_path("/racks/prod/auth"), Some(("prod", "/auth")));
        assert_eq!(rack_of_path("/racks/prod"), None);
        assert_eq!(rack_of_path("/bucket/key"), None);
    }
}
