//! Where the settings of a rack in AWS came from.

use super::file::{Defaults, Entry, KeyStoreSetting};
use super::{Config, Environment, Setting};

impl Config {
    /// Lists what is set about the rack `name`, with what set it.
    ///
    /// A setting that nothing sets is left out: the AWS SDK finds region and profile by itself.
    #[must_use]
    pub fn explain(&self, name: &str, environment: &Environment) -> Vec<Setting> {
        let nothing = Entry::default();
        let entry = self.shape.racks.get(name).unwrap_or(&nothing);
        let defaults = &self.shape.defaults;
        let mut settings = Vec::new();
        let mut add = |label, key: &str, text: Option<(String, bool)>, default: Option<&str>| {
            let found = match text {
                Some((text, true)) => Some((text, format!("config.yaml: racks.{name}.{key}"))),
                Some((text, false)) => Some((text, format!("config.yaml: defaults.{key}"))),
                None => default.map(|text| (text.to_owned(), "default".to_owned())),
            };
            settings.extend(found.map(|(text, source)| Setting::new(label, text, source)));
        };
        let pick = |own: &Option<String>, shared: &Option<String>| pick(own, shared);
        add("stack", "stack", pick(&entry.stack, &None), Some(name));
        let unless_set = |variables: &[&str], text: Option<(String, bool)>| {
            text.filter(|_| variables.iter().all(|name| environment.get(name).is_none()))
        };
        let region = pick(&entry.region, &defaults.region);
        let region = unless_set(&["AWS_REGION", "AWS_DEFAULT_REGION"], region);
        add("region", "region", region, None);
        let profile = pick(&entry.profile, &defaults.profile);
        let profile = unless_set(&["AWS_PROFILE"], profile);
        add("profile", "profile", profile, None);
        add(
            "role",
            "role_arn",
            pick(&entry.role_arn, &defaults.role_arn),
            None,
        );
        let parameter = pick(&entry.key_parameter, &defaults.key_parameter);
        add("key parameter", "key_parameter", parameter, Some("Key"));
        let store = key_store(entry, defaults);
        let bucket = "the rack's settings bucket";
        add("key store", "key_store", store, Some(bucket));
        let user = pick(&entry.ssh_user, &defaults.ssh_user);
        add("ssh user", "ssh_user", user, Some("ec2-user"));
        settings
    }
}

/// Takes the rack's own value, else the shared one; true is the rack's own.
fn pick(own: &Option<String>, shared: &Option<String>) -> Option<(String, bool)> {
    let of = |text: &Option<String>, own| text.clone().map(|text| (text, own));
    of(own, true)
        .or_else(|| of(shared, false))
        .filter(|(text, _)| !text.is_empty())
}

fn key_store(entry: &Entry, defaults: &Defaults) -> Option<(String, bool)> {
    let own = entry.key_store.as_ref().map(|store| (store, true));
    let (store, own) = own.or_else(|| Some((defaults.key_store.as_ref()?, false)))?;
    let text = match store {
        KeyStoreSetting::Settings => "the rack's settings bucket".to_owned(),
        KeyStoreSetting::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
        KeyStoreSetting::Ssm { prefix, .. } => format!("ssm:{prefix}"),
        KeyStoreSetting::Directory(path) => path.display().to_string(),
    };
    Some((text, own))
}
