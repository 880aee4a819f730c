//! SSM Run Command, as far as `convox instances revoke-key` uses it.
//!
//! Nothing is run: a server that runs what it is sent is no rehearsal. The script of that command
//! is known by its first lines, and what it would do is done to the lines of `authorized_keys`
//! that an instance has here, and what its sshd would say is said. A test runs the script itself
//! and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::ec2::{Instance, InstanceState};
use super::scenario::{AgentState, SshdState};
use super::world::{self, World};

/// From the call to the end of the script on one instance, in milliseconds.
const TAKES: (u64, u64) = (200, 900);
/// The user that instances of a rack have.
const USER: &str = "ec2-user";

/// A command and how far it is on each instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Command {
    document: String,
    script: Vec<String>,
    sent: Timestamp,
    invocations: BTreeMap<String, Invocation>,
}

/// A command on one instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Invocation {
    status: String,
    details: String,
    code: i64,
    stdout: String,
    stderr: String,
}

impl Invocation {
    fn new(status: &str, code: i64, stdout: &str, stderr: &str) -> Self {
        Self {
            status: status.to_owned(),
            details: status.to_owned(),
            code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }
}

/// Run Command's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// A command ends on an instance.
    Ended {
        /// The command.
        command: String,
        /// The instance.
        instance: String,
    },
    /// An agent has not come for a command in time.
    NotDelivered {
        /// The command.
        command: String,
        /// The instance.
        instance: String,
    },
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    let (command, instance, delivered) = match due {
        Due::Ended { command, instance } => (command, instance, true),
        Due::NotDelivered { command, instance } => (command, instance, false),
    };
    let Some(script) = world.ssm.commands.get(&command).map(|it| it.script.clone()) else {
        return;
    };
    let ended = if delivered {
        run(world, &instance, &script)
    } else {
        let mut late = Invocation::new("TimedOut", -1, "", "");
        "Delivery Timed Out".clone_into(&mut late.details);
        late
    };
    if let Some(command) = world.ssm.commands.get_mut(&command) {
        command.invocations.insert(instance, ended);
    }
}

fn run(world: &mut World, id: &str, script: &[String]) -> Invocation {
    let fails = world.command_fails();
    let sshd = world.sshd_of(id);
    let instance = world.ec2.instance_mut(id);
    let Some(instance) = instance.filter(|it| it.state == InstanceState::Running) else {
        return Invocation::new("Failed", -1, "", "Undeliverable");
    };
    if fails {
        let full = "mktemp: failed to create file: No space left on device";
        return Invocation::new("Failed", 1, "", full);
    }
    match Wanted::read(script) {
        Some(wanted) => wanted.carry_out(instance, sshd),
        None => Invocation::new("Failed", 127, "", "the sandbox does not run scripts"),
    }
}

/// What the first lines of the script ask for.
struct Wanted<'a> {
    action: &'a str,
    user: &'a str,
    new: &'a str,
    name: &'a str,
    old: &'a str,
    kept: &'a str,
}

impl<'a> Wanted<'a> {
    fn read(script: &'a [String]) -> Option<Self> {
        let mut lines = script.iter();
        let mut value = |name: &str| {
            let rest = lines.next()?.strip_prefix(name)?;
            rest.strip_prefix("=\"")?.strip_suffix('"')
        };
        Some(Self {
            action: value("action")?,
            user: value("user")?,
            new: value("new")?,
            name: value("name")?,
            old: value("old")?,
            kept: value("kept")?,
        })
    }

