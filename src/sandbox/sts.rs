//! STS: who is calling, and temporary credentials that open nothing.

use std::time::Duration;

use serde_json::json;

use super::api::{Answer, Input};
use super::world::World;

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "GetCallerIdentity" => Ok(json!({
            "Arn": format!("arn:aws:iam::{}:user/sandbox", world.account),
            "UserId": "AIDASANDBOXSANDBOX",
            "Account": world.account,
        })),
        "AssumeRole" => assume_role(world, input),
        _ => return None,
    })
}

fn assume_role(world: &mut World, input: &Input) -> Answer {
    let role = input.required("RoleArn")?;
    let session = input.required("RoleSessionName")?;
    let span = u64::try_from(input.integer("DurationSeconds").unwrap_or(3600)).unwrap_or(3600);
    let expires = world
        .now
        .saturating_add(Duration::from_secs(span))
        .unwrap_or(world.now);
    let name = role.rsplit('/').next().unwrap_or_default();
    let id = format!("AROA{}", world.chance.hex(16).to_uppercase());
    Ok(json!({
        "Credentials": {
            "AccessKeyId": format!("ASIA{}", world.chance.hex(16).to_uppercase()),
            "SecretAccessKey": world.chance.hex(40),
            "SessionToken": world.chance.hex(64),
            "Expiration": expires.to_string(),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("{id}:{session}"),
            "Arn": format!("arn:aws:sts::{}:assumed-role/{name}/{session}", world.account),
        },
    }))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_role_is_assumed_for_as_long_as_asked() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let input = Input(json!({
            "RoleArn": "arn:aws:iam::1:role/path/roller", "RoleSessionName": "s",
            "DurationSeconds": "900",
        }));
        let answer = handle(&mut world, "AssumeRole", &input).unwrap().unwrap();
        assert_eq!(
            answer["Credentials"]["Expiration"],
            json!("1970-01-01T00:15:00Z")
        );
        let arn = answer["AssumedRoleUser"]["Arn"].as_str().unwrap();
        assert!(arn.ends_with(":assumed-role/roller/s"), "{arn}");
    }
}
