//! The host keys of instances, kept by instance id: addresses are given out again.
//!
//! cloud-init writes an instance's host keys to its console between two marks (module
//! `keys_to_console`), and AWS tells the console to whoever may ask. What was learned there is
//! marked so; other entries were written by `ssh` on first use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der::take_string;
use super::error::SshError;
use crate::private;

const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";
/// The comment of an entry that an instance's console has told.
const FROM_CONSOLE: &str = "console";

/// A public host key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// Its kind, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The key in SSH's wire format, as base64.
    pub blob: String,
}

impl HostKey {
    /// Reads two words; none for what is no public key of the kind it says.
    fn of_words(algorithm: &str, blob: &str) -> Option<Self> {
        let known = matches!(algorithm, "ssh-ed25519" | "ssh-rsa")
            || algorithm.starts_with("ecdsa-sha2-nistp");
        let bytes = STANDARD.decode(blob).ok().filter(|_| known)?;
        let told = take_string(&mut bytes.as_slice())? == algorithm.as_bytes();
        told.then(|| Self {
            algorithm: algorithm.to_owned(),
            blob: blob.to_owned(),
        })
    }
}

/// Reads the host keys that cloud-init has written to a console; the last time counts.
///
/// Each line may have a prefix, such as the time and `cloud-init:`. A list that has no end
/// was cut off, and what there is of it is taken.
#[must_use]
pub fn host_keys_of_console(text: &str) -> Vec<HostKey> {
    let Some((_, list)) = text.rsplit_once(BEGIN) else {
        return Vec::new();
    };
    let list = list.split_once(END).map_or(list, |(list, _)| list);
    let mut keys: Vec<HostKey> = list
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words
                .windows(2)
                .find_map(|pair| HostKey::of_words(pair[0], pair[1]))
        })
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The file of one rack's host keys, in the form of `known_hosts`.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    path: PathBuf,
}

/// What came of writing down host keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Instances that showed another key on first use than their console tells.
    pub contradicted: Vec<String>,
}

impl KnownHosts {
    /// Keeps those of `rack` in a file of `dir`.
    #[must_use]
    pub fn of_rack(dir: &Path, rack: &str) -> Self {
        // A rack's name is a stack's name, and so a file's; a caller may say anything.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let name = rack.replace(|letter| !plain(letter), "_");
        Self {
            path: dir.join(name),
        }
    }

    /// Returns the path of the file, which may not exist yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory, so that `ssh` can write the file.
    ///
    /// # Errors
    /// [`SshError::File`].
    pub fn prepare(&self) -> Result<(), SshError> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        private::create_dir(dir).map_err(|source| SshError::File {
            path: dir.to_owned(),
            source,
        })
    }

    /// Lists the instances whose host keys their consoles have told.
    ///
    /// # Errors
    /// [`SshError::File`].
    pub fn told_by_console(&self) -> Result<BTreeSet<String>, SshError> {
        let text = self.read()?;
        let entries = text.lines().filter_map(Entry::of_line);
        let told = entries.filter(|entry| entry.comment == FROM_CONSOLE);
        Ok(told.map(|entry| entry.host.to_owned()).collect())
    }

    /// Writes down what consoles have told, in place of what those instances showed before,
    /// and forgets every instance that is not `alive`.
    ///
    /// # Errors
    /// [`SshError::File`].
    pub fn learn(
        &self,
        told: &BTreeMap<String, Vec<HostKey>>,
        alive: &BTreeSet<String>,
    ) -> Result<Learned, SshError> {
        let failed = |source| SshError::File {
            path: self.path.clone(),
            source,
        };
        self.prepare()?;
        let _lock = private::lock(&self.path.with_extension("lock")).map_err(failed)?;
        let before = self.read()?;
        let mut learned = Learned::default();
        let mut after = String::new();
        for line in before.lines() {
            let entry = Entry::of_line(line);
            if let Some(keys) = entry.as_ref().and_then(|entry| told.get(entry.host)) {
                if entry.is_some_and(|entry| entry.contradicts(keys)) {
                    learned.contradicted.push(line_host(line).to_owned());
                }
            } else if entry.is_none_or(|it| alive.contains(it.host) || !it.host.starts_with("i-")) {
                after.push_str(line);
                after.push('\n');
            }
        }
        for (instance, keys) in told {
            for key in keys {
                let HostKey { algorithm, blob } = key;
                after.push_str(&format!("{instance} {algorithm} {blob} {FROM_CONSOLE}\n"));
            }
        }
        learned.contradicted.dedup();
        if after != before {
            private::replace(&self.path, after.as_bytes()).map_err(failed)?;
        }
        Ok(learned)
    }

    fn read(&self) -> Result<String, SshError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(source) => Err(SshError::File {
                path: self.path.clone(),
                source,
            }),
        }
    }
}

/// A line of `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
struct Entry<'a> {
    host: &'a str,
    algorithm: &'a str,
    blob: &'a str,
    comment: &'a str,
}

