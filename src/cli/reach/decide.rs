//! Decides how a rack is reached, from flags, environment and files alone.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::cli::app::Via;
use crate::cli::context::Context;
use crate::config::classic::{Chosen, Classic, Logins};
use crate::config::{Config, ConfigError, Setting, Told, named};
use crate::rack::remote::Endpoint;
use crate::ui::CliError;

/// What a secret's value reads like.
const HIDDEN: &str = "(set, not shown)";

/// How a rack is reached, and why.
pub(crate) struct Decision {
    /// How.
    pub(crate) way: Way,
    /// What was set, and where it came from.
    pub(crate) settings: Vec<Setting>,
}

/// The ways to a rack.
pub(crate) enum Way {
    /// The account on this machine.
    Sandbox,
    /// The AWS account that credentials are for.
    Aws,
    /// An HTTP API.
    Api(Box<Place>),
}

/// An HTTP API, and who asks.
pub(crate) struct Place {
    /// Where it is.
    pub(crate) address: Address,
    /// The rack that is meant there.
    pub(crate) rack: Option<String>,
    /// The password, where the address has none; none where nothing tells it.
    pub(crate) password: Option<SecretString>,
    /// The stored login that the password is from, if it is from one.
    pub(crate) login: Option<Login>,
    /// The classic's files, where there is a place for them.
    pub(crate) classic: Option<Classic>,
}

/// A login that is stored on this machine.
pub(crate) struct Login {
    /// The host, as the file names it.
    pub(crate) host: String,
    /// The file.
    pub(crate) logins: Logins,
}

/// Where an HTTP API is.
pub(crate) enum Address {
    /// `https://USER:PASSWORD@HOST`.
    Url(SecretString),
    /// `HOST` or `HOST:PORT`.
    Host(String),
}

/// Decides how the rack is reached that `flag`, the environment or a file means.
///
/// In this order: `--via`; a flag that only AWS understands; `RACK_URL`; `CONVOX_HOST`; a
/// named rack that `config.yaml` describes; the stored login that is chosen; else AWS.
pub(crate) fn decide(context: &Context, flag: Option<&str>) -> Result<Decision, CliError> {
    let global = context.global();
    if global.sandbox {
        let source = match global.via {
            Some(_) => "flag --via",
            None => "flag --sandbox",
        };
        return in_sandbox(context, flag, source);
    }
    match global.via {
        Some(Via::Aws) => return in_aws(context, flag, "flag --via"),
        Some(Via::Api) => {
            return by_api(context, flag, Some("flag --via"))?.ok_or_else(|| {
                CliError::usage("nothing says where the rack's API is").hint(
                    "log in with `convox login HOST`, or set RACK_URL, or CONVOX_HOST and \
                     CONVOX_PASSWORD",
                )
            });
        }
        Some(Via::Sandbox) | None => {}
    }
    let aws_flags = [
        ("flag --region", global.region.is_some()),
        ("flag --profile", global.profile.is_some()),
        ("flag --endpoint-url", global.endpoint_url.is_some()),
    ];
    if let Some((source, _)) = aws_flags.into_iter().find(|(_, given)| *given) {
        return in_aws(context, flag, source);
    }
    let environment = context.environment();
    let is_explicit = ["RACK_URL", "CONVOX_HOST"]
        .iter()
        .any(|name| environment.get(name).is_some());
    if !is_explicit && let Some(rack) = named(flag, environment) {
        let config = match Config::load(environment) {
            Err(ConfigError::NoHome) => Config::default(),
            config => config?,
        };
        if config.describes(&rack.text) {
            return in_aws(context, flag, "config.yaml describes the rack");
        }
    }
    match by_api(context, flag, None)? {
        Some(decision) => Ok(decision),
        None => in_aws(context, flag, "no host is chosen"),
    }
}

fn in_sandbox(context: &Context, flag: Option<&str>, source: &str) -> Result<Decision, CliError> {
    let mut settings = vec![Setting::new("via", "sandbox", source)];
    settings.push(match named(flag, context.environment()) {
        Some(rack) => told("rack", rack),
        None => Setting::new("rack", "the only one there is", "default"),
    });
    let dir = context.sandbox_dir()?.display().to_string();
    settings.push(Setting::new("account", dir, "default"));
    Ok(Decision {
        way: Way::Sandbox,
        settings,
    })
}

fn in_aws(context: &Context, flag: Option<&str>, source: &str) -> Result<Decision, CliError> {
    let (global, environment) = (context.global(), context.environment());
    let config = Config::load(environment)?;
    let mut settings = vec![Setting::new("via", "aws", source)];
    let flags = [
        ("region", "flag --region", &global.region),
        ("profile", "flag --profile", &global.profile),
        ("endpoint", "flag --endpoint-url", &global.endpoint_url),
    ];
    let mut reach = Vec::new();
    for (name, flag, value) in flags {
        reach.extend(value.as_ref().map(|value| Setting::new(name, value, flag)));
    }
    let variables = [
        ("region", "AWS_REGION"),
        ("region", "AWS_DEFAULT_REGION"),
        ("profile", "AWS_PROFILE"),
    ];
    for (name, variable) in variables {
        if reach.iter().all(|setting| setting.name != name)
            && let Some(value) = environment.get(variable)
        {
            let source = format!("environment {variable}");
            reach.push(Setting::new(name, value, source));
        }
    }
    match config.meant(flag, environment) {
        Some(rack) => {
            let own = config.explain(&rack.text, environment);
            settings.push(told("rack", rack));
            let is_new = |setting: &Setting| reach.iter().all(|other| other.name != setting.name);
            let own: Vec<_> = own.into_iter().filter(is_new).collect();
            settings.extend(reach);
            settings.extend(own);
        }
        None => {
            settings.push(Setting::new("rack", "the only one there is", "default"));
            settings.extend(reach);
        }
    }
    Ok(Decision {
        way: Way::Aws,
        settings,
    })
}

