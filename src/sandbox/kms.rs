//! KMS, as far as key stores use it: real AES-256-GCM under key material that the account holds.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::hidden::Hidden;
use super::world::World;

/// KMS's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kms {
    /// By key id.
    keys: BTreeMap<String, Key>,
    /// Alias (with its `alias/`) to key id.
    aliases: BTreeMap<String, String>,
}

/// A symmetric key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Key {
    arn: String,
    description: String,
    material: Hidden,
    /// Seconds since 1970, as the JSON protocol writes time.
    created: f64,
}

/// The first byte of a ciphertext made here, so that any other is told apart.
const FORMAT: u8 = 1;
/// How long a key id is (a UUID).
const KEY_ID: usize = 36;

impl World {
    /// Makes a symmetric key and returns its ARN.
    pub fn create_kms_key(&mut self) -> String {
        self.create_described_kms_key("")
    }

    fn create_described_kms_key(&mut self, description: &str) -> String {
        let id = self.chance.uuid();
        let arn = self.arn("kms", &format!("key/{id}"));
        let key = Key {
            arn: arn.clone(),
            description: description.to_owned(),
            material: Hidden::new(self.random_bytes(32)),
            created: epoch_seconds(self),
        };
        self.kms.keys.insert(id, key);
        arn
    }

    /// Draws random bytes from the account's chance: the same seed gives the same bytes.
    pub fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.chance.bits().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Encrypts under a key named by id, ARN or alias, bound to an encryption context.
    ///
    /// # Errors
    /// `NotFoundException` when there is no such key.
    pub fn kms_encrypt(
        &mut self,
        key: &str,
        plain: &[u8],
        context: &Input,
    ) -> Result<Vec<u8>, AwsError> {
        let id = self.kms_key_id(key)?;
        let nonce: [u8; NONCE_LEN] = self.random_bytes(NONCE_LEN).try_into().unwrap_or_default();
        let cipher = self.kms_cipher(&id)?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(context_bytes(context));
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| internal())?;
        Ok([&[FORMAT], id.as_bytes(), &nonce[..], &sealed].concat())
    }

    /// Decrypts what [`World::kms_encrypt`] made; returns the key's ARN and the plain bytes.
    ///
    /// # Errors
    /// `InvalidCiphertextException` for anything else, and for another encryption context.
    pub fn kms_decrypt(
        &self,
        sealed: &[u8],
        context: &Input,
    ) -> Result<(String, Vec<u8>), AwsError> {
        let invalid = || AwsError::new(400, "InvalidCiphertextException", "");
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(invalid)?;
        let (id, rest) = rest.split_at_checked(KEY_ID).ok_or_else(invalid)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(invalid)?;
        let id = std::str::from_utf8(id).map_err(|_| invalid())?;
        let cipher = self.kms_cipher(id).map_err(|_| invalid())?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| invalid())?;
        let mut body = body.to_vec();
        let aad = Aad::from(context_bytes(context));
        let plain = cipher
            .open_in_place(nonce, aad, &mut body)
            .map_err(|_| invalid())?
            .to_vec();
        Ok((self.arn("kms", &format!("key/{id}")), plain))
    }

    fn kms_cipher(&self, id: &str) -> Result<LessSafeKey, AwsError> {
        let key = self.kms.keys.get(id).ok_or_else(|| not_found(self, id))?;
        let unbound =
            UnboundKey::new(&AES_256_GCM, key.material.bytes()).map_err(|_| internal())?;
        Ok(LessSafeKey::new(unbound))
    }

    /// Finds a key's id from an id, an ARN, an alias or an alias's ARN.
    ///
    /// AWS's own keys (`alias/aws/...`) come into being when they are first used.
    fn kms_key_id(&mut self, name: &str) -> Result<String, AwsError> {
        let short = if name.starts_with("arn:") {
            name.splitn(6, ':').nth(5).unwrap_or(name)
        } else {
            name
        };
        if short.starts_with("alias/") {
            if let Some(id) = self.kms.aliases.get(short) {
                return Ok(id.clone());
            }
            if !short.starts_with("alias/aws/") {
                let arn = self.arn("kms", short);
                return Err(AwsError::new(
                    400,
                    "NotFoundException",
                    format!("Alias {arn} is not found."),
                ));
            }
            let arn = self.create_described_kms_key("Default key that protects my data");
            let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
            self.kms.aliases.insert(short.to_owned(), id.clone());
            return Ok(id);
        }
        let id = short.strip_prefix("key/").unwrap_or(short);
        if self.kms.keys.contains_key(id) {
            Ok(id.to_owned())
        } else {
            Err(not_found(self, id))
        }
    }
}

