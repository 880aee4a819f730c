//! `config.yaml`: its shape, and errors that point into it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, Environment, nearest};

/// What the configuration file says. Without a file, nothing.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub(super) shape: Shape,
}

/// The file itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "rack, defaults and racks")]
pub(super) struct Shape {
    /// The rack that is meant when none is named.
    pub(super) rack: Option<String>,
    /// What holds for every rack that does not say otherwise.
    pub(super) defaults: Defaults,
    /// Racks by name.
    pub(super) racks: BTreeMap<String, Entry>,
}

/// Settings that racks may share.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "settings that racks share")]
pub(super) struct Defaults {
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) key_parameter: Option<String>,
    pub(super) key_store: Option<KeyStoreSetting>,
    pub(super) ssh_user: Option<String>,
}

/// One rack.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the settings of a rack")]
pub(super) struct Entry {
    pub(super) stack: Option<String>,
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) key_parameter: Option<String>,
    pub(super) key_store: Option<KeyStoreSetting>,
    pub(super) ssh_user: Option<String>,
}

/// Where a rack's private keys are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "KeyStoreFields")]
pub enum KeyStoreSetting {
    /// `settings: true`: the settings bucket of a Convox rack.
    Settings,
    /// `s3:`: objects in a bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every object's name begins with.
        prefix: String,
        /// The KMS key to encrypt with.
        kms_key: Option<String>,
    },
    /// `ssm:`: secure strings of the parameter store.
    Ssm {
        /// What every parameter's name begins with.
        prefix: String,
        /// The KMS key to encrypt with.
        kms_key: Option<String>,
    },
    /// `directory:`: files of this machine.
    Directory(PathBuf),
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "one of settings, s3, ssm and directory"
)]
struct KeyStoreFields {
    settings: Option<bool>,
    s3: Option<S3Fields>,
    ssm: Option<SsmFields>,
    directory: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "bucket, prefix and kms_key")]
struct S3Fields {
    bucket: String,
    #[serde(default)]
    prefix: String,
    kms_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "prefix and kms_key")]
struct SsmFields {
    prefix: String,
    kms_key: Option<String>,
}

impl TryFrom<KeyStoreFields> for KeyStoreSetting {
    type Error = &'static str;

    fn try_from(fields: KeyStoreFields) -> Result<Self, Self::Error> {
        let settings = fields.settings.unwrap_or(false).then_some(Self::Settings);
        let s3 = fields.s3.map(
            |S3Fields {
                 bucket,
                 prefix,
                 kms_key,
             }| Self::S3 {
                bucket,
                prefix,
                kms_key,
            },
        );
        let ssm = fields
            .ssm
            .map(|SsmFields { prefix, kms_key }| Self::Ssm { prefix, kms_key });
        let directory = fields.directory.map(Self::Directory);
        let mut named = [settings, s3, ssm, directory].into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(store), None) => Ok(store),
            _ => Err("a key store is exactly one of `settings: true`, `s3`, `ssm`, `directory`"),
        }
    }
}

