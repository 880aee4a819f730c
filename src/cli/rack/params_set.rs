//! `convox rack params set`: set parameters of a rack.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::password::{Manner, PasswordArgs, roll_password};
use super::wait::at_rest;
use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::follow::{Follower, report};
use crate::cli::reach::{How, reach};
use crate::cli::session::{RackArgs, renderer};
use crate::cli::signals;
use crate::cli::way::Way;
use crate::clock::Clock;
use crate::config::nearest;
use crate::ids::RollId;
use crate::rack::remote::Remote;
use crate::rack::{
    Change, ChangeProblem, Difference, PortError, Rack, ResourceChange, System as _, check_change,
};
use crate::roll::{Outcome, Stop, Watch};
use crate::ui::{
    CliError, Exit, PlannedChange, Printer, Task, print_accepted, print_change, print_report,
    print_unchanged,
};

/// How long an update is followed that only the rack itself tells of.
const LONGEST: Duration = Duration::from_hours(3);

/// Statuses of a rack that takes no other update.
const UNDER_WAY: [&str; 4] = ["creating", "updating", "rollback", "deleting"];

/// The parameter that is not set but rolled: the key of the rack API.
const ROLLED: &str = "Password";

/// Set parameters of a rack, all of them in one update
///
/// Every other parameter, the template, the tags and the rest stay as they are. A name that the
/// rack does not have is refused, and so is a value that only stands for one that is not shown.
///
/// Password= is a roll, like that of the SSH key: the new password is kept beside the old one,
/// CloudFormation sets it, the processes of the rack API are restarted, and only when the API
/// takes the new password and refuses the old one is the old one let go. With nothing after it
/// a password is made; Password=@FILE and Password=- (stdin) keep it off the command line. Over
/// the rack's API the rack sets it by itself, and nothing restarts the API's processes from here.
#[derive(Debug, Args)]
pub(super) struct ParamsSetArgs {
    /// Parameters with their new values, such as InstanceType=t3.large
    #[arg(required = true, value_name = "KEY=VALUE", add = complete::parameters())]
    pairs: Vec<String>,

    #[command(flatten)]
    rack: RackArgs,

    /// Wait for the end, and tell a rollback from success
    #[arg(short, long, conflicts_with = "plan")]
    wait: bool,

    /// Say what would be changed and replaced, and do nothing
    #[arg(long)]
    plan: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,

    #[command(flatten)]
    password: PasswordArgs,
}

