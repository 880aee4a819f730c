//! `convox rack params set Password=` where a console rolls the password in its own place.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::password::{Manner, PasswordArgs, mask, reveal, unchanged};
use crate::cli::app::Output;
use crate::cli::console_roll::{Delegate, Patience};
use crate::cli::context::Context;
use crate::cli::reserve::ReservedFile;
use crate::rack::System as _;
use crate::rack::remote::Remote;
use crate::roll::{API_KEY_PARAMETER, ApiKeyRequest, Outcome, mint_api_key};
use crate::ui::{CliError, Exit, Task};

/// How long a roll of a password is followed.
const LONGEST: Duration = Duration::from_hours(3);

/// Has the console behind `remote` roll the password to what `request` says.
///
/// One that is to be made is made here, so that it can be written down; the console keeps it too.
pub(super) async fn by_console(
    context: &Context,
    remote: &Remote,
    request: ApiKeyRequest,
    args: &PasswordArgs,
    Manner { output, plan }: Manner,
) -> Result<Exit, CliError> {
    let printer = context.printer();
    if plan {
        return Err(CliError::usage("a console makes its own plan of a roll")
            .hint("it refuses at once what would not be safe; `--via aws --plan` shows a plan"));
    }
    let may_ask = !args.yes && output == Output::Text && printer.can_ask();
    if may_ask && !printer.confirm("Set the password and restart the rack API?") {
        return Err(CliError::failed("not set, nothing is changed")
            .hint("`--yes` goes ahead without asking"));
    }
    let reserve = |path| ReservedFile::create_for("--password-out", path);
    let file = args.password_out.as_deref().map(reserve).transpose()?;
    let new = match request.value {
        Some(new) => new,
        None => mint_api_key(&context.entropy()?),
    };
    if output == Output::Text && (args.reveal || file.is_some()) {
        mask(context, printer, &new);
    }
    let mut changes = request.set;
    changes.insert(API_KEY_PARAMETER.to_owned(), new.expose_secret().to_owned());
    let task = Task::forward("Updating parameters".to_owned());
    let delegate = Delegate::new(context, remote, output, task);
    let patience = Patience {
        busy: args.wait_busy,
        roll: (!args.detach).then_some(LONGEST),
    };
    let ask = async |remote: &Remote| remote.set_parameters(&changes).await;
    let Some(report) = delegate.carry_out(patience, ask).await? else {
        let told = "the rack has that password already";
        return Ok(unchanged(printer, output, told));
    };
    let exit = delegate.finish(&report);
    if let Some(file) = file.filter(|_| may_be_needed(report.outcome)) {
        write(file, &new)?;
    }
    if args.reveal && report.outcome == Outcome::Done {
        reveal(printer, output, &new);
    }
    Ok(exit)
}

/// Tells whether the new password works, or may.
fn may_be_needed(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::Unproven | Outcome::Stuck | Outcome::Detached => true,
        Outcome::NothingChanged | Outcome::RolledBack | Outcome::Busy => false,
    }
}

fn write(file: ReservedFile, new: &SecretString) -> Result<(), CliError> {
    file.fill_with(new.expose_secret()).map_err(|error| {
        CliError::failed(format!("the new password is not written: {error}"))
            .hint("the console has it, and rolls it again with `convox rack params set Password=`")
    })
}
