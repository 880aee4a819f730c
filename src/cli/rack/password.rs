//! `convox rack params set Password=`: a roll of the rack API's key.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::password_console::by_console;
use crate::cli::api_key::Purpose;
use crate::cli::app::Output;
use crate::cli::console_roll::rolls_by_itself;
use crate::cli::context::Context;
use crate::cli::reach::{How, reach};
use crate::cli::session::{AnySession, RackArgs, Session};
use crate::roll::{ApiKeyEngine, ApiKeyRequest, EVENT_VERSION, Outcome, Plan};
use crate::ui::{
    CliError, Exit, Printer, Task, print_plan, print_plan_summary, print_plan_warnings,
};

/// What only `Password=` takes.
#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// With Password=: also write the new password to this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub(super) password_out: Option<PathBuf>,

    /// With Password=: print the new password once it works
    #[arg(long, conflicts_with = "plan")]
    pub(super) reveal: bool,

    /// With Password=: the login to keep the new password in [default: the rack's own]
    #[arg(long, value_name = "HOST")]
    login: Option<String>,

    /// With Password=: leave as soon as CloudFormation has taken the update
    #[arg(long, conflicts_with = "plan")]
    pub(super) detach: bool,

    /// With Password=: do not ask whether to go ahead
    #[arg(short, long)]
    pub(super) yes: bool,

    /// With Password=: how long to wait for a stack that is busy, such as 90s or 15m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(super) wait_busy: Duration,
}

impl PasswordArgs {
    /// Names the first flag that means something only with `Password=`.
    pub(super) fn stray(&self) -> Option<&'static str> {
        let given = [
            (self.password_out.is_some(), "--password-out"),
            (self.reveal, "--reveal"),
            (self.login.is_some(), "--login"),
            (self.detach, "--detach"),
        ];
        given.into_iter().find_map(|(is, flag)| is.then_some(flag))
    }
}

/// How the command is to go about it, whatever it sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) output: Output,
    pub(super) plan: bool,
}

/// Rolls the key of the rack API to `value`, and sets `others` in the same update.
pub(super) async fn roll_password(
    context: &Context,
    rack: &RackArgs,
    value: &str,
    others: BTreeMap<String, String>,
    args: &PasswordArgs,
    manner: Manner,
) -> Result<Exit, CliError> {
    let printer = context.printer();
    let output = manner.output;
    let request = ApiKeyRequest {
        value: read_value(printer, value)?,
        set: others,
        password_out: args.password_out.clone(),
        shown: args.reveal,
    };
    let host = args.login.as_deref();
    let reached = reach(context, rack).await?;
    if let How::Api(remote) = reached.how()
        && host.is_none()
        && rolls_by_itself(remote).await?
    {
        return by_console(context, remote, request, args, manner).await;
    }
    let session = AnySession::of(context, rack, reached, output, host, Purpose::Begin).await?;
    let roll = Roll {
        context,
        args,
        manner,
    };
    match session {
        AnySession::Aws(mut session) => roll.carry_out(&mut session, request).await,
        AnySession::Api(mut session) => roll.carry_out(&mut session, request).await,
    }
}

/// A roll as the command line asks for it.
struct Roll<'a> {
    context: &'a Context,
    args: &'a PasswordArgs,
    manner: Manner,
}

impl Roll<'_> {
    async fn carry_out<E: ApiKeyEngine>(
        &self,
        session: &mut Session<E>,
        request: ApiKeyRequest,
    ) -> Result<Exit, CliError> {
        let (printer, args) = (self.context.printer(), self.args);
        let task = Task::forward("Updating parameters".to_owned());
        let Manner { output, plan: only } = self.manner;
        let wait_busy = args.wait_busy;
        let plan = match session.engine().plan_api_key(request, wait_busy).await {
            Ok(plan) => plan,
            Err(refusal) if refusal.is_unchanged() => {
                return Ok(unchanged(printer, output, &refusal.to_string()));
            }
            Err(refusal) => return Ok(session.refused(&task, &refusal)),
        };
        if only {
            show(printer, output, &plan);
            return Ok(Exit::Done);
        }
        self.go_ahead(&plan)?;
        let new = session.engine().new_api_key(&plan).cloned();
        let is_shown = args.reveal || args.password_out.is_some();
        if let Some(new) = new.as_ref().filter(|_| is_shown && output == Output::Text) {
            mask(self.context, printer, new);
        }
        let carried_out = plan.clone();
        let report = session
            .heeding(async |engine| engine.run(carried_out, args.detach).await)
            .await?;
        let Some(report) = report else {
            return Ok(Exit::Interrupted);
        };
        let exit = session.ended(&task, &report);
        if let Some(new) = new.filter(|_| args.reveal && report.outcome == Outcome::Done) {
            reveal(printer, output, &new);
            session.engine().shown(&plan).await?;
        }
        Ok(exit)
    }

    /// Tells what is worth knowing, and asks whether to go ahead where somebody can answer.
    fn go_ahead(&self, plan: &Plan) -> Result<(), CliError> {
        let printer = self.context.printer();
        let is_text = self.manner.output == Output::Text;
        let real = !self.context.global().sandbox;
        if real && !self.args.yes && is_text && printer.can_ask() {
            print_plan_summary(printer, plan);
            let question = if plan.is_far() {
                "Set the password?"
            } else {
                "Set the password and restart the rack API?"
            };
            if !printer.confirm(question) {
                return Err(CliError::failed("not set, nothing is changed")
                    .hint("`--yes` goes ahead without asking, `--plan` shows the whole plan"));
            }
        } else if is_text {
            print_plan_warnings(printer, plan);
        }
        Ok(())
    }
}