impl ParamsSetArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut wanted = read_pairs(&self.pairs)?;
        match wanted.remove(ROLLED) {
            Some(value) => {
                let manner = Manner {
                    output: self.output,
                    plan: self.plan,
                };
                let (rack, args) = (&self.rack, &self.password);
                let roll = roll_password(context, rack, &value, wanted, args, manner);
                context.block_on(roll)
            }
            None if self.password.stray().is_some() => {
                let flag = self.password.stray().unwrap_or_default();
                Err(CliError::usage(format!("{flag} goes with Password=")))
            }
            None => context.block_on(self.set(context, &wanted)),
        }
    }

    async fn set(
        &self,
        context: &Context,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Exit, CliError> {
        let reached = reach(context, &self.rack).await?;
        let clock = reached.clock().clone();
        match reached.into_how() {
            How::Aws(rack) => self.set_in_aws(context, &rack, clock, wanted).await,
            How::Api(remote) => self.set_by_api(context, &remote, wanted).await,
        }
    }

    async fn set_in_aws(
        &self,
        context: &Context,
        rack: &Rack,
        clock: Clock,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Exit, CliError> {
        let printer = context.printer();
        let way = Way::of(context.global(), &self.rack);
        let id = RollId::generate(clock.now(), &context.entropy()?);
        let stacks = rack.stacks.as_ref();
        let change = match Change::prepare(stacks, &rack.stack, id.as_str(), wanted).await {
            Ok(change) => change,
            Err(PortError::NoChanges) => return Ok(self.unchanged(printer, &rack.name)),
            Err(error) => return Err(way.leads(explain(error))),
        };
        warn_of_secrets(printer, change.differences(), wanted);
        if self.plan {
            let resources = change.preview(stacks).await?;
            self.print_plan(
                printer,
                &rack.name,
                change.differences(),
                resources.as_deref(),
            );
            return Ok(Exit::Done);
        }
        let stop = Stop::new();
        let sink = renderer(context, self.output);
        let mut watch = Watch::new(rack, clock, stop.clone(), sink, id.clone());
        if self.wait {
            watch.mark(change.stack()).await?;
        }
        match watch.begin(&change).await {
            Ok(()) => {}
            Err(PortError::NoChanges) => return Ok(self.unchanged(printer, &rack.name)),
            Err(error) => {
                self.task().failed(printer);
                return Err(way.leads(error.into()));
            }
        }
        self.accepted(printer, &rack.name, change.differences(), Some(&id));
        if !self.wait {
            return Ok(Exit::Done);
        }
        let report = signals::heed(printer, &stop, watch.update()).await;
        let report = report
            .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
        let Some(mut report) = report else {
            return Ok(Exit::Interrupted);
        };
        for hint in &mut report.hints {
            *hint = way.complete(hint);
        }
        Ok(print_report(printer, &self.task(), &report))
    }

    /// Sets parameters through the rack's API, which drops names that it does not know.
    async fn set_by_api(
        &self,
        context: &Context,
        remote: &Remote,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Exit, CliError> {
        let printer = context.printer();
        let way = Way::of(context.global(), &self.rack);
        let system = remote.describe().await?;
        let checked = check_change(wanted, &system.parameters);
        checked.map_err(|problem| way.leads(explain(problem.into())))?;
        let differences = Difference::all(wanted, &system.parameters);
        if differences.is_empty() {
            return Ok(self.unchanged(printer, &system.name));
        }
        warn_of_secrets(printer, &differences, wanted);
        if self.plan {
            self.print_plan(printer, &system.name, &differences, None);
            return Ok(Exit::Done);
        }
        if UNDER_WAY.contains(&system.status.as_str()) {
            let busy = PortError::Busy {
                what: format!("rack {}", system.name),
                status: system.status,
            };
            return Err(way.leads(busy.into()));
        }
        match remote.set_parameters(wanted).await {
            Ok(()) => {}
            Err(PortError::NoChanges) => return Ok(self.unchanged(printer, &system.name)),
            Err(error) => {
                self.task().failed(printer);
                return Err(error.into());
            }
        }
        self.accepted(printer, &system.name, &differences, None);
        if !self.wait {
            return Ok(Exit::Done);
        }
        let follower = Follower::new(context, remote, self.output);
        let mut ended = at_rest(&follower, remote, &self.task(), LONGEST).await?;
        // A rack says `running` after a rollback too: only its parameters tell the difference.
        if ended.outcome == Outcome::Done {
            let after = remote.describe().await?.parameters;
            let stayed = |difference: &&Difference| {
                let now = after.get(&difference.key);
                difference.from != difference.to && now == Some(&difference.from)
            };
            if let Some(Difference { key, from, .. }) = differences.iter().find(stayed) {
                let message = format!("the rack is running, but {key} is {from} as before");
                let hint = "the update was rolled back: mend what failed first, then try again";
                ended = report(Outcome::RolledBack, message, &[hint]);
            }
        }
        Ok(follower.finish(&self.task(), &ended))
    }

    /// Returns what is said of it on stdout, in the classic's words.
    fn task(&self) -> Task {
        let task = Task::forward("Updating parameters".to_owned());
        match (self.output, self.wait) {
            (Output::Json, _) => task.silently(),
            (Output::Text, true) => task.apart(),
            (Output::Text, false) => task,
        }
    }

    fn print_plan(
        &self,
        printer: &Printer,
        rack: &str,
        differences: &[Difference],
        resources: Option<&[ResourceChange]>,
    ) {
        let change = PlannedChange {
            rack,
            differences,
            resources,
        };
        print_change(printer, &change, self.output == Output::Json);
    }

    fn unchanged(&self, printer: &Printer, rack: &str) -> Exit {
        match self.output {
            Output::Text => printer.say(&format!("nothing to change: {rack} is like that already")),
            Output::Json => print_unchanged(printer, rack),
        }
        Exit::Done
    }

    /// Says that the update is accepted. Text that is to tell the end says so only then.
    fn accepted(
        &self,
        printer: &Printer,
        rack: &str,
        differences: &[Difference],
        id: Option<&RollId>,
    ) {
        if self.output == Output::Json {
            print_accepted(printer, rack, differences, id.map(RollId::as_str));
            return;
        }
        if !self.wait {
            self.task().succeeded(printer);
        }
        let turns_on = |difference: &Difference| {
            ["NLB", "NLBInternal"].contains(&difference.key.as_str()) && difference.to == "Yes"
        };
        if differences.iter().any(turns_on) {
            let text = "NLB provisioning typically takes 5-10 minutes; check status with \
                        'convox rack'.";
            match self.wait {
                true => printer.say(text),
                false => printer.data(&format!("{text}\n")),
            }
        }
    }
}

/// Warns of secrets on the command line. Their values are taken as they are: one may begin with `@`.
fn warn_of_secrets(
    printer: &Printer,
    differences: &[Difference],
    wanted: &BTreeMap<String, String>,
) {
    let is_given = |key: &String| wanted.get(key).is_some_and(|value| !value.is_empty());
    for Difference { key, .. } in differences.iter().filter(|it| it.is_secret()) {
        if is_given(key) {
            let message = format!(
                "{key} is secret, and its value is on the command line, where other users of \
                 this machine and the shell's history see it"
            );
            printer.warn(&message, None);
        }
    }
}

/// Reads `Key=Value` words; a value may hold further `=`.
fn read_pairs(words: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let mut pairs = BTreeMap::new();
    for word in words {
        let pair = word.split_once('=').filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = pair else {
            return Err(CliError::usage(format!("Key=Value expected: {word}")));
        };
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(CliError::usage(format!("{key} was given more than once")));
        }
    }
    Ok(pairs)
}

/// Names what an unknown parameter may have been meant for.
fn explain(error: PortError) -> CliError {
    let PortError::Change(ChangeProblem::Unknown { names, known }) = &error else {
        return error.into();
    };
    let near: Vec<String> = names
        .iter()
        .flat_map(|name| nearest(name, known))
        .map(|name| format!("`{name}`"))
        .collect();
    if near.is_empty() {
        return error.into();
    }
    CliError::failed(error.to_string()).hint(format!("did you mean {}?", near.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        read_pairs(&words).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        let read_back = read(&["Tags=a=b", "Ami="]).unwrap();
        assert_eq!(read_back["Tags"], "a=b");
        assert_eq!(read_back["Ami"], "");
        for (word, said) in [
            ("Ami", "Key=Value expected: Ami"),
            ("=x", "Key=Value expected: =x"),
        ] {
            assert_eq!(read(&[word]).unwrap_err(), said);
        }
        let twice = read(&["Ami=a", "Ami=b"]).unwrap_err();
        assert_eq!(twice, "Ami was given more than once");
    }
}
