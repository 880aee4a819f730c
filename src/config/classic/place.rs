//! Where the classic's files are, in which form, and what they choose.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::files::{Files, Locked};
use super::json::Entries;
use super::logins::{AUTH, Logins};
use crate::config::{ConfigError, Environment, Told};

type Result<T> = std::result::Result<T, ConfigError>;

/// Files that only the classic writes: where one of them is, there its settings are.
const MARKS: [&str; 10] = [
    AUTH,
    "host",
    "console",
    "racks",
    "current",
    "session",
    "id",
    "rack",
    "self-managed",
    "machines",
];

/// Which version of the classic CLI the files are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `host`, the file `racks`, `./.convox2/rack`.
    V2,
    /// `console`, `current`, the directory `racks`, `./.convox/rack`.
    V3,
}

/// The classic's settings of one person.
#[derive(Debug, Clone)]
pub struct Classic {
    files: Files,
    layout: Layout,
    project: PathBuf,
    why: String,
}

/// What the files choose.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// A host that there was a login to, and the rack that is meant there.
    Host {
        /// The host, with a port where one was given.
        host: Told,
        /// The rack's name, for the header `Rack`.
        rack: Option<Told>,
    },
    /// A rack by its own address, password included.
    Url {
        /// The address.
        url: SecretString,
        /// The rack's name, and what chose it.
        rack: Told,
        /// The file that holds the address.
        file: PathBuf,
    },
    /// A rack that only Terraform can tell the address of.
    Terraform {
        /// The rack's name, and what chose it.
        rack: Told,
    },
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedOut {
    /// There was a password.
    pub password: bool,
    /// The host was the chosen one.
    pub chosen: bool,
}

