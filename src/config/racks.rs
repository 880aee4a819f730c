//! Which rack is meant, and everything that is set about it.

use super::file::{Entry, KeyStoreSetting};
use super::{Config, ConfigError, Environment, Told};

/// The parameter of a Convox rack's template that names the key pair.
const KEY_PARAMETER: &str = "Key";

/// The user of Amazon's machine images, which racks are made of.
const SSH_USER: &str = "ec2-user";

/// Names this like, or closer than this, to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.75;

/// Everything that is set about one rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RackSettings {
    /// The rack's name.
    pub name: String,
    /// The stack's name: the rack's own unless the file says otherwise.
    pub stack: String,
    /// The region, where the file names one.
    pub region: Option<String>,
    /// The AWS profile, where the file names one.
    pub profile: Option<String>,
    /// The role to assume, where the file names one.
    pub role_arn: Option<String>,
    /// The template parameter that names the key pair.
    pub key_parameter: String,
    /// Where private keys are kept.
    pub key_store: KeyStoreSetting,
    /// The user to log in as.
    pub ssh_user: String,
}

impl Config {
    /// Says which rack is meant and what is set about it.
    ///
    /// The flag comes first, then `CONVOX_RACK`, then the file's `rack`, then its only
    /// rack. A name that the file does not have is a Convox rack with a stack of that name.
    ///
    /// # Errors
    /// [`ConfigError::NoRack`] when nothing names one.
    pub fn resolve(
        &self,
        flag: Option<&str>,
        environment: &Environment,
    ) -> Result<RackSettings, ConfigError> {
        let meant = self.meant(flag, environment);
        let meant = meant.ok_or_else(|| ConfigError::NoRack {
            known: self.rack_names(),
        })?;
        let name = meant.text.as_str();
        let nothing = Entry::default();
        let entry = self.shape.racks.get(name).unwrap_or(&nothing);
        let defaults = &self.shape.defaults;
        let either = |own: &Option<String>, shared: &Option<String>| {
            own.clone()
                .or_else(|| shared.clone())
                .filter(|text| !text.is_empty())
        };
        let key_store = entry
            .key_store
            .clone()
            .or_else(|| defaults.key_store.clone());
        Ok(RackSettings {
            name: name.to_owned(),
            stack: entry.stack.clone().unwrap_or_else(|| name.to_owned()),
            region: either(&entry.region, &defaults.region),
            profile: either(&entry.profile, &defaults.profile),
            role_arn: either(&entry.role_arn, &defaults.role_arn),
            key_parameter: either(&entry.key_parameter, &defaults.key_parameter)
                .unwrap_or_else(|| KEY_PARAMETER.to_owned()),
            key_store: key_store.unwrap_or(KeyStoreSetting::Settings),
            ssh_user: either(&entry.ssh_user, &defaults.ssh_user)
                .unwrap_or_else(|| SSH_USER.to_owned()),
        })
    }

    /// Reads the settings of one rack, called `name`, which are of the shape of an entry of
    /// `racks`.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn one(name: &str, entry: serde_json::Value) -> Result<RackSettings, String> {
        let entry: Entry = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        if let Some(KeyStoreSetting::Directory(path)) = &entry.key_store
            && path.is_relative()
        {
            let path = path.display();
            return Err(format!(
                "the directory of a key store is an absolute path: {path}"
            ));
        }
        let mut config = Self::default();
        config.shape.racks.insert(name.to_owned(), entry);
        let resolved = config.resolve(Some(name), &Environment::default());
        resolved.map_err(|error| error.to_string())
    }

    /// Says which rack is meant, and what says so.
    #[must_use]
    pub fn meant(&self, flag: Option<&str>, environment: &Environment) -> Option<Told> {
        named(flag, environment)
            .or_else(|| Some(Told::new(self.shape.rack.as_deref()?, "config.yaml: rack")))
            .or_else(|| Some(Told::new(self.only_rack()?, "config.yaml: its only rack")))
    }

    /// Tells whether the file has an entry for a rack.
    #[must_use]
    pub fn describes(&self, rack: &str) -> bool {
        self.shape.racks.contains_key(rack)
    }

    /// Lists the racks that the file names.
    #[must_use]
    pub fn rack_names(&self) -> Vec<String> {
        self.shape.racks.keys().cloned().collect()
    }

    fn only_rack(&self) -> Option<&str> {
        let mut names = self.shape.racks.keys();
        names
            .next()
            .filter(|_| names.next().is_none())
            .map(String::as_str)
    }
}

