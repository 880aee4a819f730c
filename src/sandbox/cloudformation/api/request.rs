//! What a stack should be, as a call says it, and all that AWS refuses about that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::template::{Template, TemplateError, resolve};

use super::super::super::api::{AwsError, Input};
use super::super::super::world::World;
use super::super::lookup::{Known, evaluator};
use super::super::stack::{Resource, SharedText, Target, Veiled};

/// The most bytes of a template that is sent along (CloudFormation quotas).
const LARGEST_BODY: usize = 51_200;

/// What a call wants a stack to be.
pub(in super::super) struct Request {
    pub target: Target,
    pub disable_rollback: bool,
    pub deployment_mode: String,
    pub token: Option<String>,
}

impl Request {
    /// Reads a call that creates (`previous` is `None`) or updates a stack.
    pub fn read(
        world: &World,
        input: &Input,
        (id, name): (&str, &str),
        previous: Option<(&Target, &BTreeMap<String, Resource>)>,
    ) -> Result<Self, AwsError> {
        let (body, template) = template(world, input, previous.map(|(target, _)| target))?;
        let parameters = parameters(input, &template, previous.map(|(target, _)| target))?;
        let ssm = ssm_values(world, &template, &parameters)?;
        let capabilities = input.texts("Capabilities");
        check_capabilities(&template, &capabilities)?;
        let previous_target = previous.map(|(target, _)| target);
        let tags = if input.has("Tags") || previous.is_none() {
            tags(input)
        } else {
            previous_target
                .map(|target| target.tags.clone())
                .unwrap_or_default()
        };
        let notification_arns = match previous_target {
            Some(target) if !input.has("NotificationARNs") => target.notification_arns.clone(),
            _ => input.texts("NotificationARNs"),
        };
        let role_arn = input
            .text("RoleARN")
            .or_else(|| previous_target.and_then(|target| target.role_arn.clone()));
        let target = Target {
            body: Veiled(body),
            template,
            parameters: Veiled(parameters),
            ssm,
            tags,
            notification_arns,
            capabilities,
            role_arn,
        };
        let nothing = BTreeMap::new();
        let resources = previous.map_or(&nothing, |(_, resources)| resources);
        check_template(world, (id, name), &target, resources)?;
        let config = input.inner("DeploymentConfig");
        let disable_rollback = input
            .truth("DisableRollback")
            .or_else(|| config.truth("DisableRollback"))
            .unwrap_or_else(|| {
                let on_failure = input.text("OnFailure");
                let on_failure = on_failure.or_else(|| input.text("OnStackFailure"));
                on_failure.as_deref() == Some("DO_NOTHING")
            });
        Ok(Self {
            target,
            disable_rollback,
            deployment_mode: config.text("Mode").unwrap_or_else(|| "STANDARD".to_owned()),
            token: token(input)?,
        })
    }
}

/// Reads and checks the client request token.
pub(in super::super) fn token(input: &Input) -> Result<Option<String>, AwsError> {
    let Some(token) = input.text("ClientRequestToken") else {
        return Ok(None);
    };
    let good = token.starts_with(|first: char| first.is_ascii_alphanumeric())
        && token.len() <= 128
        && token
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '-');
    if !good {
        return Err(AwsError::validation(format!(
            "1 validation error detected: Value '{token}' at 'clientRequestToken' failed to \
             satisfy constraint: Member must satisfy regular expression pattern: \
             [a-zA-Z0-9][-a-zA-Z0-9]*"
        )));
    }
    Ok(Some(token))
}

fn template(
    world: &World,
    input: &Input,
    previous: Option<&Target>,
) -> Result<(SharedText, Template), AwsError> {
    if input.truth("UsePreviousTemplate") == Some(true) {
        let Some(previous) = previous else {
            return Err(AwsError::validation("No previous template to use"));
        };
        return Ok((previous.body.0.clone(), previous.template.clone()));
    }
    let body = body(world, input, previous.is_some())?;
    // The stacks of an account with many racks are made of few templates.
    let mut others = world.cloudformation.stacks().map(|stack| &stack.target);
    if let Some(same) = others.find(|target| target.body.0.as_str() == body) {
        return Ok((same.body.0.clone(), same.template.clone()));
    }
    let template = Template::parse(&body).map_err(|error| template_error(&error))?;
    Ok((body.into(), template))
}

/// Returns the text of the template of a call.
pub(super) fn body(world: &World, input: &Input, limited: bool) -> Result<String, AwsError> {
    if let Some(body) = input.text("TemplateBody") {
        if limited && body.len() > LARGEST_BODY {
            return Err(AwsError::validation(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy \
                 constraint: Member must have length less than or equal to {LARGEST_BODY}"
            )));
        }
        return Ok(body);
    }
    let Some(url) = input.text("TemplateURL") else {
        return Err(AwsError::validation(
            "Either Template URL or Template Body must be specified.",
        ));
    };
    let refused = || {
        AwsError::validation(format!(
            "S3 error: The specified template {url} does not exist"
        ))
    };
    let (bucket, key) = bucket_and_key(&url).ok_or_else(refused)?;
    let bytes = world.get_object(&bucket, &key).map_err(|_| refused())?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Finds bucket and key in a URL of either style.
fn bucket_and_key(url: &str) -> Option<(String, String)> {
    let rest = url.split_once("://")?.1;
    let (host, path) = rest.split_once('/')?;
    let path = path.split('?').next()?;
    let label = host.split('.').next()?;
    let (bucket, key) = if label == "s3" || label.starts_with("s3-") || !host.contains(".s3") {
        path.split_once('/')?
    } else {
        (host.split(".s3").next()?, path)
    };
    Some((bucket.to_owned(), key.to_owned()))
}

