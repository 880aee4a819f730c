//! `convox instances keyroll`: give every instance of a rack a new SSH key.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::fleet::{self, EachRack, FleetArgs};
use super::keyroll_api;
use crate::cli::app::Output;
use crate::cli::care::CareArgs;
use crate::cli::context::Context;
use crate::cli::reach::reach_by_api;
use crate::cli::reserve::ReservedFile;
use crate::cli::session::{RackArgs, Session};
use crate::cli::strategy::StrategyArgs;
use crate::rack::{KeyStore, KeyType, PortError};
use crate::roll::{Care, EVENT_VERSION, Outcome, Plan, Report, RollOptions, not_detachable};
use crate::ui::{
    CliError, Exit, Printer, Task, one_line, print_plan, print_plan_summary, print_plan_warnings,
};

/// Give every instance of a rack a new SSH key
///
/// Makes a new EC2 key pair, has CloudFormation replace the instances batch by batch, and asks
/// every instance which key it carries. Only then does the new key become the default and the
/// old key pair go. Whatever fails on the way, the key that an instance carries stays in the
/// key store.
///
/// A rack that is reached over its API rolls the key by itself, and is only watched: it replaces
/// its stored key first.
#[derive(Debug, Args)]
pub(crate) struct KeyrollArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Wait for the end, which is what happens anyway
    #[arg(short, long, conflicts_with = "detach")]
    wait: bool,

    /// Leave as soon as CloudFormation has taken the update
    #[arg(long, conflicts_with = "plan")]
    pub(super) detach: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) plan: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,

    /// Kind of key pair
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    key_type: KeyTypeArg,

    #[command(flatten)]
    pub(super) strategy: StrategyArgs,

    #[command(flatten)]
    pub(super) care: CareArgs,

    /// Keep the old key pair
    #[arg(long)]
    keep_old: bool,

    /// Also write the new private key to this file, which must not exist yet
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(super) save_key: Option<PathBuf>,

    /// Do not ask whether to go ahead
    #[arg(short, long)]
    pub(super) yes: bool,

    /// How long to wait for a stack that is busy, such as 90s or 15m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(super) wait_busy: Duration,

    #[command(flatten)]
    fleet: FleetArgs,
}

/// The kinds of key pair that EC2 makes.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum KeyTypeArg {
    /// Short and fast
    #[default]
    Ed25519,
    /// 2048 bits, for SSH clients that know nothing better
    Rsa,
}

impl From<KeyTypeArg> for KeyType {
    fn from(arg: KeyTypeArg) -> Self {
        match arg {
            KeyTypeArg::Ed25519 => Self::Ed25519,
            KeyTypeArg::Rsa => Self::Rsa,
        }
    }
}

impl KeyrollArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        self.fleet.check()?;
        if self.fleet.is_meant() {
            if self.care.care(&self.strategy)? != Care::default() {
                let message = "gates are asked for a single rack, and not for a fleet";
                return Err(CliError::usage(message)
                    .hint("roll the racks that need one by themselves, with `-r`"));
            }
            return context.block_on(fleet::roll(&self.fleet, self.each(), context));
        }
        // Made and dropped, so that a name that is taken is told before anything is asked of AWS.
        drop(self.reserve()?);
        context.block_on(self.roll(context))
    }

    /// Makes the file that the new private key is to be saved to.
    pub(super) fn reserve(&self) -> Result<Option<ReservedFile>, CliError> {
        self.save_key
            .as_deref()
            .map(ReservedFile::create)
            .transpose()
    }

    async fn roll(&self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let task = Task::roll();
        let options = self.options();
        let care = self.care.care(&self.strategy)?;
        if let Some(remote) = reach_by_api(context, &self.rack).await? {
            return keyroll_api::roll(self, context, &remote).await;
        }
        let conflict = not_detachable(options.strategy).filter(|_| self.detach);
        if let Some(conflict) = conflict {
            return Err(CliError::usage(conflict.message).hint(conflict.hint));
        }
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let planned = session.engine().plan_with(options, &care, self.wait_busy);
        let plan = match planned.await {
            Ok(plan) => plan,
            Err(refusal) => return Ok(session.refused(&task, &refusal)),
        };
        if self.plan {
            show(printer, self.output, &plan);
            return Ok(Exit::Done);
        }
        if self.must_ask(context) {
            print_plan_summary(printer, &plan);
            if !printer.confirm("Roll the key?") {
                return Err(CliError::failed("not rolled, nothing is changed")
                    .hint("`--yes` goes ahead without asking, `--plan` shows the whole plan"));
            }
        } else if self.output == Output::Text {
            print_plan_warnings(printer, &plan);
        }
        // Kept from here on, where a Ctrl-C is heeded: until now it would leave an empty file.
        let save_to = self.reserve()?;
        let new_key = plan.new_key.clone();
        let (keys, detach) = (session.engine().keys(), self.detach);
        let report = session
            .heeding(async |engine| {
                let report = engine.run(plan, detach).await;
                if let Some(file) = save_to.filter(|_| leaves_a_new_key(&report)) {
                    save(printer, keys.as_ref(), &new_key, file).await;
                }
                report
            })
            .await?;
        Ok(match report {
            Some(report) => session.ended(&task, &report),
            None => Exit::Interrupted,
        })
    }

    fn options(&self) -> RollOptions {
        RollOptions {
            key_type: self.key_type.into(),
            keep_old: self.keep_old,
            ..self.strategy.options()
        }
    }

    /// Says what is asked for of every rack of many.
    fn each(&self) -> EachRack {
        EachRack {
            options: self.options(),
            wait_busy: self.wait_busy,
            plan: self.plan,
            yes: self.yes,
            output: self.output,
        }
    }

    /// Asks only a person, and nobody about an account that is not real.
    fn must_ask(&self, context: &Context) -> bool {
        let real = !context.global().sandbox;
        real && !self.yes && self.output == Output::Text && context.printer().can_ask()
    }
}

pub(super) fn show(printer: &Printer, output: Output, plan: &Plan) {
    match output {
        Output::Text => print_plan(printer, plan),
        Output::Json => {
            let line = json!({ "v": EVENT_VERSION, "type": "planned", "data": plan });
            printer.data(&format!("{line}\n"));
        }
    }
}

/// Tells whether the key pair that the roll made is there to stay, or may be.
fn leaves_a_new_key(report: &Report) -> bool {
    matches!(
        report.outcome,
        Outcome::Done | Outcome::Unproven | Outcome::Detached | Outcome::Stuck
    )
}

async fn save(printer: &Printer, keys: &dyn KeyStore, name: &str, file: ReservedFile) {
    let message = match keys.get(name).await {
        Ok(Some(key)) => match file.fill(&key) {
            Ok(()) => return,
            Err(error) => format!("cannot write the private key: {error}"),
        },
        Ok(None) => format!("the key store has no key {name}"),
        Err(error) => one_line(&PortError::to_string(&error)),
    };
    let hint = format!("the private key of {name} is in {}", keys.describe());
    printer.warn(&message, Some(&hint));
}
