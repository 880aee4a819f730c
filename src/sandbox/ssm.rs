//! SSM: Parameter Store, as far as key stores and templates use it, and the door to commands.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::hidden::Hidden;
use super::run_command::{self, Command};
use super::world::World;

/// SSM's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ssm {
    /// Commands that instances were sent, by id.
    #[serde(default)]
    pub(super) commands: BTreeMap<String, Command>,
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameter {
    kind: String,
    value: Hidden,
    key: Option<String>,
    description: Option<String>,
    version: u64,
    /// Milliseconds since 1970.
    modified: i64,
    tags: BTreeMap<String, String>,
}

impl World {
    /// Makes or replaces a parameter of type `String`.
    pub fn put_ssm_parameter(&mut self, name: &str, value: &str) {
        self.store_parameter(name, "String", value, None, None);
    }

    /// Deletes a parameter; one that is not there counts as deleted.
    pub fn delete_ssm_parameter(&mut self, name: &str) {
        self.ssm.parameters.remove(name);
    }

    /// Returns a parameter's value in clear; AWS's public image parameters have one too.
    #[must_use]
    pub fn ssm_value(&self, name: &str) -> Option<String> {
        match self.ssm.parameters.get(name) {
            Some(parameter) => Some(parameter.value.text()),
            None => public_value(name),
        }
    }

    fn store_parameter(
        &mut self,
        name: &str,
        kind: &str,
        value: &str,
        key: Option<String>,
        description: Option<String>,
    ) -> u64 {
        let modified = self.now.as_millisecond();
        let old = self.ssm.parameters.remove(name);
        let version = old.as_ref().map_or(0, |old| old.version) + 1;
        let parameter = Parameter {
            kind: kind.to_owned(),
            value: Hidden::new(value),
            key,
            description: description.or_else(|| old.as_ref()?.description.clone()),
            version,
            modified,
            tags: old.map(|old| old.tags).unwrap_or_default(),
        };
        self.ssm.parameters.insert(name.to_owned(), parameter);
        version
    }
}

/// Returns the value of one of AWS's public parameters that name a machine image.
///
/// The image ids are made up; the names are those of the ECS developer guide,
/// "Retrieving Amazon ECS-optimized AMI metadata".
fn public_value(name: &str) -> Option<String> {
    let path = name.strip_prefix("/aws/service/")?;
    let image = path.ends_with("/image_id") || path.starts_with("ami-");
    image.then(|| {
        let sum = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("ami-0{sum:016x}")
    })
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "PutParameter" => put_parameter(world, input),
        "GetParameter" => get_parameter(world, input),
        "GetParameters" => get_parameters(world, input),
        "GetParametersByPath" => get_parameters_by_path(world, input),
        "DescribeParameters" => Ok(describe_parameters(world, input)),
        "DeleteParameter" => delete_parameter(world, input),
        "DeleteParameters" => Ok(delete_parameters(world, input)),
        "AddTagsToResource" => add_tags(world, input),
        "ListTagsForResource" => list_tags(world, input),
        other => return run_command::handle(world, other, input),
    })
}

fn missing() -> AwsError {
    AwsError::new(400, "ParameterNotFound", "")
}