impl Config {
    /// Reads the file that the environment names; a missing file says nothing.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], [`ConfigError::Invalid`]; [`ConfigError::NoHome`] when
    /// there is no place where the file could be.
    pub fn load(environment: &Environment) -> Result<Self, ConfigError> {
        let path = environment.config_dir()?.join("config.yaml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path, environment.home()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }

    /// Reads the text of the file at `path`. A key store directory may begin with `~/`,
    /// and is otherwise taken from the file's own directory.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`], with line and column.
    pub fn parse(text: &str, path: &Path, home: Option<&Path>) -> Result<Self, ConfigError> {
        let parsed: Result<Option<Shape>, _> = serde_yaml::from_str(text);
        let mut shape = parsed
            .map_err(|error| invalid(path, &error))?
            .unwrap_or_default();
        let beside = path.parent().unwrap_or_else(|| Path::new(""));
        let entries = shape.racks.values_mut().map(|entry| &mut entry.key_store);
        for store in entries.chain([&mut shape.defaults.key_store]) {
            if let Some(KeyStoreSetting::Directory(directory)) = store {
                *directory = match (directory.strip_prefix("~"), home) {
                    (Ok(rest), Some(home)) => home.join(rest),
                    _ => beside.join(&*directory),
                };
            }
        }
        Ok(Self { shape })
    }
}

fn invalid(path: &Path, error: &serde_yaml::Error) -> ConfigError {
    let (line, column) = error
        .location()
        .map_or((1, 1), |at| (at.line(), at.column()));
    let text = error.to_string();
    // The place is told in front, where editors look for it.
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    let hint = unknown_field(&message).unwrap_or_else(|| {
        "the keys are rack, defaults and racks: see the README for an example".to_owned()
    });
    ConfigError::Invalid {
        path: path.to_owned(),
        line,
        column,
        message,
        hint,
    }
}

/// Reads serde's sentence about an unknown field, to tell which one may have been meant.
fn unknown_field(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown field `")?;
    let (field, expected) = rest.split_once('`')?;
    let known: Vec<String> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let near = nearest(field, &known);
    Some(match near.first() {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/dirs/ada/.config/convox/config.yaml";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new(PATH), Some(Path::new("/dirs/ada")))
    }

    fn refused(text: &str) -> (String, String) {
        let error = parse(text).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# nothing yet\n", "racks: {}\n"] {
            assert!(parse(text).unwrap().shape.racks.is_empty());
        }
    }

    #[test]
    fn an_unknown_key_is_refused_where_it_stands() {
        let (message, hint) = refused("racks:\n  prod:\n    regoin: eu-west-1\n");
        assert!(
            message.starts_with(&format!("{PATH}:3:5: racks.prod: unknown field `regoin`")),
            "{message}"
        );
        assert_eq!(hint, "did you mean `region`?");
        let (message, hint) = refused("colour: red\n");
        assert!(
            message.starts_with(&format!("{PATH}:1:1: unknown field `colour`")),
            "{message}"
        );
        assert_eq!(hint, "known here: rack, defaults, racks");
    }

    #[test]
    fn broken_yaml_is_refused_where_it_breaks() {
        let (message, _) = refused("rack: prod\nracks: }\n");
        assert!(message.starts_with(&format!("{PATH}:2:8: ")), "{message}");
        let (message, _) = refused("racks:\n  prod: eu\n");
        let expected = "racks.prod: invalid type: string \"eu\", expected the settings of a rack";
        assert_eq!(message, format!("{PATH}:2:9: {expected}"));
    }

    #[test]
    fn a_key_store_is_one_of_four() {
        let store = |text: &str| {
            let config = parse(&format!("defaults:\n  key_store: {text}\n"))?;
            Ok::<_, ConfigError>(config.shape.defaults.key_store)
        };
        assert_eq!(
            store("{settings: true}").unwrap(),
            Some(KeyStoreSetting::Settings)
        );
        assert_eq!(
            store("{s3: {bucket: b, kms_key: k}}").unwrap(),
            Some(KeyStoreSetting::S3 {
                bucket: "b".to_owned(),
                prefix: String::new(),
                kms_key: Some("k".to_owned())
            })
        );
        assert_eq!(
            store("{directory: ~/keys}").unwrap(),
            Some(KeyStoreSetting::Directory("/dirs/ada/keys".into()))
        );
        assert_eq!(
            store("{directory: keys}").unwrap(),
            Some(KeyStoreSetting::Directory(
                "/dirs/ada/.config/convox/keys".into()
            ))
        );
        for text in [
            "{}",
            "{settings: false}",
            "{directory: a, ssm: {prefix: b}}",
        ] {
            let message = store(text).unwrap_err().to_string();
            assert!(message.contains("exactly one of"), "{message}");
            assert!(message.starts_with(&format!("{PATH}:2:")), "{message}");
        }
    }
}