    fn lets_in(&self, lines: &[String]) -> bool {
        let is_it = |line: &String| {
            let rest = line.strip_prefix(self.new);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        lines.iter().any(is_it)
    }

    fn names(&self, line: &str) -> bool {
        line.contains(self.old) || line.contains(self.kept)
    }

    /// Says why sshd does not take the new key, if it does not.
    fn why_refused(&self, lines: &[String], sshd: SshdState) -> Option<String> {
        let kind = self.new.split(' ').next().unwrap_or_default();
        let file = format!("/home/{}/.ssh/authorized_keys", self.user);
        Some(match sshd {
            SshdState::RefusesEd25519 if kind == "ssh-ed25519" => {
                format!("sshd takes no keys of the type {kind}")
            }
            SshdState::ReadsElsewhere => {
                format!("sshd reads /etc/ssh/keys/{}, and not {file}", self.user)
            }
            _ if !self.lets_in(lines) => format!("sshd refuses the new key to {}", self.user),
            _ => return None,
        })
    }

    fn carry_out(&self, instance: &mut Instance, sshd: SshdState) -> Invocation {
        let failed = |why: &str| Invocation::new("Failed", 3, "", why);
        let unproven = |why: &str| Invocation::new("Failed", 4, "", &format!("not proven: {why}"));
        if self.user != USER {
            return failed(&format!("there is no user {}", self.user));
        }
        if sshd == SshdState::NoClient {
            return unproven("there is no ssh client");
        }
        let lines = &mut instance.authorized_keys;
        if let ("remove", Some(why)) = (self.action, self.why_refused(lines, sshd)) {
            return unproven(&why);
        }
        match self.action {
            "add" if !self.lets_in(lines) => lines.push(format!("{} {}", self.new, self.name)),
            "remove" => lines.retain(|line| !self.names(line)),
            _ => {}
        }
        if let Some(why) = self.why_refused(lines, sshd) {
            return unproven(&why);
        }
        let out = lines.iter().any(|line| self.names(line));
        let still = match sshd {
            _ if out => Some("authorized_keys"),
            SshdState::ReadsSecondFile => Some("authorized_keys2"),
            _ => None,
        };
        if let ("check", Some(file)) = (self.action, still) {
            let file = format!("/home/{}/.ssh/{file}", self.user);
            let why = format!("sshd reads {file}, which names the old key");
            return Invocation::new("Failed", 4, "", &why);
        }
        let word = |truth| if truth { "yes" } else { "no" };
        let said = format!(
            "authorized_keys: new={} old={}\nsshd: new=yes{}\n",
            word(self.lets_in(lines)),
            word(out),
            if self.action == "check" {
                " old=no"
            } else {
                ""
            },
        );
        Invocation::new("Success", 0, &said, "")
    }
}

/// Answers one API call; `None` for an action that is none of Run Command's.
pub(super) fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "DescribeInstanceInformation" => Ok(describe_agents(world, input)),
        "SendCommand" => send(world, input),
        "ListCommandInvocations" => list(world, input),
        "GetCommandInvocation" => get(world, input),
        _ => return None,
    })
}

fn describe_agents(world: &World, input: &Input) -> Value {
    let filters = input.items("Filters");
    let passes = |id: &String| {
        let of_ids = filters
            .iter()
            .filter(|filter| filter.text("Key").as_deref() == Some("InstanceIds"));
        of_ids.into_iter().all(|it| it.texts("Values").contains(id))
    };
    let mut ids: Vec<String> = world.live_instances().map(|it| it.id.clone()).collect();
    ids.sort();
    ids.retain(|id| passes(id) && world.agent_of(id) != AgentState::Missing);
    let (page, next) = super::ssm::page(&ids, input, 10);
    let rows = page.iter().map(|id| {
        let status = match world.agent_of(id) {
            AgentState::Lost => "ConnectionLost",
            _ => "Online",
        };
        json!({ "InstanceId": id, "PingStatus": status, "PlatformType": "Linux" })
    });
    json!({ "InstanceInformationList": rows.collect::<Vec<_>>(), "NextToken": next })
}