fn not_found(world: &World, id: &str) -> AwsError {
    let arn = world.arn("kms", &format!("key/{id}"));
    AwsError::new(
        400,
        "NotFoundException",
        format!("Key '{arn}' does not exist"),
    )
}

fn internal() -> AwsError {
    AwsError::new(
        500,
        "KMSInternalException",
        "the request was rejected by an internal error",
    )
}

fn epoch_seconds(world: &World) -> f64 {
    let millis = world.now.as_millisecond();
    // A millisecond count of this century is far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let seconds = millis as f64 / 1000.0;
    seconds
}

/// Writes an encryption context so that the order of its members does not matter.
fn context_bytes(context: &Input) -> Vec<u8> {
    let mut pairs: Vec<_> = context
        .0
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    pairs.sort();
    serde_json::to_vec(&pairs).unwrap_or_default()
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "CreateKey" => Ok(create_key(world, input)),
        "DescribeKey" => describe_key(world, input),
        "ListKeys" => Ok(list_keys(world)),
        "CreateAlias" => create_alias(world, input),
        "ListAliases" => Ok(list_aliases(world)),
        "GenerateDataKey" => generate_data_key(world, input, true),
        "GenerateDataKeyWithoutPlaintext" => generate_data_key(world, input, false),
        "GenerateRandom" => generate_random(world, input),
        "Encrypt" => encrypt(world, input),
        "Decrypt" => decrypt(world, input),
        _ => return None,
    })
}

fn create_key(world: &mut World, input: &Input) -> Value {
    let arn = world.create_described_kms_key(&input.text("Description").unwrap_or_default());
    let id = arn.rsplit('/').next().unwrap_or_default();
    json!({ "KeyMetadata": metadata(world, id) })
}

fn describe_key(world: &mut World, input: &Input) -> Answer {
    let id = world.kms_key_id(&input.required("KeyId")?)?;
    Ok(json!({ "KeyMetadata": metadata(world, &id) }))
}

fn metadata(world: &World, id: &str) -> Value {
    let Some(key) = world.kms.keys.get(id) else {
        return Value::Null;
    };
    json!({
        "AWSAccountId": world.account,
        "KeyId": id,
        "Arn": key.arn,
        "CreationDate": key.created,
        "Enabled": true,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    })
}

fn list_keys(world: &World) -> Value {
    let keys: Vec<_> = world
        .kms
        .keys
        .iter()
        .map(|(id, key)| json!({ "KeyId": id, "KeyArn": key.arn }))
        .collect();
    json!({ "Keys": keys, "Truncated": false })
}

fn create_alias(world: &mut World, input: &Input) -> Answer {
    let alias = input.required("AliasName")?;
    let id = world.kms_key_id(&input.required("TargetKeyId")?)?;
    if world.kms.aliases.contains_key(&alias) {
        let arn = world.arn("kms", &alias);
        let message = format!("An alias with the name {arn} already exists");
        return Err(AwsError::new(400, "AlreadyExistsException", message));
    }
    world.kms.aliases.insert(alias, id);
    Ok(json!({}))
}

fn list_aliases(world: &World) -> Value {
    let aliases: Vec<_> = world
        .kms
        .aliases
        .iter()
        .map(|(alias, id)| {
            json!({
                "AliasName": alias,
                "AliasArn": world.arn("kms", alias),
                "TargetKeyId": id,
            })
        })
        .collect();
    json!({ "Aliases": aliases, "Truncated": false })
}