/// Returns the rack that a person names: with the flag, else in `CONVOX_RACK`.
#[must_use]
pub fn named(flag: Option<&str>, environment: &Environment) -> Option<Told> {
    let flag = flag.map(|name| Told::new(name, "flag --rack"));
    flag.or_else(|| {
        let name = environment.get("CONVOX_RACK")?;
        Some(Told::new(name, "environment CONVOX_RACK"))
    })
}

/// Returns up to three of `known` that `name` may have been meant for, the likeliest first.
#[must_use]
pub fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut scored: Vec<(f64, &String)> = known
        .iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            // Somebody who types half a name means it all the same.
            let part = wanted.len() >= 3 && (other.contains(&wanted) || wanted.contains(&other));
            let score = strsim::jaro_winkler(&wanted, &other);
            (if part { score.max(ALIKE) } else { score }, candidate)
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    scored
        .into_iter()
        .take(3)
        .map(|(_, candidate)| candidate.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "
rack: prod
defaults:
  region: us-east-1
  key_store: {ssm: {prefix: /keys}}
racks:
  prod:
    stack: acme-production
    region: eu-west-1
    role_arn: arn:aws:iam::123456789012:role/roller
    key_parameter: KeyName
    key_store: {settings: true}
    ssh_user: ubuntu
  staging: {}
";

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("config.yaml"), None).unwrap()
    }

    #[test]
    fn flag_then_environment_then_file() {
        let config = config(FILE);
        let nothing = Environment::default();
        let env = Environment::from_iter([("CONVOX_RACK", "staging")]);
        let name = |flag, env| config.resolve(flag, env).unwrap().name;
        assert_eq!(name(Some("other"), &env), "other");
        assert_eq!(name(None, &env), "staging");
        assert_eq!(name(None, &nothing), "prod");
    }

    #[test]
    fn a_rack_has_its_own_settings_then_the_defaults_then_the_classic_ones() {
        let config = config(FILE);
        let nothing = Environment::default();
        let prod = config.resolve(Some("prod"), &nothing).unwrap();
        assert_eq!(prod.stack, "acme-production");
        assert_eq!(prod.region.as_deref(), Some("eu-west-1"));
        assert_eq!(prod.key_parameter, "KeyName");
        assert_eq!(prod.key_store, KeyStoreSetting::Settings);
        assert_eq!(prod.ssh_user, "ubuntu");
        let staging = config.resolve(Some("staging"), &nothing).unwrap();
        assert_eq!(staging.stack, "staging");
        assert_eq!(staging.region.as_deref(), Some("us-east-1"));
        assert!(matches!(staging.key_store, KeyStoreSetting::Ssm { .. }));
        let bare = Config::default().resolve(Some("convox"), &nothing).unwrap();
        assert_eq!(
            bare,
            RackSettings {
                name: "convox".to_owned(),
                stack: "convox".to_owned(),
                region: None,
                profile: None,
                role_arn: None,
                key_parameter: "Key".to_owned(),
                key_store: KeyStoreSetting::Settings,
                ssh_user: "ec2-user".to_owned(),
            }
        );
    }

    #[test]
    fn the_only_rack_is_meant_and_one_of_two_is_not() {
        let nothing = Environment::default();
        let one = config("racks: {solo: {stack: s}}");
        assert_eq!(one.resolve(None, &nothing).unwrap().stack, "s");
        let two = config("racks: {a: {}, b: {}}");
        let error = two.resolve(None, &nothing).unwrap_err();
        assert_eq!(error.hint(), "name one with --rack or CONVOX_RACK: a, b");
        assert!(Config::default().resolve(None, &nothing).is_err());
    }

    #[test]
    fn the_nearest_names_come_first() {
        let known = ["production", "staging", "prod-eu", "sandbox"].map(str::to_owned);
        assert_eq!(nearest("prodution", &known)[0], "production");
        assert_eq!(nearest("stagin", &known), ["staging"]);
        assert_eq!(nearest("PROD-EU", &known)[0], "prod-eu");
        assert!(nearest("zzz", &known).is_empty());
    }
}
