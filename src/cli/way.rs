//! The flags that lead a suggested command to the same rack.

use super::app::{GlobalArgs, Via};
use super::session::RackArgs;
use crate::ui::CliError;

/// The commands that reach a rack.
const REACHING: [&str; 3] = ["convox instances", "convox rack ", "convox rolls "];

/// The flags with which this command reached its rack. The engine, which words the hints,
/// knows of none.
#[derive(Debug, Clone)]
pub(super) struct Way(String);

impl Way {
    /// Remembers those flags that name a rack or an account.
    pub(super) fn of(global: &GlobalArgs, rack: &RackArgs) -> Self {
        let mut flags = String::new();
        let valued = [
            ("--rack", &rack.rack),
            ("--region", &global.region),
            ("--profile", &global.profile),
            ("--endpoint-url", &global.endpoint_url),
        ];
        for (flag, value) in valued {
            if let Some(value) = value {
                flags.push_str(&format!(" {flag} {}", quoted(value)));
            }
        }
        match global.via {
            Some(Via::Aws) => flags.push_str(" --via aws"),
            Some(Via::Api) => flags.push_str(" --via api"),
            Some(Via::Sandbox) | None => {}
        }
        if let Some(file) = global.tls_ca.as_ref().and_then(|file| file.to_str()) {
            flags.push_str(&format!(" --tls-ca {}", quoted(file)));
        }
        if global.sandbox {
            flags.push_str(" --sandbox");
        }
        Self(flags)
    }

    /// Completes the commands that stand between backticks in a hint.
    pub(super) fn complete(&self, hint: &str) -> String {
        let parts = hint.split('`').enumerate().map(|(place, part)| {
            let is_command = place % 2 == 1 && REACHING.iter().any(|it| part.starts_with(it));
            if is_command {
                format!("{part}{}", self.0)
            } else {
                part.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join("`")
    }

    /// Completes the commands in an error's hints.
    pub(super) fn leads(&self, error: CliError) -> CliError {
        let bare = CliError::new(error.exit(), error.message());
        let hints = error.hints().iter();
        hints.fold(bare, |error, hint| error.hint(self.complete(hint)))
    }
}

/// Quotes a word for a shell if it needs that.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_leads_to_the_rack_that_it_is_about() {
        let rack = |name: Option<&str>| RackArgs {
            rack: name.map(str::to_owned),
        };
        let hint = "come back with `convox rolls resume 01`, or `convox sandbox reset`";
        let sandbox = GlobalArgs {
            sandbox: true,
            ..GlobalArgs::default()
        };
        assert_eq!(
            Way::of(&sandbox, &rack(None)).complete(hint),
            "come back with `convox rolls resume 01 --sandbox`, or `convox sandbox reset`"
        );
        let aws = GlobalArgs {
            region: Some("eu-west-1".to_owned()),
            profile: Some("my team's".to_owned()),
            ..GlobalArgs::default()
        };
        assert_eq!(
            Way::of(&aws, &rack(Some("prod"))).complete("`convox rolls list`"),
            "`convox rolls list --rack prod --region eu-west-1 --profile 'my team'\\''s'`"
        );
        let nothing = Way::of(&GlobalArgs::default(), &rack(None));
        assert_eq!(nothing.complete(hint), hint);
    }
}