fn generate_data_key(world: &mut World, input: &Input, plaintext: bool) -> Answer {
    let key = input.required("KeyId")?;
    let length = match (
        input.text("KeySpec").as_deref(),
        input.integer("NumberOfBytes"),
    ) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (None, Some(count @ 1..=1024)) => usize::try_from(count).unwrap_or(32),
        _ => {
            return Err(AwsError::new(
                400,
                "ValidationException",
                "Please specify either number of bytes or key spec.",
            ));
        }
    };
    let id = world.kms_key_id(&key)?;
    let data_key = world.random_bytes(length);
    let sealed = world.kms_encrypt(&id, &data_key, &input.inner("EncryptionContext"))?;
    let mut answer = json!({
        "CiphertextBlob": STANDARD.encode(sealed),
        "KeyId": world.arn("kms", &format!("key/{id}")),
    });
    if plaintext {
        answer["Plaintext"] = json!(STANDARD.encode(data_key));
    }
    Ok(answer)
}

fn generate_random(world: &mut World, input: &Input) -> Answer {
    let count = input.integer("NumberOfBytes").unwrap_or(0);
    let Some(count) = usize::try_from(count)
        .ok()
        .filter(|count| (1..=1024).contains(count))
    else {
        return Err(AwsError::new(
            400,
            "ValidationException",
            "1 validation error detected: Value at 'numberOfBytes' failed to satisfy constraint: \
             Member must be between 1 and 1024",
        ));
    };
    Ok(json!({ "Plaintext": STANDARD.encode(world.random_bytes(count)) }))
}

fn encrypt(world: &mut World, input: &Input) -> Answer {
    let id = world.kms_key_id(&input.required("KeyId")?)?;
    let plain = blob(input, "Plaintext")?;
    let sealed = world.kms_encrypt(&id, &plain, &input.inner("EncryptionContext"))?;
    Ok(json!({
        "CiphertextBlob": STANDARD.encode(sealed),
        "KeyId": world.arn("kms", &format!("key/{id}")),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

fn decrypt(world: &mut World, input: &Input) -> Answer {
    let sealed = blob(input, "CiphertextBlob")?;
    let (arn, plain) = world.kms_decrypt(&sealed, &input.inner("EncryptionContext"))?;
    if let Some(name) = input.text("KeyId") {
        let id = world.kms_key_id(&name)?;
        if !arn.ends_with(&id) {
            return Err(AwsError::new(
                400,
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this \
                 operation.",
            ));
        }
    }
    Ok(json!({
        "KeyId": arn,
        "Plaintext": STANDARD.encode(plain),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

fn blob(input: &Input, name: &str) -> Result<Vec<u8>, AwsError> {
    STANDARD.decode(input.required(name)?).map_err(|_| {
        AwsError::new(
            400,
            "SerializationException",
            format!("{name} is not valid base64"),
        )
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn call(world: &mut World, action: &str, input: Value) -> Answer {
        handle(world, action, &Input(input)).unwrap()
    }

    #[test]
    fn a_data_key_comes_back_from_its_ciphertext_and_only_in_its_context() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let arn = world.create_kms_key();
        let made = call(
            &mut world,
            "GenerateDataKey",
            json!({ "KeyId": arn, "KeySpec": "AES_256", "EncryptionContext": { "a": "1" } }),
        )
        .unwrap();
        let sealed = made["CiphertextBlob"].clone();
        let asked = json!({ "CiphertextBlob": sealed, "EncryptionContext": { "a": "1" } });
        let opened = call(&mut world, "Decrypt", asked).unwrap();
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
        assert_eq!(opened["KeyId"], json!(arn));
        let refused = call(&mut world, "Decrypt", json!({ "CiphertextBlob": sealed })).unwrap_err();
        assert_eq!(refused.code, "InvalidCiphertextException");
    }

    #[test]
    fn a_key_that_does_not_exist_is_refused() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let refused = call(&mut world, "DescribeKey", json!({ "KeyId": "nope" })).unwrap_err();
        assert_eq!(refused.code, "NotFoundException");
        let refused = call(&mut world, "DescribeKey", json!({ "KeyId": "alias/x" })).unwrap_err();
        assert!(
            refused.message.starts_with("Alias arn:aws:kms:"),
            "{}",
            refused.message
        );
    }

    #[test]
    fn material_is_not_shown() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        world.create_kms_key();
        assert!(format!("{:?}", world.kms).contains("material: [32 bytes]"));
    }
}
