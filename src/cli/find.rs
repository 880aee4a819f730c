//! Which rack is meant, and how it is reached: flags, then the environment, then the file.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::context::{Context, Rehearsal};
use super::racks::{Listed, Listing, about};
use super::sandbox::load;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, KeyStoreSetting, RackSettings};
use crate::ids::Entropy;
use crate::rack::aws::{Access, Account, Budgets, KeyStoreChoice, Target, Transport};
use crate::rack::{ApiProbe, PortError, Rack};
use crate::sandbox::{DEFAULT_SPEED, PersistError, Sandbox, Scenario, ScenarioError};
use crate::ui::CliError;

const AFRESH: &str = "`convox sandbox reset` starts the account afresh";

/// Finds the rack that `name` or the environment means, in the account on this machine.
pub(super) async fn find_in_sandbox(
    context: &Context,
    name: Option<&str>,
) -> Result<(Rack, Clock), CliError> {
    let (account, clock, sandbox) = sandbox_account(context).await?;
    let name = name_in_sandbox(context, name, &account).await?;
    let settings = Config::default().resolve(Some(&name), context.environment())?;
    let rack = rack_in_sandbox(&account, &sandbox, settings, &context.entropy()?)?;
    Ok((rack, clock))
}

/// Finds a rack of the account on this machine, with its API.
pub(super) fn rack_in_sandbox(
    account: &Account,
    sandbox: &Sandbox,
    settings: RackSettings,
    entropy: &Entropy,
) -> Result<Rack, CliError> {
    let api = SandboxApi {
        rack: settings.stack.clone(),
        sandbox: sandbox.clone(),
    };
    let mut rack = account.rack(&target(settings), entropy)?;
    rack.probe = Some(Arc::new(api));
    Ok(rack)
}

/// Returns the rack that `name` or the environment means, else the only one of the account.
pub(super) async fn name_in_sandbox(
    context: &Context,
    name: Option<&str>,
    account: &Account,
) -> Result<String, CliError> {
    match name.or_else(|| context.environment().get("CONVOX_RACK")) {
        Some(name) => Ok(name.to_owned()),
        None => only(account.stacks().racks().await?, account.region()),
    }
}

/// The API of a rack in the account on this machine.
struct SandboxApi {
    rack: String,
    sandbox: Sandbox,
}

#[async_trait]
impl ApiProbe for SandboxApi {
    fn describe(&self) -> String {
        format!("the API of {} in the sandbox", self.rack)
    }

    async fn accepts(&self, password: &SecretString) -> Result<bool, PortError> {
        let pair = Zeroizing::new(format!("convox:{}", password.expose_secret()));
        let basic = STANDARD.encode(pair.as_bytes());
        let request = http::Request::get("/auth")
            .header(http::header::AUTHORIZATION, format!("Basic {basic}"))
            .body(bytes::Bytes::new());
        let request = request.map_err(|error| PortError::Unanswered {
            api: "GET /auth",
            message: error.to_string(),
        })?;
        let answer = self.sandbox.rack_api(&self.rack, request).await;
        match answer.status().as_u16() {
            200 => Ok(true),
            401 => Ok(false),
            status => Err(PortError::Unanswered {
                api: "GET /auth",
                message: format!("HTTP {status}"),
            }),
        }
    }
}

/// Lists the racks of the account on this machine.
pub(super) async fn list_in_sandbox(context: &Context) -> Result<Listing, CliError> {
    let (account, _clock, _sandbox) = sandbox_account(context).await?;
    let mut listing = Listing::default();
    for name in account.stacks().racks().await? {
        let settings = Config::default().resolve(Some(&name), context.environment())?;
        listing.ask(context, "sandbox", &account, settings).await?;
    }
    Ok(listing)
}

/// Opens the account on this machine.
pub(super) async fn sandbox_account(
    context: &Context,
) -> Result<(Account, Clock, Sandbox), CliError> {
    let (sandbox, clock) = open_sandbox(context)?;
    let transport = Transport::InProcess(sandbox.in_process());
    let account = Account::connect(&Access::new(transport, clock.clone())).await?;
    Ok((account, clock, sandbox))
}

/// Opens the sandbox on this machine, or makes the one that lasts as long as the command.
pub(super) fn open_sandbox(context: &Context) -> Result<(Sandbox, Clock), CliError> {
    Ok(match context.rehearsal() {
        Some(rehearsal) => rehearse(context, rehearsal)?,
        None => Sandbox::open(&context.sandbox_dir()?, DEFAULT_SPEED)?,
    })
}

/// Opens the account that flags and the environment mean, for what is in no rack.
pub(super) async fn account(context: &Context) -> Result<Account, CliError> {
    if context.global().sandbox {
        return Ok(sandbox_account(context).await?.0);
    }
    let access = access(context, None, &Clock::system());
    Ok(Account::connect(&access).await?)
}