fn put_parameter(world: &mut World, input: &Input) -> Answer {
    let name = input.required("Name")?;
    let value = input.required("Value")?;
    let overwrite = input.truth("Overwrite").unwrap_or(false);
    let old = world.ssm.parameters.get(&name);
    if old.is_some() && !overwrite {
        return Err(AwsError::new(
            400,
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in \
             the request to true.",
        ));
    }
    let kind = match (input.text("Type"), old) {
        (Some(kind), _) => kind,
        (None, Some(old)) => old.kind.clone(),
        (None, None) => {
            return Err(AwsError::new(
                400,
                "ValidationException",
                "A parameter type is required when you create a parameter.",
            ));
        }
    };
    if !matches!(kind.as_str(), "String" | "StringList" | "SecureString") {
        return Err(AwsError::new(
            400,
            "UnsupportedParameterType",
            format!("The parameter type, {kind}, is not supported."),
        ));
    }
    if value.len() > 4096 && input.text("Tier").is_none_or(|tier| tier == "Standard") {
        return Err(AwsError::new(
            400,
            "ValidationException",
            "Standard tier parameters support a maximum parameter value of 4096 characters. To \
             create a larger parameter value, upgrade the parameter to use the advanced-parameter \
             tier. For more information, see \
             https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
        ));
    }
    let key = (kind == "SecureString").then(|| {
        input
            .text("KeyId")
            .unwrap_or_else(|| "alias/aws/ssm".to_owned())
    });
    let version = world.store_parameter(&name, &kind, &value, key, input.text("Description"));
    if let Some(parameter) = world.ssm.parameters.get_mut(&name) {
        parameter.tags.extend(tags(input));
    }
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

fn tags(input: &Input) -> BTreeMap<String, String> {
    let pair = |tag: &Input| Some((tag.text("Key")?, tag.text("Value").unwrap_or_default()));
    input.items("Tags").iter().filter_map(pair).collect()
}

/// Shows a parameter with its value: in clear, or as the ciphertext that Parameter Store keeps.
fn shown(world: &mut World, name: &str, decrypt: bool) -> Result<Value, AwsError> {
    let Some(parameter) = world.ssm.parameters.get(name).cloned() else {
        let value = public_value(name).ok_or_else(missing)?;
        let region = &world.region;
        return Ok(json!({
            "Name": name, "Type": "String", "Value": value, "Version": 1,
            "LastModifiedDate": 1_760_000_000, "DataType": "text",
            "ARN": format!("arn:aws:ssm:{region}::parameter{name}"),
        }));
    };
    let arn = world.arn(
        "ssm",
        &format!("parameter/{}", name.trim_start_matches('/')),
    );
    let value = match &parameter.key {
        Some(key) if !decrypt => {
            let context = Input(json!({ "PARAMETER_ARN": arn }));
            STANDARD.encode(world.kms_encrypt(key, parameter.value.bytes(), &context)?)
        }
        _ => parameter.value.text(),
    };
    Ok(json!({
        "Name": name,
        "Type": parameter.kind,
        "Value": value,
        "Version": parameter.version,
        "LastModifiedDate": seconds(parameter.modified),
        "ARN": arn,
        "DataType": "text",
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a millisecond count is far below 2^53"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn decrypts(input: &Input) -> bool {
    input.truth("WithDecryption").unwrap_or(false)
}

fn get_parameter(world: &mut World, input: &Input) -> Answer {
    let name = input.required("Name")?;
    Ok(json!({ "Parameter": shown(world, &name, decrypts(input))? }))
}

fn get_parameters(world: &mut World, input: &Input) -> Answer {
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in input.texts("Names") {
        match shown(world, &name, decrypts(input)) {
            Ok(parameter) => found.push(parameter),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

fn get_parameters_by_path(world: &mut World, input: &Input) -> Answer {
    let path = input.required("Path")?;
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let recursive = input.truth("Recursive").unwrap_or(false);
    let within = |name: &&String| {
        name.strip_prefix(&prefix)
            .is_some_and(|rest| recursive || !rest.contains('/'))
    };
    let names: Vec<_> = world
        .ssm
        .parameters
        .keys()
        .filter(within)
        .cloned()
        .collect();
    let (page, next) = page(&names, input, 10);
    let mut parameters = Vec::new();
    for name in page {
        parameters.push(shown(world, name, decrypts(input))?);
    }
    Ok(json!({ "Parameters": parameters, "NextToken": next }))
}

/// Cuts one page out of a sorted list; the token is the last name of the page before.
pub(super) fn page<'a>(
    names: &'a [String],
    input: &Input,
    most: usize,
) -> (&'a [String], Option<String>) {
    let size = input
        .integer("MaxResults")
        .and_then(|size| usize::try_from(size).ok());
    let size = size.unwrap_or(most).clamp(1, 50);
    let start = input.text("NextToken").map_or(0, |token| {
        names.partition_point(|name| name.as_str() <= token.as_str())
    });
    let end = names.len().min(start + size);
    let next = (end < names.len()).then(|| names[end - 1].clone());
    (&names[start..end], next)
}

fn describe_parameters(world: &World, input: &Input) -> Value {
    let filters = input.items("ParameterFilters");
    let matches = |(name, parameter): &(&String, &Parameter)| {
        filters
            .iter()
            .all(|filter| filter_matches(filter, name, parameter))
    };
    let names: Vec<_> = world
        .ssm
        .parameters
        .iter()
        .filter(matches)
        .map(|(name, _)| name.clone())
        .collect();
    let (page, next) = page(&names, input, 50);
    let described: Vec<_> = page
        .iter()
        .filter_map(|name| Some((name, world.ssm.parameters.get(name)?)))
        .map(|(name, parameter)| {
            json!({
                "Name": name,
                "Type": parameter.kind,
                "KeyId": parameter.key,
                "Description": parameter.description,
                "LastModifiedDate": seconds(parameter.modified),
                "Version": parameter.version,
                "Tier": "Standard",
                "DataType": "text",
                "Policies": [],
            })
        })
        .collect();
    json!({ "Parameters": described, "NextToken": next })
}

fn filter_matches(filter: &Input, name: &str, parameter: &Parameter) -> bool {
    let values = filter.texts("Values");
    let begins = filter.text("Option").as_deref() == Some("BeginsWith");
    let any = |text: &str| {
        values.iter().any(|value| {
            if begins {
                text.starts_with(value)
            } else {
                text == value
            }
        })
    };
    match filter.text("Key").as_deref() {
        Some("Name") => any(name),
        Some("Type") => any(&parameter.kind),
        Some("Path") => values.iter().any(|path| {
            name.strip_prefix(path.trim_end_matches('/'))
                .is_some_and(|rest| rest.starts_with('/'))
        }),
        Some(key) if key.starts_with("tag:") => parameter
            .tags
            .get(&key[4..])
            .is_some_and(|value| values.is_empty() || any(value)),
        _ => true,
    }
}

fn delete_parameter(world: &mut World, input: &Input) -> Answer {
    let name = input.required("Name")?;
    world
        .ssm
        .parameters
        .remove(&name)
        .map(|_| json!({}))
        .ok_or_else(missing)
}

fn delete_parameters(world: &mut World, input: &Input) -> Value {
    let names = input.texts("Names");
    let (deleted, invalid): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| world.ssm.parameters.remove(name).is_some());
    json!({ "DeletedParameters": deleted, "InvalidParameters": invalid })
}

fn add_tags(world: &mut World, input: &Input) -> Answer {
    let name = input.required("ResourceId")?;
    let tags = tags(input);
    let Some(parameter) = world.ssm.parameters.get_mut(&name) else {
        return Err(AwsError::new(400, "InvalidResourceId", ""));
    };
    parameter.tags.extend(tags);
    Ok(json!({}))
}

fn list_tags(world: &World, input: &Input) -> Answer {
    let name = input.required("ResourceId")?;
    let Some(parameter) = world.ssm.parameters.get(&name) else {
        return Err(AwsError::new(400, "InvalidResourceId", ""));
    };
    let tags: Vec<_> = parameter
        .tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(json!({ "TagList": tags }))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn world() -> World {
        World::new(Timestamp::UNIX_EPOCH, 1)
    }

    fn call(world: &mut World, action: &str, input: Value) -> Answer {
        handle(world, action, &Input(input)).unwrap()
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let mut world = world();
        let put = json!({ "Name": "/k/a", "Value": "one", "Type": "SecureString" });
        call(&mut world, "PutParameter", put.clone()).unwrap();
        let refused = call(&mut world, "PutParameter", put).unwrap_err();
        assert_eq!(refused.code, "ParameterAlreadyExists");
        let again = json!({ "Name": "/k/a", "Value": "two", "Overwrite": true });
        assert_eq!(
            call(&mut world, "PutParameter", again).unwrap()["Version"],
            json!(2)
        );
        assert_eq!(world.ssm_value("/k/a").as_deref(), Some("two"));
    }

    #[test]
    fn a_secure_string_is_clear_only_when_asked() {
        let mut world = world();
        let put = json!({ "Name": "a", "Value": "one", "Type": "SecureString" });
        call(&mut world, "PutParameter", put).unwrap();
        let closed = call(&mut world, "GetParameter", json!({ "Name": "a" })).unwrap();
        assert_ne!(closed["Parameter"]["Value"], json!("one"));
        let open = call(
            &mut world,
            "GetParameter",
            json!({ "Name": "a", "WithDecryption": true }),
        )
        .unwrap();
        assert_eq!(open["Parameter"]["Value"], json!("one"));
    }

    #[test]
    fn paths_come_in_pages() {
        let mut world = world();
        for n in 0..25 {
            world.put_ssm_parameter(&format!("/p/{n:02}"), "x");
        }
        world.put_ssm_parameter("/p/deep/er", "x");
        let (mut seen, mut token) = (0, Value::Null);
        for _ in 0..3 {
            let asked = json!({ "Path": "/p", "NextToken": token });
            let page = call(&mut world, "GetParametersByPath", asked).unwrap();
            seen += page["Parameters"].as_array().unwrap().len();
            token = page["NextToken"].clone();
        }
        assert_eq!((seen, token), (25, Value::Null));
    }

    #[test]
    fn the_public_image_parameters_have_values() {
        let name = "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id";
        let value = world().ssm_value(name).unwrap();
        assert!(value.starts_with("ami-0") && value.len() == 21, "{value}");
        assert_eq!(world().ssm_value("/aws/service/other"), None);
    }
}