fn parameters(
    input: &Input,
    template: &Template,
    previous: Option<&Target>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let declared = template.parameters();
    let mut given = BTreeMap::new();
    for parameter in input.items("Parameters") {
        let key = parameter.required("ParameterKey")?;
        let value = parameter.text("ParameterValue");
        if parameter.truth("UsePreviousValue") != Some(true) {
            given.insert(key, value.unwrap_or_default());
            continue;
        }
        if value.is_some_and(|value| !value.is_empty()) {
            return Err(AwsError::validation(format!(
                "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true \
                 and non empty value for a parameter"
            )));
        }
        let known = previous.and_then(|previous| previous.parameters.0.get(&key));
        if let Some(known) = known {
            given.insert(key, known.clone());
        } else if declared.contains_key(&key) {
            return Err(AwsError::validation(format!(
                "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true \
                 for a parameter key not in the previous template"
            )));
        } else {
            // Reported below, with the other names that the template does not know.
            given.insert(key, String::new());
        }
    }
    resolve(&declared, &given).map_err(|problem| AwsError::validation(problem.to_string()))
}

fn ssm_values(
    world: &World,
    template: &Template,
    parameters: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let mut values = BTreeMap::new();
    for (name, declaration) in template.parameters() {
        let Some(named) = parameters.get(&name).filter(|_| declaration.is_ssm()) else {
            continue;
        };
        let missing = || {
            AwsError::validation(format!(
                "Unable to fetch parameters [{named}] from parameter store for this account."
            ))
        };
        values.insert(named.clone(), world.ssm_value(named).ok_or_else(missing)?);
    }
    Ok(values)
}

fn tags(input: &Input) -> BTreeMap<String, String> {
    let tags = input.items("Tags");
    tags.iter()
        .filter_map(|tag| Some((tag.text("Key")?, tag.text("Value")?)))
        .collect()
}

/// Says which capabilities a template needs (CloudFormation API, `CreateStack`).
pub(super) fn needed_capability(template: &Template) -> Option<(&'static str, BTreeSet<String>)> {
    let mut kinds = BTreeSet::new();
    let mut named = false;
    for (_, resource) in template.entries("Resources") {
        let kind = resource
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let takes = [
            "Role",
            "Policy",
            "ManagedPolicy",
            "User",
            "Group",
            "InstanceProfile",
            "AccessKey",
            "UserToGroupAddition",
            "RolePolicy",
            "UserPolicy",
            "GroupPolicy",
        ];
        if kind
            .strip_prefix("AWS::IAM::")
            .is_some_and(|rest| takes.contains(&rest))
        {
            kinds.insert(kind.to_owned());
            let properties = resource.get("Properties");
            let names = [
                "RoleName",
                "ManagedPolicyName",
                "UserName",
                "GroupName",
                "InstanceProfileName",
            ];
            named |= !kind.ends_with("::Policy")
                && names
                    .iter()
                    .any(|name| properties.is_some_and(|p| p.get(name).is_some()));
        }
    }
    let capability = if named {
        "CAPABILITY_NAMED_IAM"
    } else {
        "CAPABILITY_IAM"
    };
    (!kinds.is_empty()).then_some((capability, kinds))
}

fn check_capabilities(template: &Template, given: &[String]) -> Result<(), AwsError> {
    let Some((needed, _)) = needed_capability(template) else {
        return Ok(());
    };
    let enough = given
        .iter()
        .any(|given| given == needed || given == "CAPABILITY_NAMED_IAM");
    if enough {
        return Ok(());
    }
    let message = format!("Requires capabilities : [{needed}]");
    Err(AwsError::new(
        400,
        "InsufficientCapabilitiesException",
        message,
    ))
}

/// Evaluates everything once, so that what cannot be evaluated is refused at the door.
fn check_template(
    world: &World,
    (id, name): (&str, &str),
    target: &Target,
    resources: &BTreeMap<String, Resource>,
) -> Result<(), AwsError> {
    let known = Known { world, resources };
    let evaluator = evaluator(&known, id, name, target).map_err(|error| template_error(&error))?;
    evaluator
        .resources()
        .map_err(|error| template_error(&error))?;
    let mut needs = evaluator.dependencies();
    loop {
        let free: Vec<_> = needs
            .iter()
            .filter(|(_, n)| n.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            needs.remove(&name);
            for others in needs.values_mut() {
                others.remove(&name);
            }
        }
    }
    if needs.is_empty() {
        return Ok(());
    }
    let names = needs
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Err(AwsError::validation(format!(
        "Circular dependency between resources: [{names}]"
    )))
}

/// Puts a template's fault in CloudFormation's words.
pub(super) fn template_error(error: &TemplateError) -> AwsError {
    AwsError::validation(match error {
        TemplateError::Syntax(why) => format!("Template format error: {why}"),
        TemplateError::Shape(why) => format!("Template format error: {why}"),
        TemplateError::Unresolved {
            what: "condition",
            name,
        } => {
            format!("Template format error: Unresolved condition dependency {name}")
        }
        TemplateError::Unresolved {
            what: "mapping",
            name,
        } => {
            format!("Template error: Unable to get mapping for {name}")
        }
        TemplateError::Unresolved { name, .. } => format!(
            "Template format error: Unresolved resource dependencies [{name}] in the Resources \
             block of the template"
        ),
        TemplateError::Function { function, problem } => {
            format!("Template error: {function} {problem}")
        }
    })
}
