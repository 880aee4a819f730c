//! The lines of `authorized_keys` that let keys in, and how one takes the place of another.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use super::error::PortError;
use super::fleet::Instance;
use super::key::KeyType;

/// How an instance is reached to change its `authorized_keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// SSM Run Command: by its agent, as root.
    Ssm,
    /// The system's `ssh`: with the key that opens it, as the user who logs in.
    Ssh,
}

impl Through {
    /// Returns the name as a person writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::Ssh => "ssh",
        }
    }

    /// Returns what a proof through it is: logins, or what the instance's own sshd says.
    #[must_use]
    pub fn proof(self) -> KeyProof {
        match self {
            Self::Ssm => KeyProof::Sshd,
            Self::Ssh => KeyProof::Login,
        }
    }
}

/// How it is known which keys an instance lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyProof {
    /// The new key logged in, and the old one was refused.
    Login,
    /// The instance's own sshd was offered both public keys: it takes the new one and not the old.
    Sshd,
}

/// One thing to do on an instance. They are done in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyDeed {
    /// Put the new line in.
    Add,
    /// Prove that the new key is let in.
    ProveNew,
    /// Take the old line out; refused where the new one is not in.
    Remove,
    /// Prove that the old key is refused, and the new one still let in.
    ProveOld,
}

/// A public key as `authorized_keys` has it: its type, its bits, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicLine {
    /// The name of its key pair.
    pub name: String,
    kind: String,
    bits: String,
}

impl PublicLine {
    /// Reads the line of key pair `name`; none for text that is no public key.
    #[must_use]
    pub fn read(name: &str, line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (kind, bits) = (words.next()?, words.next()?);
        let is_kind = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@');
        let is_bits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let is_key = kind.chars().all(is_kind) && bits.chars().all(is_bits);
        (is_key && !bits.is_empty()).then(|| Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            bits: bits.to_owned(),
        })
    }

    /// Returns type and bits, without a comment.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.kind, self.bits)
    }

    /// Returns the kind of key pair that it is of. EC2 has no other kinds.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.kind.as_str() {
            "ssh-rsa" => KeyType::Rsa,
            _ => KeyType::Ed25519,
        }
    }

    /// Returns the key pair's name in letters that mean nothing to a shell.
    fn comment(&self) -> String {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        self.name
            .chars()
            .map(|c| Some(c).filter(is_plain).unwrap_or('_'))
            .collect()
    }
}

/// One key in place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySwap {
    /// The user whose logins it is about.
    pub user: String,
    /// The key to let in.
    pub new: PublicLine,
    /// The key to shut out, as instances that were started with it have it.
    pub old: PublicLine,
    /// What the key store has under its name, where that is another key: it is shut out too, since
    /// nobody knows which of the two somebody else has.
    pub kept: Option<PublicLine>,
}

/// What `authorized_keys` said after a script of [`KeySwap::script`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinesSeen {
    /// Whether the new key is let in, without any restriction.
    pub new: bool,
    /// Whether the old one is named at all.
    pub old: bool,
}

impl LinesSeen {
    /// Reads the last line of the script's output.
    #[must_use]
    pub fn read(output: &str) -> Option<Self> {
        let said = output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("authorized_keys: "))?;
        let mut words = said.split_whitespace();
        let mut truth = |name: &str| match words.next()?.strip_prefix(name)? {
            "=yes" => Some(true),
            "=no" => Some(false),
            _ => None,
        };
        Some(Self {
            new: truth("new")?,
            old: truth("old")?,
        })
    }
}

/// What the instance's own sshd said in a script of [`KeySwap::script`] that root ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SshdSaid {
    /// Whether it would take a signature of the new key.
    pub new: bool,
    /// Whether it would take one of the old key, if it was asked.
    pub old: Option<bool>,
}

impl SshdSaid {
    /// Reads it in the script's output; none where sshd was not asked.
    #[must_use]
    pub fn read(output: &str) -> Option<Self> {
        let said = output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("sshd: "))?;
        let truth = |name: &str| {
            let mut words = said.split_whitespace();
            words.find_map(|word| match word.strip_prefix(name)? {
                "=yes" => Some(true),
                "=no" => Some(false),
                _ => None,
            })
        };
        Some(Self {
            new: truth("new")?,
            old: truth("old"),
        })
    }
}

/// What every script does, after its first lines have said what is wanted.
///
/// The file is written beside itself, flushed and renamed, so that a login at any instant reads
/// a whole one; `cp -p` keeps mode and owner. A lock on the directory keeps two of us apart.
const SCRIPT: &str = include_str!("authorized_keys.sh");

/// How root becomes the user for the script that follows.
const AS_USER: &str = include_str!("as_user.sh");

/// How root asks sshd about both keys, before and after the user's part.
///
/// Its `ssh` offers a public key on loopback without having the private half: sshd says whether
/// it would take a signature of it (`SSH_MSG_USERAUTH_PK_OK`, RFC 4252, section 7) after it has
/// looked at everything that it heeds: the types that it takes, its files of keys and their modes,
/// its command for keys, its lists of users and of revoked keys. Nothing is left there, and
/// `authorized_keys` is not touched for it.
const ASK_SSHD: &str = include_str!("ask_sshd.sh");

