//! What root's script asks of a real sshd, on loopback: which it takes for a proof, and what it
//! leaves as it was.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use convox::rack::{KeyDeed, KeySwap, LinesSeen, PublicLine, SshdSaid};
use tempfile::TempDir;

use crate::machines::{serve, server, user};

/// An instance, as root's script finds it: a home, an sshd, and programs that lead to them.
struct Host {
    dir: TempDir,
    port: u16,
    is_gone: Arc<AtomicBool>,
    swap: KeySwap,
}

/// What came of a script.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn key(dir: &Path, name: &str, kind: &str) -> PublicLine {
    let file = dir.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success(), "ssh-keygen makes a key");
    let line = fs::read_to_string(file.with_extension("pub")).unwrap();
    PublicLine::read(name, &line).unwrap()
}

impl Host {
    /// Makes one that the old key opens; none where there is no sshd. Of `settings`, more lines
    /// of its configuration, `HOME` stands for the home.
    fn new(settings: &str, old: &str, new: &str) -> Option<Self> {
        let server = server()?;
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let (home, programs, keys) = (
            dir.path().join("home"),
            dir.path().join("programs"),
            dir.path().join("keys"),
        );
        for made in [&home, &home.join(".ssh"), &programs, &keys] {
            fs::create_dir(made).unwrap();
            fs::set_permissions(made, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let swap = KeySwap {
            user: user(),
            new: key(&keys, "new", new),
            old: key(&keys, "old", old),
            kept: None,
        };
        key(&keys, "host", "ed25519");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let home_text = home.display().to_string();
        // The first line of a kind counts.
        let config = format!(
            "{}\nAuthorizedKeysFile {home_text}/.ssh/authorized_keys {home_text}/.ssh/second\n\
             ListenAddress 127.0.0.1:{port}\nHostKey {}\nUsePAM no\nStrictModes no\n",
            settings.replace("HOME", &home_text),
            keys.join("host").display(),
        );
        let file = dir.path().join("config");
        fs::write(&file, config).unwrap();
        let passwd = format!("u:x:0:0::{home_text}:/bin/sh");
        write_program(
            &programs.join("getent"),
            &format!("#!/bin/sh\necho \"{passwd}\"\n"),
        );
        write_program(
            &programs.join("sshd"),
            &format!(
                "#!/bin/sh\nexec {} -f {} \"$@\"\n",
                server.display(),
                file.display()
            ),
        );
        let is_gone = Arc::new(AtomicBool::new(false));
        let (gone, log) = (Arc::clone(&is_gone), dir.path().join("log"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if gone.load(Ordering::SeqCst) {
                    return;
                }
                serve(&server, &file, &log, stream.unwrap());
            }
        });
        let host = Self {
            dir,
            port,
            is_gone,
            swap,
        };
        fs::write(
            host.authorized_keys(),
            format!("{} old\n", host.swap.old.key()),
        )
        .unwrap();
        Some(host)
    }

    fn authorized_keys(&self) -> PathBuf {
        self.dir.path().join("home/.ssh/authorized_keys")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.authorized_keys()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn temporary(&self) -> PathBuf {
        let dir = self.dir.path().join("tmp");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Runs what SSM would, with programs of `path` after our own.
    fn run_with(&self, deed: KeyDeed, path: &str) -> Ran {
        let programs = self.dir.path().join("programs");
        let ran = Command::new("/bin/sh")
            .args(["-c", &self.swap.script(deed, true)])
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TMPDIR", self.temporary())
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let left: Vec<_> = fs::read_dir(self.temporary()).unwrap().collect();
        assert!(left.is_empty(), "nothing is left: {left:?}");
        let beside = fs::read_dir(self.authorized_keys().parent().unwrap()).unwrap();
        let names = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let strange: Vec<_> = names
            .filter(|name| name != "authorized_keys" && name != "second")
            .collect();
        assert!(strange.is_empty(), "nothing is left: {strange:?}");
        Ran {
            code: ran.status.code(),
            stdout: String::from_utf8(ran.stdout).unwrap(),
            stderr: String::from_utf8(ran.stderr).unwrap(),
        }
    }

    fn run(&self, deed: KeyDeed) -> Ran {
        self.run_with(deed, &std::env::var("PATH").unwrap())
    }

    /// Logs in with the private half, as whoever has it could.
    fn opens(&self, name: &str) -> bool {
        let logged_in = Command::new("ssh")
            .args(["-F", "/dev/null", "-n", "-T", "-p", &self.port.to_string()])
            .arg("-i")
            .arg(self.dir.path().join("keys").join(name))
            .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no"])
            .args(["-o", "UserKnownHostsFile=/dev/null", "-l", &user()])
            .args(["127.0.0.1", "echo in"])
            .output()
            .unwrap();
        String::from_utf8(logged_in.stdout).unwrap().trim() == "in"
    }

    /// Goes the whole way of an instance, and ends with what the last script said.
    fn swapped(&self) -> Ran {
        for deed in [KeyDeed::Add, KeyDeed::Remove] {
            let ran = self.run(deed);
            assert_eq!(ran.code, Some(0), "{deed:?}: {ran:?}");
            let said = SshdSaid::read(&ran.stdout);
            let expected = SshdSaid {
                new: true,
                old: None,
            };
            assert_eq!(said, Some(expected), "{deed:?}: {ran:?}");
        }
        self.run(KeyDeed::ProveOld)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::SeqCst);
        // Wakes the thread, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

#[test]
fn what_sshd_says_of_both_keys_is_what_logins_with_them_show() {
    for (old, new) in [
        ("rsa", "rsa"),
        ("rsa", "ed25519"),
        ("ed25519", "rsa"),
        ("ed25519", "ed25519"),
    ] {
        let Some(host) = Host::new("", old, new) else {
            return;
        };
        let context = format!("{old} {new}");
        assert!(host.opens("old") && !host.opens("new"), "{context}");
        let added = host.run(KeyDeed::Add);
        assert_eq!(added.code, Some(0), "{context}: {added:?}");
        assert!(host.opens("old") && host.opens("new"), "{context}");
        let ran = host.swapped();
        assert_eq!(ran.code, Some(0), "{context}: {ran:?}");
        let said = SshdSaid {
            new: true,
            old: Some(false),
        };
        assert_eq!(SshdSaid::read(&ran.stdout), Some(said), "{context}");
        let lines = LinesSeen {
            new: true,
            old: false,
        };
        assert_eq!(LinesSeen::read(&ran.stdout), Some(lines), "{context}");
        assert!(!host.opens("old") && host.opens("new"), "{context}");
        assert_eq!(host.lines(), [format!("{} new", host.swap.new.key())]);
    }
}

#[test]
fn an_sshd_that_would_lock_everybody_out_keeps_the_old_line() {
    let no_ed25519 = "PubkeyAcceptedAlgorithms rsa-sha2-512,rsa-sha2-256";
    let no_rsa = "PubkeyAcceptedAlgorithms ssh-ed25519";
    let wants = "sshd takes no keys of the type";
    for (settings, old, new, why) in [
        (no_ed25519, "rsa", "ed25519", format!("{wants} ssh-ed25519")),
        (no_rsa, "ed25519", "rsa", format!("{wants} ssh-rsa")),
        (
            "AuthorizedKeysFile HOME/elsewhere",
            "rsa",
            "ed25519",
            "sshd reads HOME/elsewhere, and not HOME/.ssh/authorized_keys".to_owned(),
        ),
        (
            "AllowUsers somebody-else",
            "rsa",
            "rsa",
            format!("sshd refuses the new key to {}", user()),
        ),
        (
            "PubkeyAuthentication no",
            "rsa",
            "rsa",
            "sshd takes no public keys".to_owned(),
        ),
    ] {
        let Some(host) = Host::new(settings, old, new) else {
            return;
        };
        let home = host.dir.path().join("home");
        let expected = why.replace("HOME", &home.display().to_string());
        let old_line = host.lines().remove(0);
        for deed in [KeyDeed::Add, KeyDeed::Remove] {
            let ran = host.run(deed);
            assert_eq!(ran.code, Some(4), "{settings} {deed:?}: {ran:?}");
            let said = ran.stderr.trim_end();
            assert_eq!(said, format!("not proven: {expected}"), "{settings}");
            assert_eq!(SshdSaid::read(&ran.stdout), None, "{settings}");
            assert_eq!(host.lines()[0], old_line, "{settings} {deed:?}");
        }
    }
}

#[test]
fn modes_that_sshd_minds_are_found_out() {
    let Some(host) = Host::new("StrictModes yes", "rsa", "rsa") else {
        return;
    };
    // Whoever may write there could let himself in.
    let ssh = host.dir.path().join("home/.ssh");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = host.run(KeyDeed::Add);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("sshd refuses the new key"), "{ran:?}");
    assert_eq!(host.lines().len(), 2, "the old line stays");
}

#[test]
fn what_cannot_be_asked_is_left_alone() {
    let Some(host) = Host::new("", "rsa", "ed25519") else {
        return;
    };
    let before = host.lines();
    // All that the script may need is there, but no client.
    let without = host.dir.path().join("without");
    fs::create_dir(&without).unwrap();
    for dir in ["/bin", "/usr/bin", "/usr/sbin", "/sbin"] {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if name != "ssh" && name != "getent" {
                let _ = std::os::unix::fs::symlink(entry.path(), without.join(name));
            }
        }
    }
    let ran = host.run_with(KeyDeed::Add, &without.display().to_string());
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(ran.stderr.trim_end(), "not proven: there is no ssh client");
    assert_eq!(host.lines(), before);

    let broken = host.dir.path().join("programs/sshd");
    write_program(&broken, "#!/bin/sh\nexit 255\n");
    let ran = host.run(KeyDeed::Add);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let why = "not proven: sshd does not tell its settings";
    assert_eq!(ran.stderr.trim_end(), why);
    assert_eq!(host.lines(), before);

    // Nobody listens where it says that it does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    drop(silent);
    let settings = format!("echo listenaddress 127.0.0.1:{port}");
    write_program(&broken, &format!("#!/bin/sh\n{settings}\n"));
    let ran = host.run(KeyDeed::Add);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let why = "not proven: sshd was not offered the new key: ssh: connect to host";
    assert!(ran.stderr.starts_with(why), "{ran:?}");
    assert_eq!(host.lines()[0], before[0], "the old line stays");
}

#[test]
fn another_way_in_for_the_old_key_is_found() {
    let Some(host) = Host::new("", "rsa", "ed25519") else {
        return;
    };
    let second = host.dir.path().join("home/.ssh/second");
    fs::write(&second, format!("{} old\n", host.swap.old.key())).unwrap();
    let ran = host.swapped();
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let why = format!("sshd reads {}, which names the old key", second.display());
    assert_eq!(ran.stderr.trim_end(), why);
    assert!(host.opens("old"), "it is so");
    fs::remove_file(&second).unwrap();

    // A command that hands out keys is none of the files. It has to be root's, and all above it.
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let command = own.path().join("command");
    let line = host.swap.old.key();
    write_program(&command, &format!("#!/bin/sh\necho \"{line}\"\n"));
    let config = host.dir.path().join("config");
    let before = fs::read_to_string(&config).unwrap();
    let asks = format!(
        "AuthorizedKeysCommand {}\nAuthorizedKeysCommandUser {}\n{before}",
        command.display(),
        user()
    );
    fs::write(&config, asks).unwrap();
    if !host.opens("old") {
        eprintln!("skipped: sshd does not run a command that is not root's");
        return;
    }
    let ran = host.run(KeyDeed::ProveOld);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let why = "sshd still takes the old key";
    assert!(ran.stderr.starts_with(why), "{ran:?}");
}
