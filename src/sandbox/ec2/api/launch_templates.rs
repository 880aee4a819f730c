//! `CreateLaunchTemplate` and its kin.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::launch_templates::{Version, no_such_template};
use super::super::{LaunchTemplate, LaunchTemplateData};
use super::{filters, instant, page_of, required, stop_if_dry, tags};

/// Finds the template that a call names by id or by name.
pub(super) fn asked_template<'a>(
    world: &'a World,
    input: &Input,
) -> Result<&'a LaunchTemplate, AwsError> {
    let id = match (
        input.text("LaunchTemplateId"),
        input.text("LaunchTemplateName"),
    ) {
        (Some(id), _) => id,
        (None, Some(name)) => world
            .launch_template_id(&name)
            .ok_or_else(|| no_such_name(&name))?
            .to_owned(),
        (None, None) => required(input, "LaunchTemplateId")?,
    };
    world
        .launch_template(&id)
        .ok_or_else(|| no_such_template(&id))
}

fn no_such_name(name: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidLaunchTemplateName.NotFoundException",
        format!("The specified launch template, with template name {name}, does not exist."),
    )
}

fn no_such_version(id: &str, version: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidLaunchTemplateId.VersionNotFound",
        format!("Could not find launch template version {version} for template ID {id}."),
    )
}

/// Reads `LaunchTemplateData`.
fn data(input: &Input) -> LaunchTemplateData {
    let data = input.inner("LaunchTemplateData");
    let script = data
        .text("UserData")
        .and_then(|text| STANDARD.decode(text).ok());
    LaunchTemplateData {
        image_id: data.text("ImageId"),
        instance_type: data.text("InstanceType"),
        key_name: data.text("KeyName"),
        user_data: script.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        is_spot: is_spot(&data),
        tags: tags::wanted(&data, "instance"),
    }
}

/// Tells whether the spot market is asked for: by a launch template, or to run instances.
pub(super) fn is_spot(input: &Input) -> bool {
    let market = input.inner("InstanceMarketOptions").text("MarketType");
    market.as_deref() == Some("spot")
}

/// `CreateLaunchTemplate`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let name = required(input, "LaunchTemplateName")?;
    stop_if_dry(input)?;
    let id = world.create_launch_template(&name, data(input))?;
    let template = world
        .ec2
        .templates
        .get_mut(&id)
        .ok_or_else(|| no_such_template(&id))?;
    template.tags = tags::wanted(input, "launch-template");
    if let Some(version) = template.versions.get_mut(&1) {
        version.description = input.text("VersionDescription");
    }
    let shown = shown(template, &world.account);
    Ok(json!({ "launchTemplate": shown }))
}

/// `CreateLaunchTemplateVersion`, with `SourceVersion` as what is not said otherwise.
pub(super) fn create_version(world: &mut World, input: &Input) -> Answer {
    let template = asked_template(world, input)?;
    let id = template.id.clone();
    let mut new = data(input);
    if let Some(source) = input.text("SourceVersion") {
        let number = template.resolve(&source);
        let source = number
            .and_then(|number| template.versions.get(&number))
            .ok_or_else(|| no_such_version(&id, &source))?;
        let old = source.data.clone();
        new = LaunchTemplateData {
            image_id: new.image_id.or(old.image_id),
            instance_type: new.instance_type.or(old.instance_type),
            key_name: new.key_name.or(old.key_name),
            user_data: new.user_data.or(old.user_data),
            is_spot: new.is_spot || old.is_spot,
            tags: if new.tags.is_empty() {
                old.tags
            } else {
                new.tags
            },
        };
    }
    stop_if_dry(input)?;
    let number = world.create_launch_template_version(&id, new)?;
    let template = world
        .ec2
        .templates
        .get_mut(&id)
        .ok_or_else(|| no_such_template(&id))?;
    if let Some(version) = template.versions.get_mut(&number) {
        version.description = input.text("VersionDescription");
    }
    let shown = template
        .versions
        .get(&number)
        .map(|version| shown_version(template, number, version, &world.account));
    Ok(json!({ "launchTemplateVersion": shown }))
}

/// `ModifyLaunchTemplate`: another version becomes the default.
pub(super) fn modify(world: &mut World, input: &Input) -> Answer {
    let template = asked_template(world, input)?;
    let id = template.id.clone();
    // EC2's own API calls the parameter `SetDefaultVersion`.
    let version = input
        .text("SetDefaultVersion")
        .or_else(|| input.text("DefaultVersion"))
        .unwrap_or_default();
    let number = template
        .resolve(&version)
        .ok_or_else(|| no_such_version(&id, &version))?;
    stop_if_dry(input)?;
    let template = world
        .ec2
        .templates
        .get_mut(&id)
        .ok_or_else(|| no_such_template(&id))?;
    template.default = number;
    let shown = shown(template, &world.account);
    Ok(json!({ "launchTemplate": shown }))
}

/// `DeleteLaunchTemplate`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let template = asked_template(world, input)?;
    let shown = shown(template, &world.account);
    let id = template.id.clone();
    stop_if_dry(input)?;
    world.delete_launch_template(&id);
    Ok(json!({ "launchTemplate": shown }))
}