impl<'a> Entry<'a> {
    /// Reads a line; none for a comment, and for a line with a marker, which is nobody's of ours.
    fn of_line(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let host = words.next().filter(|it| !it.starts_with(['#', '@']))?;
        Some(Self {
            host,
            algorithm: words.next()?,
            blob: words.next()?,
            comment: words.next().unwrap_or_default(),
        })
    }

    /// Tells whether `keys` have one of the same kind, and it is another one.
    fn contradicts(&self, keys: &[HostKey]) -> bool {
        let mut same_kind = keys.iter().filter(|key| key.algorithm == self.algorithm);
        same_kind.next().is_some_and(|first| {
            first.blob != self.blob && same_kind.all(|it| it.blob != self.blob)
        })
    }
}

fn line_host(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::der::put_string;
    use super::*;

    fn key(algorithm: &str, seed: u8) -> HostKey {
        let mut blob = Vec::new();
        put_string(&mut blob, algorithm.as_bytes());
        put_string(&mut blob, &[seed; 32]);
        HostKey {
            algorithm: algorithm.to_owned(),
            blob: STANDARD.encode(blob),
        }
    }

    fn console(keys: &[HostKey], prefix: &str) -> String {
        let lines: String = keys
            .iter()
            .map(|key| {
                format!(
                    "{prefix}{} {} root@ip-10-0-1-4\r\n",
                    key.algorithm, key.blob
                )
            })
            .collect();
        format!("booting\r\n{prefix}{BEGIN}\r\n{lines}{prefix}{END}\r\nlogin: \r\n")
    }

    #[test]
    fn keys_are_read_from_a_console_with_and_without_prefixes() {
        let keys = [
            key("ecdsa-sha2-nistp256", 1),
            key("ssh-ed25519", 2),
            key("ssh-rsa", 3),
        ];
        for prefix in [
            "",
            "[   21.5] cloud-init[2211]: ",
            "Nov 22 03:00:00 cloud-init: ec2: ",
        ] {
            assert_eq!(
                host_keys_of_console(&console(&keys, prefix)),
                keys,
                "{prefix}"
            );
        }
        // A machine that is made into an image and started anew writes its keys again.
        let twice = console(&[key("ssh-ed25519", 9)], "") + &console(&keys, "");
        assert_eq!(host_keys_of_console(&twice), keys);
        let cut = console(&keys, "");
        let cut = cut.split_once("ssh-rsa").unwrap().0;
        assert_eq!(host_keys_of_console(cut), keys[..2]);
    }

    #[test]
    fn what_is_no_key_is_not_learned() {
        for line in [
            "ssh-ed25519 AAAA root@ip",
            "ssh-ed25519 not/base64!",
            "ssh-dss AAAAB3NzaC1kc3MAAACBAL root@ip",
            &format!("ssh-rsa {}", key("ssh-ed25519", 1).blob),
            "* @cert-authority",
        ] {
            let text = format!("{BEGIN}\n{line}\n{END}\n");
            assert_eq!(host_keys_of_console(&text), [], "{line}");
        }
        assert_eq!(host_keys_of_console("no list at all"), []);
    }

    #[test]
    fn what_is_told_takes_the_place_of_what_was_seen_and_the_dead_are_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let known = KnownHosts::of_rack(home.path(), "prod");
        let (good, bad) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let seen = |host: &str, key: &HostKey| format!("{host} {} {}\n", key.algorithm, key.blob);
        let text = [
            "# mine\n".to_owned(),
            seen("i-1", &good),
            seen("i-2", &bad),
            seen("i-3", &good),
            seen("i-gone", &good),
            seen("bastion", &good),
            format!("i-dead {} {} console\n", good.algorithm, good.blob),
        ];
        fs::write(known.path(), text.concat()).unwrap();
        let told = ["i-1", "i-2"].map(|id| (id.to_owned(), vec![good.clone()]));
        let alive = ["i-1", "i-2", "i-3"].map(str::to_owned).into();
        let learned = known.learn(&told.into(), &alive).unwrap();
        assert_eq!(learned.contradicted, ["i-2"]);
        let after = fs::read_to_string(known.path()).unwrap();
        let console = |host: &str| seen(host, &good).replace('\n', " console\n");
        let expected = [
            "# mine\n".to_owned(),
            seen("i-3", &good),
            seen("bastion", &good),
            console("i-1"),
            console("i-2"),
        ];
        assert_eq!(after, expected.concat());
        let told: Vec<_> = known.told_by_console().unwrap().into_iter().collect();
        assert_eq!(told, ["i-1", "i-2"]);
        let again = known.learn(&BTreeMap::new(), &alive).unwrap();
        assert_eq!(again, Learned::default());
        assert_eq!(fs::read_to_string(known.path()).unwrap(), after);
    }

    #[test]
    fn no_racks_name_leaves_the_directory() {
        let known = KnownHosts::of_rack(Path::new("/state/known_hosts"), "../acme/prod.eu");
        assert_eq!(
            known.path(),
            Path::new("/state/known_hosts/___acme_prod_eu")
        );
    }
}
