//! A key roll that the rack does by itself, over its API: we ask for it and watch.

use std::time::Duration;

use super::keyroll::KeyrollArgs;
use crate::cli::app::Output;
use crate::cli::console_roll::{Delegate, Patience, rolls_by_itself};
use crate::cli::context::Context;
use crate::cli::follow::{Followed, Follower, report};
use crate::cli::reserve::ReservedFile;
use crate::rack::remote::{Keyroll, Remote, RemoteError};
use crate::rack::{KeyBefore, Progress, Standing, SystemDescription};
use crate::roll::{Care, Outcome, Report, Strategy};
use crate::ui::{CliError, Exit, Task};

/// How long a rack may take to replace all its instances.
const TIMEOUT: Duration = Duration::from_hours(6);

/// What gets out of a roll after which the rack's stored key opens no instance.
const LOCKED_OUT: &str = "until a roll succeeds, `convox instances ssh` is refused: mend what \
                          failed first, then roll again";

/// Rolls the key of a rack that is reached over its API.
pub(super) async fn roll(
    args: &KeyrollArgs,
    context: &Context,
    remote: &Remote,
) -> Result<Exit, CliError> {
    let printer = context.printer();
    let follower = Follower::new(context, remote, args.output());
    let task = Task::roll();
    if args.plan {
        return Err(
            CliError::usage("a rack that is reached over its API makes its own plan")
                .hint("`--via aws --plan` shows the one that this program would follow"),
        );
    }
    if args.care.care(&args.strategy)? != Care::default() {
        let message = "a rack that is reached over its API replaces its instances by itself";
        return Err(CliError::usage(message).hint("`--via aws` can hold it at gates"));
    }
    if args.strategy.strategy() != Strategy::default() {
        return Err(CliError::usage(
            "a rack that is reached over its API replaces its instances its own way",
        )
        .hint("`--via aws --strategy` chooses how"));
    }
    if rolls_by_itself(remote).await? {
        return by_console(args, context, remote).await;
    }
    let system = at_rest(args, &follower, remote).await?;
    let hands_over = is_third_generation(&system);
    check_save_key(args, hands_over)?;
    if !hands_over {
        // Said before anything is changed, whoever listens.
        printer.warn(
            &format!(
                "{} rolls the key itself: it replaces the private key that it has stored before \
                 anything else, and does not bring it back if its update fails",
                system.name
            ),
            Some("`--via aws` keeps both keys until the new one is proven"),
        );
        let must_ask = !args.yes && args.output() == Output::Text && printer.can_ask();
        if must_ask && !printer.confirm("Roll the key all the same?") {
            return Err(CliError::failed("not rolled, nothing is changed")
                .hint("`--yes` goes ahead without asking"));
        }
    }
    let save_to = args.reserve()?;
    let before = KeyBefore::of(&system);
    let asked_at = remote.clock().now();
    match remote.keyroll().await {
        Ok(Keyroll::Minted { name, private_key }) => {
            let ended = handed_over(&system, &name, save_to, &private_key)?;
            return Ok(follower.finish(&task, &ended));
        }
        Ok(Keyroll::Started) => {}
        // It may have begun, and if so that will show.
        Err(error) if error.is_unanswered() => {
            printer.warn(&error.to_string(), Some("looking whether it has begun"));
        }
        Err(RemoteError::Refused { status, message }) if status >= 500 => {
            return Ok(follower.finish(&task, &refused(&system, &message)));
        }
        Err(error) => return Err(follower.failed(&task, error)),
    }
    if args.detach {
        let message = format!("{} goes on rolling its key", system.name);
        let hint = "`convox rack wait` tells how it ends";
        let ended = report(Outcome::Detached, message, &[hint]);
        return Ok(follower.finish(&task, &ended));
    }
    let progress = Progress::of_keyroll(before, asked_at);
    let followed = follower.follow(progress, TIMEOUT).await?;
    Ok(follower.finish(&task, &told(&system.name, followed)))
}

/// Has a console roll the key that does so as this program does: the old one works until the new
/// one is proven.
async fn by_console(
    args: &KeyrollArgs,
    context: &Context,
    remote: &Remote,
) -> Result<Exit, CliError> {
    let printer = context.printer();
    check_save_key(args, false)?;
    let must_ask = !args.yes && args.output() == Output::Text && printer.can_ask();
    if must_ask && !printer.confirm("Roll the key?") {
        return Err(CliError::failed("not rolled, nothing is changed")
            .hint("`--yes` goes ahead without asking"));
    }
    let delegate = Delegate::new(context, remote, args.output(), Task::roll());
    let patience = Patience {
        busy: args.wait_busy,
        roll: (!args.detach).then_some(TIMEOUT),
    };
    let ask = async |remote: &Remote| Ok(remote.keyroll().await.map(drop)?);
    match delegate.carry_out(patience, ask).await? {
        Some(report) => Ok(delegate.finish(&report)),
        None => Err(CliError::failed("the console has nothing to change")),
    }
}