impl KeySwap {
    /// Writes the shell script that does `deed` and says what is so then.
    ///
    /// Where `as_root`, whoever runs it becomes the user for all that it does in the user's home,
    /// which may lead anywhere by links; and it ends well only where the instance's sshd takes the
    /// new key, which is asked before the old line goes. Where sshd cannot be asked, nothing is
    /// changed. No secret is in it; and where the user himself runs it, no single quote, so that it
    /// can stand between two.
    #[must_use]
    pub fn script(&self, deed: KeyDeed, as_root: bool) -> String {
        let action = match deed {
            KeyDeed::Add => "add",
            KeyDeed::Remove => "remove",
            KeyDeed::ProveNew | KeyDeed::ProveOld => "check",
        };
        let home = if as_root {
            format!("$(getent passwd \"{}\" | cut -d: -f6)", self.user)
        } else {
            "$HOME".to_owned()
        };
        let (new, old) = (&self.new, &self.old);
        let kept = self.kept.as_ref().unwrap_or(old);
        let begin = format!(
            "action=\"{action}\"\nuser=\"{}\"\nnew=\"{}\"\nname=\"{}\"\nold=\"{}\"\nkept=\"{}\"\n\
             home=\"{home}\"\n",
            self.user,
            new.key(),
            new.comment(),
            old.bits,
            kept.bits,
        );
        if as_root {
            let kinds = format!("old_kind=\"{}\"\nkept_kind=\"{}\"\n", old.kind, kept.kind);
            format!("{begin}{kinds}{AS_USER}change() {{\nas_user '{SCRIPT}'\n}}\n{ASK_SSHD}")
        } else {
            format!("{begin}{SCRIPT}")
        }
    }

    /// Tells whether this key shuts out itself.
    #[must_use]
    pub fn is_of_one_key(&self) -> bool {
        let out = [Some(&self.old), self.kept.as_ref()];
        out.into_iter()
            .flatten()
            .any(|line| line.key() == self.new.key())
    }

    /// Tells whether an instance has to have the line of the old key until that is taken out: it was
    /// started with it, and no tag says that another has come in its place.
    fn has_to_name_old(&self, instance: &Instance) -> bool {
        instance.opened_by.is_none() && instance.key_name.as_ref() == Some(&self.old.name)
    }

    /// Tells whether what was seen on an instance is what `deed` is for; else says what is wrong.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub fn judge(&self, deed: KeyDeed, instance: &Instance, seen: LinesSeen) -> Result<(), String> {
        let is_out = matches!(deed, KeyDeed::Remove | KeyDeed::ProveOld);
        match seen {
            LinesSeen { new: false, .. } => {
                Err(format!("its authorized_keys do not name {}", self.new.name))
            }
            LinesSeen { old: true, .. } if is_out => {
                Err(format!("its authorized_keys still name {}", self.old.name))
            }
            // Whatever line lets that key in there, it is another than the one that we would take
            // out, and not find afterwards.
            LinesSeen { old: false, .. }
                if deed == KeyDeed::Add && self.has_to_name_old(instance) =>
            {
                let old = &self.old.name;
                Err(format!(
                    "it was started with {old}, and its authorized_keys do not have the line of \
                     {old} that is known"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Tells whether what sshd said is what `deed` is for; else says what is wrong.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub fn judge_sshd(&self, deed: KeyDeed, said: Option<SshdSaid>) -> Result<(), String> {
        let (new, old) = (&self.new.name, &self.old.name);
        match said {
            None => Err("its script has not said what sshd takes".to_owned()),
            Some(SshdSaid { new: false, .. }) => Err(format!("its sshd does not take {new}")),
            Some(SshdSaid { old, .. }) if deed != KeyDeed::ProveOld || old == Some(false) => Ok(()),
            Some(_) => Err(format!("its sshd has not refused {old}")),
        }
    }

    /// Tells whether the user's name may stand in a script.
    #[must_use]
    pub fn is_plain_user(user: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !user.is_empty() && !user.starts_with('-') && user.chars().all(is_plain)
    }
}

/// What came of one deed on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    /// The instance's id.
    pub instance: String,
    /// What was to be done.
    pub deed: KeyDeed,
    /// Why it is not known to be done, in one line.
    pub result: Result<(), String>,
}

/// A way to the `authorized_keys` of instances.
#[async_trait]
pub trait KeyAccess: Send + Sync {
    /// Says which way it is.
    fn through(&self) -> Through;
    /// Says of those of `instances` that are not reached this way why not.
    ///
    /// # Errors
    /// When nobody can tell, or the way is closed altogether.
    async fn unreached(
        &self,
        instances: &[Instance],
    ) -> Result<BTreeMap<String, String>, PortError>;
    /// Does one thing on instances, side by side.
    ///
    /// Each is answered once, as soon as it is known. Doing a thing again that is done already
    /// changes nothing.
    async fn carry_out(
        &self,
        deed: KeyDeed,
        swap: &KeySwap,
        instances: &[Instance],
        answers: &UnboundedSender<KeyAnswer>,
    );
    /// Names those of the instances `ids` of which nobody has said how to know them: whoever
    /// answered at their address was taken for them.
    fn unvouched(&self, _ids: &[String]) -> Vec<String> {
        Vec::new()
    }
}
