//! `CreateKeyPair` and its kin.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::KeyKind;
use super::super::key_pairs::no_such_key_pair;
use super::{filters, instant, page_of, required, stop_if_dry, tags};

/// `CreateKeyPair`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let name = required(input, "KeyName")?;
    let kind = match input.text("KeyType").as_deref() {
        None | Some("rsa") => KeyKind::Rsa,
        Some("ed25519") => KeyKind::Ed25519,
        Some(other) => return Err(invalid("KeyType", other)),
    };
    match input.text("KeyFormat").as_deref() {
        None | Some("pem") => {}
        // PuTTY's format is not simulated; nothing here asks for it.
        Some(other) => return Err(invalid("KeyFormat", other)),
    }
    world.room_for_key_pair(&name)?;
    stop_if_dry(input)?;
    let wanted = tags::wanted(input, "key-pair");
    let listed = tags::listed(&wanted);
    let minted = world.create_key_pair(&name, kind, wanted)?;
    Ok(json!({
        "keyName": name,
        "keyFingerprint": minted.fingerprint,
        "keyMaterial": minted.private_key,
        "keyPairId": minted.id,
        "tagSet": listed,
    }))
}

/// `ImportKeyPair`.
pub(super) fn import(world: &mut World, input: &Input) -> Answer {
    let name = required(input, "KeyName")?;
    let material = required(input, "PublicKeyMaterial")?;
    world.room_for_key_pair(&name)?;
    stop_if_dry(input)?;
    // Some callers send the key bare and not in base64.
    let text = STANDARD
        .decode(material.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(material);
    let wanted = tags::wanted(input, "key-pair");
    let listed = tags::listed(&wanted);
    let id = world.import_key_pair(&name, &text, wanted)?;
    let fingerprint = world
        .ec2
        .key_pair(&name)
        .map(|pair| pair.fingerprint.clone());
    Ok(json!({
        "keyName": name, "keyFingerprint": fingerprint, "keyPairId": id, "tagSet": listed,
    }))
}

/// `DeleteKeyPair`: a key pair that is not there counts as deleted.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let name = match (input.text("KeyName"), input.text("KeyPairId")) {
        (Some(name), _) => Some(name),
        (None, Some(id)) => world
            .ec2
            .key_pairs
            .values()
            .find(|pair| pair.id == id)
            .map(|pair| pair.name.clone()),
        (None, None) => {
            return Err(required(input, "KeyName")
                .err()
                .unwrap_or_else(|| invalid("KeyName", "")));
        }
    };
    stop_if_dry(input)?;
    let gone = name.and_then(|name| world.delete_key_pair(&name));
    Ok(json!({ "return": true, "keyPairId": gone.map(|pair| pair.id) }))
}

/// `DescribeKeyPairs`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let ec2 = &world.ec2;
    let (names, ids) = (input.texts("KeyName"), input.texts("KeyPairId"));
    if let Some(missing) = names.iter().find(|name| !ec2.key_pairs.contains_key(*name)) {
        return Err(no_such_key_pair(missing));
    }
    if let Some(missing) = ids
        .iter()
        .find(|id| !ec2.key_pairs.values().any(|pair| pair.id == **id))
    {
        return Err(AwsError::new(
            400,
            "InvalidKeyPair.NotFound",
            format!("The key pair with id '{missing}' does not exist"),
        ));
    }
    stop_if_dry(input)?;
    let with_public = input.truth("IncludePublicKey") == Some(true);
    let filters = filters::read(input);
    let mut found = Vec::new();
    for pair in ec2.key_pairs.values() {
        let asked = (names.is_empty() && ids.is_empty())
            || names.contains(&pair.name)
            || ids.contains(&pair.id);
        let passes = filters::pass(&filters, &pair.tags, |field| {
            Some(match field {
                "key-name" => pair.name.clone(),
                "key-pair-id" => pair.id.clone(),
                "fingerprint" => pair.fingerprint.clone(),
                _ => return None,
            })
        })?;
        if asked && passes {
            found.push(pair);
        }
    }
    let page = page_of(input, found, |pair| pair.name.clone())?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|pair| {
            json!({
                "keyPairId": pair.id,
                "keyName": pair.name,
                "keyFingerprint": pair.fingerprint,
                "keyType": pair.kind.as_str(),
                "createTime": instant(pair.created),
                "publicKey": with_public.then_some(&pair.public_key),
                "tagSet": tags::listed(&pair.tags),
            })
        })
        .collect();
    Ok(json!({ "keySet": set, "nextToken": page.next }))
}

fn invalid(name: &str, value: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidParameterValue",
        format!("Value ({value}) for parameter {name} is invalid."),
    )
}