/// Describes the rack as soon as it is at rest: while it updates it would replace its stored
/// key and then be refused the update.
async fn at_rest(
    args: &KeyrollArgs,
    follower: &Follower<'_>,
    remote: &Remote,
) -> Result<SystemDescription, CliError> {
    let system = remote.system().await?;
    if is_ready(&system) {
        return Ok(system);
    }
    if !args.wait_busy.is_zero() {
        let progress = Progress::of_anything(remote.clock().now());
        follower.follow(progress, args.wait_busy).await?;
    }
    let system = remote.system().await?;
    if is_ready(&system) {
        return Ok(system);
    }
    let exit = match system.status.as_str() {
        "failed" => Exit::Failed,
        _ => Exit::Busy,
    };
    let message = format!("{} is {}, nothing is changed", system.name, system.status);
    Err(CliError::new(exit, message)
        .hint("a rack that rolls its key while it is not running loses the one that it has stored"))
}

fn is_ready(system: &SystemDescription) -> bool {
    matches!(system.status.as_str(), "running" | "converging")
}

/// Tells a rack whose releases are numbered (`3.12.1`) from one whose releases are dated.
fn is_third_generation(system: &SystemDescription) -> bool {
    system.version.starts_with("3.")
}

fn check_save_key(args: &KeyrollArgs, hands_over: bool) -> Result<(), CliError> {
    match (hands_over, args.save_key.is_some()) {
        (true, false) => Err(CliError::usage(
            "this rack hands its new private key over and keeps none",
        )
        .hint("name a file for it with --save-key")),
        (false, true) => Err(
            CliError::usage("this rack keeps its new private key to itself")
                .hint("leave --save-key out, or use `--via aws`"),
        ),
        _ => Ok(()),
    }
}

/// Writes a private key that exists nowhere else.
fn handed_over(
    system: &SystemDescription,
    name: &str,
    save_to: Option<ReservedFile>,
    key: &crate::rack::PrivateKey,
) -> Result<Report, CliError> {
    let saved = match save_to {
        Some(file) => file.fill(key).map_err(|error| error.to_string()),
        None => Err("no file was named, use --save-key".to_owned()),
    };
    saved.map_err(|error| {
        let message = format!("the private key of {name} is lost: {error}");
        CliError::failed(message).hint("no instance carries it yet, so roll again")
    })?;
    let message = format!("{} has made the key pair {name}", system.name);
    let hint = format!("no instance carries it before the rack's key_pair_name is set to {name}");
    Ok(Report {
        new_key: Some(name.to_owned()),
        ..report(Outcome::Done, message, &[&hint])
    })
}

fn refused(system: &SystemDescription, message: &str) -> Report {
    let message = format!(
        "{} has refused, and may have replaced its stored private key by then: {}",
        system.name,
        message.trim()
    );
    report(Outcome::Stuck, message, &[LOCKED_OUT])
}

fn told(name: &str, followed: Followed) -> Report {
    match followed {
        Followed::Ended(Standing::Done | Standing::Going) => report(
            Outcome::Done,
            format!("{name} is running, with the new key"),
            &[],
        ),
        Followed::Ended(Standing::RolledBack) => report(
            Outcome::RolledBack,
            format!(
                "the update of {name} was rolled back: its instances carry the old key, and it \
                 has stored the new one"
            ),
            &[LOCKED_OUT],
        ),
        Followed::Ended(Standing::Stuck) => report(
            Outcome::Stuck,
            format!("{name} has failed, and does not get out of that by itself"),
            &["look at its stack in CloudFormation, or use `convox rolls list --via aws`"],
        ),
        Followed::Ended(Standing::Unseen) => report(
            Outcome::Unproven,
            format!("{name} has accepted the roll and shows nothing of it"),
            &["look at its stack in CloudFormation, and whether `convox instances ssh` works"],
        ),
        Followed::Ended(Standing::Lost(error)) => report(
            Outcome::Detached,
            format!("{name} does not answer any more: {error}"),
            &["`convox rack wait` tells how it ends once it does"],
        ),
        Followed::LetGo => report(
            Outcome::Detached,
            format!("{name} goes on rolling its key"),
            &["`convox rack wait` tells how it ends"],
        ),
        Followed::TimedOut => report(
            Outcome::Detached,
            format!("{name} is still at it after 6 hours"),
            &["`convox rack wait` goes on waiting"],
        ),
    }
}
