//! What is played here against what the script does.

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

/// An sshd that reads the user's `authorized_keys`, as far as it says so itself.
const SSHD: &str = r"#!/bin/sh
echo port 22
echo pubkeyauthentication yes
echo pubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-512
echo authorizedkeysfile .ssh/authorized_keys
echo listenaddress [::]:22
echo listenaddress 0.0.0.0:22
";

/// A client that has offered a key to it.
const SSH: &str = r#"#!/bin/sh
while [ "$1" != -i ]; do shift; done
echo "debug1: Offering public key: $2"
key=$(cat "$2")
if grep -aq "^$key\( \|\$\)" "$home/.ssh/authorized_keys"; then
  echo "debug1: Server accepts key: $2"
fi
echo "u@127.0.0.1: Permission denied (publickey)."
exit 255
"#;

/// Writes a program into a directory that is looked at before others.
fn program(dir: &Path, name: &str, text: &str) {
    let program = dir.join(name);
    std::fs::write(&program, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
}

/// Runs the script as root does, where `getent` says that a user lives in `home`.
fn by_root(dir: &Path, home: &Path, script: &str) -> (bool, Option<LinesSeen>, String) {
    let passwd = format!("u:x:0:0::{}:/bin/sh", home.display());
    program(dir, "getent", &format!("#!/bin/sh\necho \"{passwd}\"\n"));
    program(dir, "sshd", SSHD);
    program(dir, "ssh", SSH);
    let path = std::env::var("PATH").unwrap();
    let ran = Process::new("/bin/sh")
        .args(["-c", script])
        .env("PATH", format!("{}:{path}", dir.display()))
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    let why = String::from_utf8(ran.stderr).unwrap();
    let is_done = ran.status.success();
    (is_done, LinesSeen::read(&said).filter(|_| is_done), why)
}

/// The user who runs the test.
fn own_name() -> String {
    let name = Process::new("id").arg("-un").output().unwrap().stdout;
    String::from_utf8(name).unwrap().trim().to_owned()
}

#[test]
fn what_is_done_here_is_what_the_script_does() {
    let swap = KeySwap {
        user: USER.to_owned(),
        kept: None,
        new: line("k.e_y", "NEW+/="),
        old: line("old", "OLD+/="),
    };
    let there = KeySwap {
        user: own_name(),
        ..swap.clone()
    };
    let programs = tempfile::tempdir().unwrap();
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
            let real = by_root(programs.path(), home.path(), &there.script(deed, true));
            let script = swap.script(deed, true);
            let script: Vec<String> = script.lines().map(str::to_owned).collect();
            let wanted = Wanted::read(&script).unwrap();
            let here = wanted.carry_out(&mut instance, SshdState::Usual);
            let seen = LinesSeen::read(&here.stdout);
            // Homes differ, and users; what is said of them does not.
            let said = real
                .2
                .replace(&home.path().display().to_string(), "/home/ec2-user");
            let said = said.replace(&format!(" to {}", there.user), " to ec2-user");
            let real = (real.0, real.1, said.trim_end());
            assert_eq!(real, (here.code == 0, seen, &*here.stderr), "{context}");
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
    let swap = KeySwap {
        user: own_name(),
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