/// Makes an account that lasts as long as the command, and lives in virtual time.
fn rehearse(context: &Context, rehearsal: Rehearsal) -> Result<(Sandbox, Clock), CliError> {
    let clock = Clock::starting_at(rehearsal.epoch, 1.0);
    let mut scenario = match context.environment().get("CONVOX_TEST_SCENARIO") {
        Some(path) => load(path.as_ref())?,
        None => Scenario::default(),
    };
    scenario.seed = rehearsal.seed;
    Ok((Sandbox::new(&scenario, clock.clone())?, clock))
}

/// Finds the rack that `name` or the environment or the file means, in AWS.
pub(super) async fn find_in_aws(
    context: &Context,
    name: Option<&str>,
) -> Result<(Rack, Clock), CliError> {
    let environment = context.environment();
    let config = Config::load(environment)?;
    let clock = Clock::system();
    let settings = match config.resolve(name, environment) {
        Ok(settings) => settings,
        Err(ConfigError::NoRack { known }) if known.is_empty() => {
            let only = the_only_rack(context, &clock).await?;
            config.resolve(Some(&only), environment)?
        }
        Err(error) => return Err(error.into()),
    };
    let rack = rack_in_aws(context, settings, &clock, None).await?;
    Ok((rack, clock))
}

/// Finds the rack of these settings in AWS; `budgets` say how often it is asked, where others are
/// asked too.
pub(super) async fn rack_in_aws(
    context: &Context,
    settings: RackSettings,
    clock: &Clock,
    budgets: Option<&Budgets>,
) -> Result<Rack, CliError> {
    let mut access = access(context, Some(&settings), clock);
    access.budget = budgets.map(|budgets| budgets.of(&access));
    let account = Account::connect(&access).await?;
    Ok(account.rack(&target(settings), &context.entropy()?)?)
}

/// Lists the racks of `config.yaml`, and those of the account besides.
pub(super) async fn list_in_aws(context: &Context) -> Result<Listing, CliError> {
    let environment = context.environment();
    let config = Config::load(environment)?;
    let clock = Clock::system();
    let mut listing = Listing::default();
    let mut stacks = Vec::new();
    for name in config.rack_names() {
        let settings = config.resolve(Some(&name), environment)?;
        stacks.push(settings.stack.clone());
        let access = access(context, Some(&settings), &clock);
        match Account::connect(&access).await {
            Ok(account) => listing.ask(context, "aws", &account, settings).await?,
            Err(error) => listing.errors.push(about(&name, error.into())),
        }
    }
    let account = Account::connect(&access(context, None, &clock)).await;
    let account = match account {
        // Every rack says for itself where it is.
        Err(PortError::NoRegion) if !stacks.is_empty() => return Ok(listing),
        account => account?,
    };
    match account.stacks().racks().await {
        Ok(racks) => {
            for name in racks.into_iter().filter(|name| !stacks.contains(name)) {
                let settings = config.resolve(Some(&name), environment)?;
                listing.ask(context, "aws", &account, settings).await?;
            }
        }
        Err(error) => listing.errors.push(error.into()),
    }
    Ok(listing)
}

impl Listing {
    /// Adds a rack with its status; one that cannot be asked is `unknown`.
    async fn ask(
        &mut self,
        context: &Context,
        via: &'static str,
        account: &Account,
        settings: RackSettings,
    ) -> Result<(), CliError> {
        let name = settings.name.clone();
        let rack = account.rack(&target(settings), &context.entropy()?)?;
        let status = match rack.system.describe().await {
            Ok(system) => system.status,
            Err(error) => {
                self.errors.push(about(&name, error.into()));
                "unknown".to_owned()
            }
        };
        self.racks.push(Listed {
            name,
            status,
            via,
            place: match via {
                "aws" => account.region().to_owned(),
                _ => String::new(),
            },
        });
        Ok(())
    }
}

/// Asks the account which racks it has, and takes the only one.
async fn the_only_rack(context: &Context, clock: &Clock) -> Result<String, CliError> {
    let account = Account::connect(&access(context, None, clock)).await?;
    only(account.stacks().racks().await?, account.region())
}

fn only(mut racks: Vec<String>, region: &str) -> Result<String, CliError> {
    racks.sort();
    match racks.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CliError::failed(format!("there is no rack in {region}"))
            .hint("look at --region and --profile, name a stack with --rack, or try --sandbox")),
        several => Err(
            CliError::usage(format!("there are {} racks", several.len()))
                .hint(format!("name one with --rack: {}", several.join(", "))),
        ),
    }
}

