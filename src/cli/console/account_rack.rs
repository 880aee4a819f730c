//! Racks that the console reaches in their AWS account: where.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::config::Config;
use crate::ui::CliError;

/// What only a rack that is reached in its account takes.
#[derive(Debug, Args)]
pub(super) struct AccountRackArgs {
    /// Name of its stack [default: the rack's]
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// AWS region of the rack [default: the server's]
    #[arg(long = "rack-region", value_name = "REGION")]
    rack_region: Option<String>,

    /// Role to assume in the rack's account
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    /// YAML file of further settings, as config.yaml has them for a rack
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl AccountRackArgs {
    /// Refuses all of them, for a rack that is reached over its API.
    pub(super) fn check_stray(&self) -> Result<(), CliError> {
        let given = [
            (self.stack.is_some(), "--stack"),
            (self.rack_region.is_some(), "--rack-region"),
            (self.role_arn.is_some(), "--role-arn"),
            (self.settings.is_some(), "--settings"),
        ];
        match given.into_iter().find(|(is, _)| *is) {
            Some((_, flag)) => Err(CliError::usage(format!(
                "{flag} is for a rack that is reached in its account"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the settings of the rack `name`, which had those of `before`: a file's take their
    /// place, and a flag that of one of them.
    pub(super) fn settings(&self, name: &str, before: &Value) -> Result<Value, CliError> {
        let wrong = |told: String| {
            CliError::usage(told).hint("the README shows the settings that a rack can have")
        };
        let mut settings = match &self.settings {
            None => before.clone(),
            Some(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| wrong(format!("cannot read {shown}: {error}")))?;
                serde_yaml::from_str(&text).map_err(|error| wrong(format!("{shown}: {error}")))?
            }
        };
        let Some(entry) = settings.as_object_mut() else {
            return Err(wrong(
                "the settings of a rack are names with values".to_owned(),
            ));
        };
        for (key, value) in [
            ("stack", &self.stack),
            ("region", &self.rack_region),
            ("role_arn", &self.role_arn),
        ] {
            if let Some(value) = value {
                entry.insert(key.to_owned(), json!(value));
            }
        }
        Config::one(name, settings.clone()).map_err(wrong)?;
        Ok(settings)
    }
}