/// Decides by `RACK_URL`, `CONVOX_HOST` and the classic's files; `None` when none says a thing.
fn by_api(
    context: &Context,
    flag: Option<&str>,
    forced: Option<&str>,
) -> Result<Option<Decision>, CliError> {
    let environment = context.environment();
    let via = |source: &str| Setting::new("via", "api", forced.unwrap_or(source));
    let classic = open_classic(context)?;
    if let Some(url) = environment.get("RACK_URL") {
        let source = "environment RACK_URL";
        let mut settings = vec![
            via(source),
            Setting::new("host", host_of(url), source),
            Setting::new("password", HIDDEN, source),
        ];
        // For a console; a rack does not look at it.
        let rack = flag.map(|rack| Told::new(rack, "flag --rack"));
        settings.extend(rack.clone().map(|rack| told("rack", rack)));
        return Ok(Some(Decision {
            way: Way::Api(Box::new(Place {
                address: Address::Url(SecretString::from(url)),
                rack: rack.map(|rack| rack.text),
                password: None,
                login: None,
                classic,
            })),
            settings,
        }));
    }
    let rack = named(flag, environment);
    let (host, rack) = match environment.get("CONVOX_HOST") {
        Some(host) => {
            let rack = match (rack, &classic) {
                (Some(rack), _) => Some(rack),
                (None, Some(classic)) => match classic.project_rack()? {
                    Some(rack) => Some(rack),
                    None => classic.rack_of(host)?,
                },
                (None, None) => None,
            };
            (Told::new(host, "environment CONVOX_HOST"), rack)
        }
        None => {
            let chosen = match &classic {
                Some(classic) => classic.chosen(rack)?,
                None => None,
            };
            match chosen {
                Some(Chosen::Host { host, rack }) => (host, rack),
                Some(Chosen::Url { url, rack, file }) => {
                    return Ok(Some(direct(via(&rack.source), url, rack, &file, classic)));
                }
                Some(Chosen::Terraform { rack }) => return Err(terraform(&rack)),
                None => return Ok(None),
            }
        }
    };
    let mut settings = vec![via(&host.source), told("host", host.clone())];
    let (password, login) = match (environment.get("CONVOX_PASSWORD"), &classic) {
        (Some(password), _) => {
            let source = "environment CONVOX_PASSWORD";
            settings.push(Setting::new("password", HIDDEN, source));
            (Some(SecretString::from(password)), None)
        }
        (None, Some(classic)) => {
            let source = format!("file {}", classic.auth_file().display());
            let (stored, login) = stored(classic.logins(), &host.text)?;
            let value = if stored.is_some() { HIDDEN } else { "(none)" };
            settings.push(Setting::new("password", value, source));
            (stored, login)
        }
        (None, None) => (None, None),
    };
    settings.extend(rack.clone().map(|rack| told("rack", rack)));
    if let Some(classic) = &classic {
        let (dir, why) = classic.dir();
        settings.push(Setting::new("files", dir.display().to_string(), why));
    }
    Ok(Some(Decision {
        way: Way::Api(Box::new(Place {
            address: Address::Host(host.text),
            rack: rack.map(|rack| rack.text),
            password,
            login,
            classic,
        })),
        settings,
    }))
}

/// Looks for a login by the host as it is written, else as an address would be: in lower
/// case, without the port that is meant anyway.
fn stored(logins: Logins, host: &str) -> Result<(Option<SecretString>, Option<Login>), CliError> {
    let written = host.to_owned();
    let plain = Endpoint::of_host(host, SecretString::from(""), true);
    let plain = plain.map(|endpoint| endpoint.host().to_owned()).ok();
    for host in [Some(written), plain].into_iter().flatten() {
        if let Some(password) = logins.stored(&host)? {
            return Ok((Some(password), Some(Login { host, logins })));
        }
    }
    Ok((None, None))
}

/// Finds the classic's files; a machine without a home has none.
pub(crate) fn open_classic(context: &Context) -> Result<Option<Classic>, CliError> {
    let project = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    match Classic::open(context.environment(), &project) {
        Ok(classic) => Ok(Some(classic)),
        Err(ConfigError::NoHome) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn direct(
    via: Setting,
    url: SecretString,
    rack: Told,
    file: &Path,
    classic: Option<Classic>,
) -> Decision {
    use secrecy::ExposeSecret as _;
    let source = format!("file {}", file.display());
    let settings = vec![
        via,
        Setting::new("host", host_of(url.expose_secret()), source.clone()),
        Setting::new("password", HIDDEN, source),
        told("rack", rack),
    ];
    Decision {
        way: Way::Api(Box::new(Place {
            address: Address::Url(url),
            rack: None,
            password: None,
            login: None,
            classic,
        })),
        settings,
    }
}

fn terraform(rack: &Told) -> CliError {
    CliError::usage(format!(
        "{} ({}) is a rack that Terraform knows the address of",
        rack.text, rack.source
    ))
    .hint("set RACK_URL to what its Terraform output `api` says, or use `--via aws`")
}

/// Returns the host of an address, and nothing that comes before it.
fn host_of(url: &str) -> String {
    // Without an `@` it is no address of a rack, and all of it may be secret.
    let host = url.rsplit_once('@').map_or("", |(_, host)| host);
    let host = host.trim().trim_end_matches('/');
    if host.is_empty() {
        "(none)".to_owned()
    } else {
        host.to_owned()
    }
}

fn told(name: &'static str, told: Told) -> Setting {
    Setting::new(name, told.text, told.source)
}