/// Says how the account of these settings is reached, or the one that flags and environment mean.
pub(super) fn access(context: &Context, settings: Option<&RackSettings>, clock: &Clock) -> Access {
    let (global, environment) = (context.global(), context.environment());
    // What the file says yields to the environment, which the SDK reads by itself.
    let unless = |variables: &[&str], value: Option<&String>| {
        let is_set = variables.iter().any(|name| environment.get(name).is_some());
        value.filter(|_| !is_set).cloned()
    };
    let region = settings.and_then(|settings| settings.region.as_ref());
    let profile = settings.and_then(|settings| settings.profile.as_ref());
    Access {
        region: global
            .region
            .clone()
            .or_else(|| unless(&["AWS_REGION", "AWS_DEFAULT_REGION"], region)),
        profile: global
            .profile
            .clone()
            .or_else(|| unless(&["AWS_PROFILE"], profile)),
        endpoint_url: global.endpoint_url.clone(),
        assume_role: settings.and_then(|settings| settings.role_arn.clone()),
        ..Access::new(Transport::Network, clock.clone())
    }
}

/// Says which rack these settings mean.
pub(super) fn target(settings: RackSettings) -> Target {
    Target {
        name: settings.name,
        stack: settings.stack,
        key_parameter: settings.key_parameter,
        key_store: match settings.key_store {
            KeyStoreSetting::Settings => KeyStoreChoice::Settings,
            KeyStoreSetting::S3 {
                bucket,
                prefix,
                kms_key,
            } => KeyStoreChoice::S3 {
                bucket,
                prefix,
                kms_key,
            },
            KeyStoreSetting::Ssm { prefix, kms_key } => KeyStoreChoice::Ssm { prefix, kms_key },
            KeyStoreSetting::Directory(path) => KeyStoreChoice::Directory(path),
        },
        ssh_user: settings.ssh_user,
    }
}

impl From<PersistError> for CliError {
    fn from(error: PersistError) -> Self {
        match error {
            PersistError::File { path, source } => {
                Self::failed(format!("cannot use {}: {source}", path.display()))
                    .hint("make it yours to read and write, or set XDG_STATE_HOME")
            }
            PersistError::Damaged { path, source } => {
                Self::failed(format!("{} is damaged: {source}", path.display())).hint(AFRESH)
            }
            PersistError::OtherVersion { path, .. } => {
                let message = format!("{} is of another version of convox", path.display());
                Self::failed(message).hint(AFRESH)
            }
            PersistError::Scenario(error) => error.into(),
        }
    }
}

impl From<ScenarioError> for CliError {
    fn from(error: ScenarioError) -> Self {
        match error {
            ScenarioError::Read { path, source } => {
                Self::usage(format!("cannot read {}: {source}", path.display()))
                    .hint("`convox sandbox scenarios` lists those that come along")
            }
            ScenarioError::Parse { .. } => Self::usage(error.to_string())
                .hint("the files in fixtures/scenarios show how one is written"),
            error => Self::failed(error.to_string()).hint(AFRESH),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string()).hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::app::GlobalArgs;
    use crate::config::Environment;
    use crate::ui::{Printer, Verbosity};

    fn reached(variables: &[(&str, &str)], global: GlobalArgs) -> Access {
        let (printer, _) = Printer::captured(Verbosity::Normal);
        let environment = Environment::from_iter(variables.iter().copied());
        let context = Context::with_environment(printer, global, environment);
        let settings = RackSettings {
            name: "prod".to_owned(),
            stack: "prod".to_owned(),
            region: Some("eu-west-1".to_owned()),
            profile: Some("file".to_owned()),
            role_arn: None,
            key_parameter: "Key".to_owned(),
            key_store: KeyStoreSetting::Settings,
            ssh_user: "ec2-user".to_owned(),
        };
        access(&context, Some(&settings), &Clock::system())
    }

    #[tokio::test(start_paused = true)]
    async fn flags_beat_the_environment_which_beats_the_file() {
        let file = reached(&[], GlobalArgs::default());
        assert_eq!(file.region.as_deref(), Some("eu-west-1"));
        assert_eq!(file.profile.as_deref(), Some("file"));
        let variables = [("AWS_REGION", "us-west-2"), ("AWS_PROFILE", "env")];
        let environment = reached(&variables, GlobalArgs::default());
        assert_eq!(environment.region, None, "the SDK reads it");
        assert_eq!(environment.profile, None, "the SDK reads it");
        let flags = GlobalArgs {
            region: Some("sa-east-1".to_owned()),
            profile: Some("flag".to_owned()),
            ..GlobalArgs::default()
        };
        let flags = reached(&variables, flags);
        assert_eq!(flags.region.as_deref(), Some("sa-east-1"));
        assert_eq!(flags.profile.as_deref(), Some("flag"));
    }
}