fn send(world: &mut World, input: &Input) -> Answer {
    let document = input.required("DocumentName")?;
    if document != "AWS-RunShellScript" {
        let unknown = format!("Document with name {document} does not exist.");
        return Err(AwsError::new(400, "InvalidDocument", unknown));
    }
    let ids = input.texts("InstanceIds");
    if ids.len() > 50 {
        let many = "1 validation error detected: Value at 'instanceIds' failed to satisfy \
                    constraint: Member must have length less than or equal to 50";
        return Err(AwsError::new(400, "ValidationException", many));
    }
    let cannot: Vec<&String> = ids
        .iter()
        .filter(|id| {
            let live = world.ec2.instance(id);
            !live.is_some_and(|it| it.state == InstanceState::Running)
                || world.agent_of(id) == AgentState::Missing
        })
        .collect();
    if let Some(id) = cannot.first() {
        let account = &world.account;
        let message = format!("Instances [[{id}]] not in a valid state for account {account}");
        return Err(AwsError::new(400, "InvalidInstanceId", message));
    }
    let delivery = input.integer("TimeoutSeconds").unwrap_or(3600);
    let delivery = Duration::from_secs(u64::try_from(delivery).unwrap_or(3600));
    let id = world.requests.uuid();
    let mut invocations = BTreeMap::new();
    for instance in &ids {
        invocations.insert(instance.clone(), Invocation::new("InProgress", -1, "", ""));
        let (command, instance) = (id.clone(), instance.clone());
        let (after, due) = match world.agent_of(&instance) {
            AgentState::Lost => (delivery, Due::NotDelivered { command, instance }),
            _ => {
                let takes = world.requests.span(TAKES);
                (takes, Due::Ended { command, instance })
            }
        };
        world.schedule(after, world::Due::RunCommand(due));
    }
    let command = Command {
        document,
        script: input.inner("Parameters").texts("commands"),
        sent: world.now,
        invocations,
    };
    world.ssm.commands.insert(id.clone(), command);
    Ok(json!({ "Command": {
        "CommandId": id, "Status": "Pending", "InstanceIds": ids, "TargetCount": ids.len(),
    }}))
}

fn list(world: &World, input: &Input) -> Answer {
    let id = input.required("CommandId")?;
    let Some(command) = world.ssm.commands.get(&id) else {
        return Err(AwsError::new(400, "InvalidCommandId", ""));
    };
    let details = input.truth("Details").unwrap_or(false);
    let instances: Vec<String> = command.invocations.keys().cloned().collect();
    let (page, next) = super::ssm::page(&instances, input, 50);
    let row = |instance: &String| {
        let it = command.invocations.get(instance)?;
        let output = match it.stderr.as_str() {
            "" => it.stdout.clone(),
            stderr => format!("{}\n----------ERROR-------\n{stderr}", it.stdout),
        };
        let plugin = json!({
            "Name": "aws:runShellScript", "Status": it.status, "ResponseCode": it.code,
            "Output": output,
        });
        Some(json!({
            "CommandId": id, "InstanceId": instance, "DocumentName": command.document,
            "Status": it.status, "StatusDetails": it.details,
            "RequestedDateTime": command.sent.as_second(),
            "CommandPlugins": if details { json!([plugin]) } else { json!([]) },
        }))
    };
    let rows: Vec<Value> = page.iter().filter_map(row).collect();
    Ok(json!({ "CommandInvocations": rows, "NextToken": next }))
}

fn get(world: &World, input: &Input) -> Answer {
    let (id, instance) = (input.required("CommandId")?, input.required("InstanceId")?);
    let command = world.ssm.commands.get(&id);
    let found = command.and_then(|command| command.invocations.get(&instance));
    let it = found.ok_or_else(|| AwsError::new(400, "InvocationDoesNotExist", ""))?;
    Ok(json!({
        "CommandId": id, "InstanceId": instance, "Status": it.status, "StatusDetails": it.details,
        "ResponseCode": it.code, "StandardOutputContent": it.stdout,
        "StandardErrorContent": it.stderr,
    }))
}

#[cfg(test)]
mod tests;