/// `DeleteLaunchTemplateVersions`.
pub(super) fn delete_versions(world: &mut World, input: &Input) -> Answer {
    let template = asked_template(world, input)?;
    let (id, name, default) = (template.id.clone(), template.name.clone(), template.default);
    stop_if_dry(input)?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for text in input.texts("LaunchTemplateVersion") {
        let number: Option<u64> = text.parse().ok();
        let is_there = number.is_some_and(|number| {
            world
                .launch_template(&id)
                .is_some_and(|it| it.versions.contains_key(&number))
        });
        match number {
            Some(number) if is_there && number != default => {
                world.delete_launch_template_version(&id, number);
                good.push(json!({
                    "launchTemplateId": id, "launchTemplateName": name, "versionNumber": number,
                }));
            }
            _ => {
                let (code, message) = if is_there {
                    ("unexpectedError", "The default version cannot be deleted.")
                } else {
                    (
                        "launchTemplateVersionDoesNotExist",
                        "The version does not exist.",
                    )
                };
                bad.push(json!({
                    "launchTemplateId": id, "launchTemplateName": name, "versionNumber": number,
                    "responseError": { "code": code, "message": message },
                }));
            }
        }
    }
    Ok(json!({
        "successfullyDeletedLaunchTemplateVersionSet": good,
        "unsuccessfullyDeletedLaunchTemplateVersionSet": bad,
    }))
}

/// `DescribeLaunchTemplates`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let (ids, names) = (
        input.texts("LaunchTemplateId"),
        input.texts("LaunchTemplateName"),
    );
    if let Some(missing) = ids.iter().find(|id| world.launch_template(id).is_none()) {
        return Err(no_such_template(missing));
    }
    if let Some(missing) = names
        .iter()
        .find(|name| world.launch_template_id(name).is_none())
    {
        return Err(no_such_name(missing));
    }
    stop_if_dry(input)?;
    let filters = filters::read(input);
    let mut found = Vec::new();
    for template in world.ec2.templates.values() {
        let is_asked = (ids.is_empty() && names.is_empty())
            || ids.contains(&template.id)
            || names.contains(&template.name);
        let passes = filters::pass(&filters, &template.tags, |field| {
            (field == "launch-template-name").then(|| template.name.clone())
        })?;
        if is_asked && passes {
            found.push(template);
        }
    }
    let page = page_of(input, found, |template| template.id.clone())?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|template| shown(template, &world.account))
        .collect();
    Ok(json!({ "launchTemplates": set, "nextToken": page.next }))
}

/// `DescribeLaunchTemplateVersions`.
pub(super) fn describe_versions(world: &mut World, input: &Input) -> Answer {
    let asked = input.texts("LaunchTemplateVersion");
    stop_if_dry(input)?;
    let mut rows = Vec::new();
    if input.has("LaunchTemplateId") || input.has("LaunchTemplateName") {
        let template = asked_template(world, input)?;
        let numbers: Vec<u64> = if asked.is_empty() {
            let least = input
                .integer("MinVersion")
                .and_then(|it| u64::try_from(it).ok());
            let most = input
                .integer("MaxVersion")
                .and_then(|it| u64::try_from(it).ok());
            let range = least.unwrap_or(0)..=most.unwrap_or(u64::MAX);
            template
                .versions
                .keys()
                .copied()
                .filter(|number| range.contains(number))
                .collect()
        } else {
            let number = |version: &String| {
                template
                    .resolve(version)
                    .ok_or_else(|| no_such_version(&template.id, version))
            };
            asked.iter().map(number).collect::<Result<_, _>>()?
        };
        rows.extend(numbers.into_iter().map(|number| (template, number)));
    } else {
        // Without a template, only `$Latest` and `$Default` of every template can be asked for.
        for template in world.ec2.templates.values() {
            rows.extend(
                asked
                    .iter()
                    .filter_map(|version| Some((template, template.resolve(version)?))),
            );
        }
    }
    // EC2 lists the newest version first.
    rows.sort_by_key(|(template, number)| (template.id.clone(), u64::MAX - number));
    let page = page_of(input, rows, |(template, number)| {
        format!("{} {:020}", template.id, u64::MAX - number)
    })?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .filter_map(|(template, number)| {
            let version = template.versions.get(&number)?;
            Some(shown_version(template, number, version, &world.account))
        })
        .collect();
    Ok(json!({ "launchTemplateVersionSet": set, "nextToken": page.next }))
}

fn shown(template: &LaunchTemplate, account: &str) -> Value {
    json!({
        "launchTemplateId": template.id,
        "launchTemplateName": template.name,
        "createTime": instant(template.created),
        "createdBy": format!("arn:aws:iam::{account}:root"),
        "defaultVersionNumber": template.default,
        "latestVersionNumber": template.latest(),
        "tagSet": tags::listed(&template.tags),
    })
}

fn shown_version(
    template: &LaunchTemplate,
    number: u64,
    version: &Version,
    account: &str,
) -> Value {
    let data = &version.data;
    let tag_specifications = if data.tags.is_empty() {
        json!([])
    } else {
        json!([{ "resourceType": "instance", "tagSet": tags::listed(&data.tags) }])
    };
    json!({
        "launchTemplateId": template.id,
        "launchTemplateName": template.name,
        "versionNumber": number,
        "versionDescription": version.description,
        "createTime": instant(version.created),
        "createdBy": format!("arn:aws:iam::{account}:root"),
        "defaultVersion": number == template.default,
        "launchTemplateData": {
            "imageId": data.image_id,
            "instanceType": data.instance_type,
            "keyName": data.key_name,
            "userData": data.user_data.as_ref().map(|script| STANDARD.encode(script)),
            "instanceMarketOptions": data.is_spot.then(|| json!({ "marketType": "spot" })),
            "tagSpecificationSet": tag_specifications,
        },
    })
}