/// The file `current` of version 3.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Current {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Classic {
    /// Finds the directory: `CONVOX_CONFIG`, else the first of `convox2` and `convox` below
    /// `$XDG_CONFIG_HOME` (`~/.config`) that holds such files, else `convox2`.
    ///
    /// `project` is the directory that `./.convox2/rack` is looked for in.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when nothing tells where files are.
    pub fn open(environment: &Environment, project: &Path) -> Result<Self> {
        let (dir, why) = match environment.get("CONVOX_CONFIG") {
            Some(dir) => (PathBuf::from(dir), "environment CONVOX_CONFIG"),
            None => {
                let base = environment.config_base()?;
                let holds = |dir: &PathBuf| MARKS.iter().any(|name| dir.join(name).exists());
                let mut candidates = ["convox2", "convox"]
                    .map(|name| base.join(name))
                    .into_iter();
                match candidates.find(holds) {
                    Some(dir) => (dir, "the files that are there"),
                    None => (base.join("convox2"), "default"),
                }
            }
        };
        let third = dir.join("console").exists()
            || dir.join("current").exists()
            || dir.join("racks").is_dir();
        Ok(Self {
            files: Files::new(dir),
            layout: if third { Layout::V3 } else { Layout::V2 },
            project: project.to_owned(),
            why: why.to_owned(),
        })
    }

    /// Returns the directory, and why it is this one.
    #[must_use]
    pub fn dir(&self) -> (&Path, &str) {
        (self.files.dir(), &self.why)
    }

    /// Returns whose form the files have.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the passwords.
    #[must_use]
    pub fn logins(&self) -> Logins {
        Logins::new(self.files.clone())
    }

    /// Returns the file that passwords are in.
    #[must_use]
    pub fn auth_file(&self) -> PathBuf {
        self.files.path(AUTH)
    }

    /// Returns the host of the login that was made or chosen last.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`].
    pub fn host(&self) -> Result<Option<Told>> {
        let names: &[&str] = match self.layout {
            Layout::V2 => &["host"],
            Layout::V3 => &["console", "host"],
        };
        for name in names {
            if let Some(host) = self.told(name)? {
                return Ok(Some(host));
            }
        }
        Ok(None)
    }

    /// Returns what is chosen: by `named`, else by the project, else by an earlier `switch`.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds secrets and lets others read it.
    pub fn chosen(&self, named: Option<Told>) -> Result<Option<Chosen>> {
        let named = match named {
            Some(named) => Some(named),
            None => self.project_rack()?,
        };
        if self.layout == Layout::V2 {
            let Some(host) = self.host()? else {
                return Ok(None);
            };
            let rack = match named {
                Some(named) => Some(named),
                None => self.rack_of(&host.text)?,
            };
            return Ok(Some(Chosen::Host { host, rack }));
        }
        let named = match named {
            Some(named) => Some(named),
            None => self.told("rack")?,
        };
        let (rack, direct) = match named {
            Some(named) => (Some(named), true),
            None => match self.current()? {
                Some((rack, kind)) => (Some(rack), kind != "console"),
                None => (None, false),
            },
        };
        if direct && let Some(rack) = &rack {
            match self.own_rack(rack)? {
                Some(own) => return Ok(Some(own)),
                None if rack.source.ends_with("current") => {
                    return Ok(Some(Chosen::Terraform { rack: rack.clone() }));
                }
                None => {}
            }
        }
        Ok(self.host()?.map(|host| Chosen::Host { host, rack }))
    }

    /// Returns the rack that is meant at `host` when nothing names one.
    ///
    /// # Errors
    /// As [`Classic::chosen`].
    pub fn rack_of(&self, host: &str) -> Result<Option<Told>> {
        if self.layout == Layout::V3 {
            if let Some((rack, kind)) = self.current()?
                && kind == "console"
            {
                return Ok(Some(rack));
            }
        } else {
            let racks: Entries = self.files.plain_json("racks")?;
            if let Some(rack) = racks.get(host) {
                return Ok(Some(Told {
                    text: rack.expose_secret().to_owned(),
                    source: self.source("racks"),
                }));
            }
        }
        self.told("rack")
    }

    /// Returns the rack that the project's own directory names.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`].
    pub fn project_rack(&self) -> Result<Option<Told>> {
        let names = match self.layout {
            Layout::V2 => [".convox2", ".convox"],
            Layout::V3 => [".convox", ".convox2"],
        };
        for name in names {
            let files = Files::new(self.project.join(name));
            if let Some(text) = files.text("rack")? {
                let source = format!("file ./{name}/rack");
                return Ok(Some(Told { text, source }));
            }
        }
        Ok(None)
    }

    /// Returns the session that a console has given to this person.
    ///
    /// # Errors
    /// As [`Classic::chosen`].
    pub fn session(&self, host: &str) -> Result<Option<SecretString>> {
        let sessions: Entries = self.files.json("session")?;
        Ok(sessions.get(host))
    }

    /// Keeps a session that a console has given.
    ///
    /// # Errors
    /// As [`Classic::chosen`], and when the file cannot be written.
    pub fn store_session(&self, host: &str, session: &SecretString) -> Result<()> {
        let locked = self.files.lock()?;
        let mut sessions: Entries = self.files.json("session")?;
        sessions.set(host, session.expose_secret());
        locked.replace_json("session", &sessions)
    }

    /// Keeps a login that was accepted, and chooses its host.
    ///
    /// # Errors
    /// A file that cannot be read or written; the password is the first to be written.
    pub fn log_in(&self, host: &str, password: &SecretString, id: Option<&str>) -> Result<()> {
        let locked = self.files.lock()?;
        self.logins().write(&locked, host, password)?;
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            locked.replace("id", id.as_bytes())?;
        }
        locked.remove("rack")?;
        self.choose(&locked, host)
    }

    /// Chooses the host of a login that is stored.
    ///
    /// # Errors
    /// As [`Classic::log_in`].
    pub fn choose_host(&self, host: &str) -> Result<()> {
        let locked = self.files.lock()?;
        self.choose(&locked, host)
    }

    fn choose(&self, locked: &Locked<'_>, host: &str) -> Result<()> {
        let is_other = self.host()?.is_none_or(|before| before.text != host);
        if self.layout == Layout::V3
            && is_other
            && self.current()?.is_some_and(|(_, kind)| kind == "console")
        {
            // It names a rack of the console that was chosen before.
            locked.remove("current")?;
        }
        locked.replace(self.host_file(), host.as_bytes())
    }

    /// Forgets the password and the session of `host`, and that it was chosen.
    ///
    /// # Errors
    /// As [`Classic::log_in`].
    pub fn log_out(&self, host: &str) -> Result<LoggedOut> {
        let locked = self.files.lock()?;
        let password = self.logins().remove(&locked, host)?;
        let mut sessions: Entries = self.files.json("session")?;
        if sessions.remove(host) {
            locked.replace_json("session", &sessions)?;
        }
        let chosen = self.host()?.is_some_and(|chosen| chosen.text == host);
        if chosen {
            for name in ["host", "console"] {
                if self.files.text(name)?.as_deref() == Some(host) {
                    locked.remove(name)?;
                }
            }
        }
        Ok(LoggedOut { password, chosen })
    }

    /// Chooses a rack of the console at `host`.
    ///
    /// # Errors
    /// As [`Classic::log_in`].
    pub fn switch(&self, host: &str, rack: &str) -> Result<()> {
        let locked = self.files.lock()?;
        if self.layout == Layout::V3 {
            let current = Current {
                name: rack.to_owned(),
                kind: "console".to_owned(),
            };
            let path = self.files.path("current");
            let text =
                serde_json::to_string(&current).map_err(|error| ConfigError::Unwritable {
                    path,
                    source: error.into(),
                })?;
            return locked.replace("current", text.as_bytes());
        }
        let mut racks: Entries = self.files.plain_json("racks")?;
        racks.set(host, rack);
        locked.replace_json("racks", &racks)
    }

    /// Returns the rack of the file `current`, and its type.
    fn current(&self) -> Result<Option<(Told, String)>> {
        let current: Current = self.files.plain_json("current")?;
        let source = self.source("current");
        let text = current.name;
        Ok((!text.is_empty()).then_some((Told { text, source }, current.kind)))
    }

    /// Looks for a rack that version 3 keeps by itself.
    fn own_rack(&self, rack: &Told) -> Result<Option<Chosen>> {
        let name = rack.text.as_str();
        if name.starts_with('.') || name.contains(['/', '\\']) {
            return Ok(None);
        }
        let inner = format!("racks/{name}");
        let file = self.files.path(&inner);
        if file.is_dir() {
            return Ok(Some(Chosen::Terraform { rack: rack.clone() }));
        }
        let url = self.files.secret(&inner)?;
        Ok(url.map(|url| Chosen::Url {
            url: SecretString::from(url.trim()),
            rack: rack.clone(),
            file,
        }))
    }

    fn told(&self, name: &str) -> Result<Option<Told>> {
        let text = self.files.text(name)?;
        Ok(text.map(|text| Told {
            text,
            source: self.source(name),
        }))
    }

    fn source(&self, name: &str) -> String {
        format!("file {}", self.files.path(name).display())
    }

    fn host_file(&self) -> &'static str {
        match self.layout {
            Layout::V2 => "host",
            Layout::V3 => "console",
        }
    }
}
