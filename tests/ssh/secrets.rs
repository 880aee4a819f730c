//! Where a private key is, and where it is not, while somebody is logged in with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;

use crate::rack::{Rehearsal, first_line, standing_still};

/// Lists the files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => dirs.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}

/// Lists the processes that have come of `ancestor`, itself included.
fn family(ancestor: u32) -> Vec<u32> {
    let mut family = vec![ancestor];
    let mut at = 0;
    while at < family.len() {
        let children = format!("/proc/{0}/task/{0}/children", family[at]);
        let children = fs::read_to_string(children).unwrap_or_default();
        family.extend(
            children
                .split_whitespace()
                .map(|it| it.parse::<u32>().unwrap()),
        );
        at += 1;
    }
    family
}

#[tokio::test(start_paused = true)]
async fn a_private_key_is_on_no_disk_and_in_no_argument() {
    let Some(rehearsal) = Rehearsal::new().await else {
        return;
    };
    let instance = rehearsal.running().remove(0);
    let key = rehearsal
        .rack()
        .await
        .keys
        .current()
        .await
        .unwrap()
        .unwrap();
    // Any line of it gives it away; the first is the same in every key.
    let lines: Vec<&str> = key
        .expose()
        .lines()
        .filter(|line| line.len() > 40)
        .skip(1)
        .collect();
    assert!(lines.len() > 2);
    let is_told = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        lines.iter().any(|line| text.contains(line))
    };

    let mut command = rehearsal.command(&["-v", &instance.id, "--", "echo begun; cat"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = standing_still(async {
        let mut child = command.spawn().unwrap();
        assert_eq!(first_line(&mut child).await, "begun\n");

        let family = family(child.id().unwrap());
        assert!(family.len() >= 2, "convox and ssh");
        for process in family {
            for what in ["cmdline", "environ"] {
                let bytes = fs::read(format!("/proc/{process}/{what}")).unwrap();
                assert!(!bytes.is_empty() && !is_told(&bytes), "{what}");
            }
        }
        let [dir] = rehearsal.left_behind().try_into().unwrap();
        let dir = rehearsal.runtime_dir().join(dir);
        assert_eq!(
            fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let public = fs::read_to_string(dir.join("agent.pub")).unwrap();
        let (kind_and_key, _) = public.rsplit_once(' ').unwrap();
        assert!(instance.authorized_key.unwrap().starts_with(kind_and_key));

        for file in files(rehearsal.home.path()) {
            // A socket cannot be read; there is one, the agent's.
            match fs::read(&file) {
                Ok(bytes) => assert!(!is_told(&bytes), "{}", file.display()),
                Err(_) => assert_eq!(file, dir.join("agent")),
            }
        }
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"over\n")
            .await
            .unwrap();
        child.wait_with_output().await.unwrap()
    })
    .await;
    assert_eq!(output.stdout, b"over\n");
    assert!(!is_told(&output.stderr));
    assert_eq!(rehearsal.left_behind(), Vec::<String>::new());
    for file in files(rehearsal.home.path()) {
        assert!(!is_told(&fs::read(&file).unwrap()), "{}", file.display());
    }
}