/// Says that the password is the one that the rack has, in the words of `told`.
pub(super) fn unchanged(printer: &Printer, output: Output, told: &str) -> Exit {
    match output {
        Output::Text => printer.say(&format!("nothing to change: {told}")),
        Output::Json => {
            let data = json!({ "message": told });
            let line = json!({ "v": EVENT_VERSION, "type": "unchanged", "data": data });
            printer.data(&format!("{line}\n"));
        }
    }
    Exit::Done
}

/// Reads the new password from where the command line says that it is; none is to be made.
fn read_value(printer: &Printer, value: &str) -> Result<Option<SecretString>, CliError> {
    let text = match value {
        "" => return Ok(None),
        "-" => {
            let mut text = Zeroizing::new(String::new());
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| CliError::usage(format!("cannot read stdin: {error}")))?;
            text
        }
        value if value.starts_with('@') => {
            let path = &value[1..];
            let text = std::fs::read_to_string(path)
                .map_err(|error| CliError::usage(format!("cannot read {path}: {error}")))?;
            Zeroizing::new(text)
        }
        literal => {
            printer.warn(
                "the password is on the command line, where other users of this machine and the \
                 shell's history see it",
                Some("use Password=@FILE, Password=- for stdin, or Password= to have one made"),
            );
            return Ok(Some(SecretString::from(literal)));
        }
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(CliError::usage("the password is empty")
            .hint("Password= with nothing after it has one made"));
    }
    if line.contains(['\n', '\r']) {
        return Err(CliError::usage("the password is more than one line"));
    }
    Ok(Some(SecretString::from(line)))
}

/// Has GitHub Actions hide the password in this job's log, whatever prints it later.
pub(super) fn mask(context: &Context, printer: &Printer, new: &SecretString) {
    if context.environment().get("GITHUB_ACTIONS") == Some("true") {
        // Workflow commands are data: GitHub encodes `%` and ends of lines.
        let escaped = Zeroizing::new(new.expose_secret().replace('%', "%25"));
        printer.data(&format!("::add-mask::{}\n", escaped.as_str()));
    }
}

pub(super) fn reveal(printer: &Printer, output: Output, new: &SecretString) {
    match output {
        Output::Text => printer.data(&format!("{}\n", new.expose_secret())),
        Output::Json => {
            let data = json!({ "value": new.expose_secret() });
            let line = json!({ "v": EVENT_VERSION, "type": "password", "data": data });
            printer.data(&format!("{line}\n"));
        }
    }
}

fn show(printer: &Printer, output: Output, plan: &Plan) {
    match output {
        Output::Text => print_plan(printer, plan),
        Output::Json => {
            let line = json!({ "v": EVENT_VERSION, "type": "planned", "data": plan });
            printer.data(&format!("{line}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Verbosity;

    #[test]
    fn a_password_comes_from_where_it_is_said_to_be() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        assert!(read_value(&printer, "").unwrap().is_none());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        std::fs::write(&path, "p@ss w+rd%&\r\n").unwrap();
        let at = format!("@{}", path.display());
        let read = read_value(&printer, &at).unwrap().unwrap();
        assert_eq!(read.expose_secret(), "p@ss w+rd%&");
        assert_eq!(captured.stderr(), "");
        let literal = read_value(&printer, "a=b").unwrap().unwrap();
        assert_eq!(literal.expose_secret(), "a=b");
        assert!(captured.stderr().contains("on the command line"));
        assert!(!captured.stderr().contains("a=b"));
        for (text, said) in [("\n", "is empty"), ("a\nb\n", "more than one line")] {
            std::fs::write(&path, text).unwrap();
            let error = read_value(&printer, &at).unwrap_err();
            assert!(error.message().contains(said), "{}", error.message());
        }
    }
}
