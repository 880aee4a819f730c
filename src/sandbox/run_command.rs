//! SSM Run Command, as far as `convox instances revoke-key` uses it.
//!
//! Nothing is run: a server that runs what it is sent is no rehearsal. The script of that command
//! is known by its first lines, and what it would do is done to the lines of `authorized_keys`
//! that an instance has here. A test runs the script itself and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::ec2::{Instance, InstanceState};
use super::scenario::AgentState;
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
    let instance = world.ec2.instance_mut(id);
    let Some(instance) = instance.filter(|it| it.state == InstanceState::Running) else {
        return Invocation::new("Failed", -1, "", "Undeliverable");
    };
    if fails {
        let full = "mktemp: failed to create file: No space left on device";
        return Invocation::new("Failed", 1, "", full);
    }
    match Wanted::read(script) {
        Some(wanted) => wanted.carry_out(instance),
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

    fn carry_out(&self, instance: &mut Instance) -> Invocation {
        let failed = |why: &str| Invocation::new("Failed", 3, "", why);
        if self.user != USER {
            return failed(&format!("there is no user {}", self.user));
        }
        let lines = &mut instance.authorized_keys;
        match self.action {
            "add" if !self.lets_in(lines) => lines.push(format!("{} {}", self.new, self.name)),
            "remove" if !self.lets_in(lines) => {
                return failed("authorized_keys does not let the new key in: nothing is taken out");
            }
            "remove" => lines.retain(|line| !self.names(line)),
            _ => {}
        }
        let word = |truth| if truth { "yes" } else { "no" };
        let out = lines.iter().any(|line| self.names(line));
        let said = format!(
            "authorized_keys: new={} old={}\n",
            word(self.lets_in(lines)),
            word(out)
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
mod tests {
    use std::path::Path;
    use std::process::Command as Process;

    use super::*;
    use crate::rack::{KeyDeed, KeySwap, LinesSeen, PublicLine};
    use crate::sandbox::ec2::{LaunchSpec, Owner};

    fn line(name: &str, bits: &str) -> PublicLine {
        PublicLine::read(name, &format!("ssh-ed25519 {bits} of somebody")).unwrap()
    }

    /// Files as they are found, none of which ends as all of the others do.
    const FILES: [&str; 7] = [
        "ssh-ed25519 OLD+/= old\n",
        "ssh-ed25519 OLD+/= old",
        "# a comment\n\nssh-rsa AAAA ada\nssh-ed25519 OLD+/=\n",
        "ssh-ed25519 NEW+/= k.e_y\nssh-ed25519 OLD+/= old\n",
        "ssh-ed25519 NEW+/=\n",
        "from=\"10.0.0.0/8\" ssh-ed25519 NEW+/= k.e_y\nssh-ed25519 OLD+/= old\n",
        "ssh-ed25519 NEW+/=more k.e_y\nfrom=\"10.0.0.1\" ssh-ed25519 OLD+/= old\n",
    ];

    /// Runs the script itself; returns whether it succeeded, what it saw, and the file's lines.
    fn by_shell(home: &Path, script: &str) -> (bool, Option<LinesSeen>) {
        let ran = Process::new("/bin/sh")
            .args(["-c", script])
            .env("HOME", home)
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        (ran.status.success(), LinesSeen::read(&said))
    }

    #[test]
    fn what_is_done_here_is_what_the_script_does() {
        let swap = KeySwap {
            user: USER.to_owned(),
            kept: None,
            new: line("k.e_y", "NEW+/="),
            old: line("old", "OLD+/="),
        };
        let deeds = [
            KeyDeed::ProveNew,
            KeyDeed::Remove,
            KeyDeed::Add,
            KeyDeed::Add,
            KeyDeed::Remove,
            KeyDeed::ProveOld,
        ];
        for text in FILES {
            let home = tempfile::tempdir().unwrap();
            let ssh = home.path().join(".ssh");
            std::fs::create_dir(&ssh).unwrap();
            let file = ssh.join("authorized_keys");
            std::fs::write(&file, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
            std::fs::set_permissions(&file, mode).unwrap();

            let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
            let id = world.start_instance(LaunchSpec::default(), Owner::Nobody);
            let mut instance = world.ec2.instance(&id.unwrap()).unwrap().clone();
            instance.authorized_keys = text.lines().map(str::to_owned).collect();
            for deed in deeds {
                let context = format!("{text:?} {deed:?}");
                let real = by_shell(home.path(), &swap.script(deed, false));
                let script = swap.script(deed, true);
                let script: Vec<String> = script.lines().map(str::to_owned).collect();
                let here = Wanted::read(&script).unwrap().carry_out(&mut instance);
                let seen = LinesSeen::read(&here.stdout);
                assert_eq!(real, (here.code == 0, seen), "{context}");
                let lines = std::fs::read_to_string(&file).unwrap();
                let lines: Vec<&str> = lines.lines().collect();
                assert_eq!(lines, instance.authorized_keys, "{context}");
            }
            let last = by_shell(home.path(), &swap.script(KeyDeed::ProveOld, false));
            let (new, old) = (true, false);
            assert_eq!(last, (true, Some(LinesSeen { new, old })), "{text:?}");
            let left: Vec<_> = std::fs::read_dir(&ssh).unwrap().collect();
            assert_eq!(left.len(), 1, "nothing stays beside the file");
            let data = std::fs::metadata(&file).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions());
            assert_eq!(mode & 0o777, 0o640, "its mode is kept");
        }
    }

    #[test]
    fn letters_of_an_old_encoding_and_both_lines_of_a_key_are_dealt_with() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        std::fs::create_dir(&ssh).unwrap();
        let file = ssh.join("authorized_keys");
        // Latin-1: no UTF-8, in which some locales take a file for binary.
        let other = b"ssh-rsa AAAA andr\xe9\n".as_slice();
        let lines = [other, b"ssh-rsa OLD== old\nssh-rsa KEPT== \xfcber\n"].concat();
        std::fs::write(&file, lines).unwrap();
        let swap = KeySwap {
            user: USER.to_owned(),
            kept: Some(line("old", "KEPT==")),
            new: line("new", "NEW=="),
            old: line("old", "OLD=="),
        };
        for (deed, old) in [(KeyDeed::Add, true), (KeyDeed::Remove, false)] {
            let real = by_shell(home.path(), &swap.script(deed, false));
            assert_eq!(real, (true, Some(LinesSeen { new: true, old })), "{deed:?}");
        }
        let left = std::fs::read(&file).unwrap();
        assert_eq!(left, [other, b"ssh-ed25519 NEW== new\n"].concat());
    }

    /// Runs the script as root does, where `getent` says that a user lives in `home`.
    fn by_root(dir: &Path, home: &Path, script: &str) -> (bool, Option<LinesSeen>, String) {
        let program = dir.join("getent");
        let passwd = format!("u:x:0:0::{}:/bin/sh", home.display());
        std::fs::write(&program, format!("#!/bin/sh\necho \"{passwd}\"\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let path = std::env::var("PATH").unwrap();
        let ran = Process::new("/bin/sh")
            .args(["-c", script])
            .env("PATH", format!("{}:{path}", dir.display()))
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        let why = String::from_utf8(ran.stderr).unwrap();
        (ran.status.success(), LinesSeen::read(&said), why)
    }

    fn id(flag: &str, user: &str) -> u32 {
        let user = Some(user).filter(|user| !user.is_empty());
        let told = Process::new("id").arg(flag).args(user).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        told.trim().parse().unwrap()
    }

    /// Root's form for the user who runs the test: no other is needed for what it does in a home.
    #[test]
    fn the_form_for_root_does_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir_all(home.join(".ssh")).unwrap();
        let file = home.join(".ssh/authorized_keys");
        std::fs::write(&file, "ssh-ed25519 OLD== old").unwrap();
        let name = Process::new("id").arg("-un").output().unwrap().stdout;
        let swap = KeySwap {
            user: String::from_utf8(name).unwrap().trim().to_owned(),
            kept: None,
            new: line("new", "NEW=="),
            old: line("old", "OLD=="),
        };
        for (deed, old) in [
            (KeyDeed::Add, true),
            (KeyDeed::Remove, false),
            (KeyDeed::ProveOld, false),
        ] {
            let (done, seen, why) = by_root(dir.path(), &home, &swap.script(deed, true));
            assert_eq!(
                (done, seen),
                (true, Some(LinesSeen { new: true, old })),
                "{why}"
            );
        }
        let left = std::fs::read_to_string(&file).unwrap();
        assert_eq!(left, "ssh-ed25519 NEW== new\n");
    }

    #[test]
    fn root_follows_no_link_of_a_user() {
        use std::os::unix::fs::{chown, symlink};

        if id("-u", "") != 0 {
            let note = "skipped: only root can become another user\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes());
            return;
        }
        let user = "nobody";
        let (uid, gid) = (Some(id("-u", user)), Some(id("-g", user)));
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let open = |path: &Path| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path, mode).unwrap();
        };
        open(dir.path());
        let swap = KeySwap {
            user: user.to_owned(),
            kept: None,
            new: line("new", "NEW=="),
            old: line("old", "OLD=="),
        };
        let text = "ssh-ed25519 OLD== old\n";
        for case in ["own", "link", "hidden", "roots"] {
            let home = dir.path().join(case);
            let ssh = home.join(".ssh");
            std::fs::create_dir_all(&ssh).unwrap();
            // A file of root's, in a place that everybody may read, or that nobody may.
            let secrets = dir.path().join(format!("{case}.secrets"));
            std::fs::create_dir(&secrets).unwrap();
            open(&secrets);
            if case == "hidden" {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
                std::fs::set_permissions(&secrets, mode).unwrap();
            }
            let (file, target) = (ssh.join("authorized_keys"), secrets.join("keys"));
            let target = match case {
                "own" | "roots" => file.clone(),
                _ => {
                    symlink(&target, &file).unwrap();
                    target
                }
            };
            std::fs::write(&target, text).unwrap();
            chown(&home, uid, gid).unwrap();
            chown(&ssh, uid, gid).unwrap();
            if case == "own" {
                chown(&target, uid, gid).unwrap();
            }
            let added = by_root(dir.path(), &home, &swap.script(KeyDeed::Add, true));
            let now = std::fs::read_to_string(&target).unwrap();
            assert_eq!(added.0, case == "own", "{case}: {added:?}");
            assert_eq!(now == text, case != "own", "{case}: {now}");
            let owner = std::fs::metadata(&target).unwrap();
            let owner = std::os::unix::fs::MetadataExt::uid(&owner);
            assert_eq!(owner == 0, case != "own", "{case}: it keeps its owner");
        }
    }

    #[test]
    fn nothing_that_it_is_sent_is_run() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("made");
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let id = world
            .start_instance(LaunchSpec::default(), Owner::Nobody)
            .unwrap();
        world.advance_to(Timestamp::from_second(60).unwrap());
        let input = Input(json!({
            "DocumentName": "AWS-RunShellScript", "InstanceIds": [id],
            "Parameters": { "commands": [format!("touch {}", made.display())] },
        }));
        let sent = handle(&mut world, "SendCommand", &input).unwrap().unwrap();
        let command = sent["Command"]["CommandId"].as_str().unwrap();
        let asked = json!({ "CommandId": command, "InstanceId": id });
        let get = |world: &mut World| {
            let got = handle(world, "GetCommandInvocation", &Input(asked.clone()));
            got.unwrap().unwrap()["Status"].as_str().unwrap().to_owned()
        };
        assert_eq!(get(&mut world), "InProgress");
        world.advance_to(Timestamp::from_second(62).unwrap());
        assert_eq!(get(&mut world), "Failed");
        assert!(!made.exists());
    }
}
