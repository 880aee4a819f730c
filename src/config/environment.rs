//! The environment variables, as a value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The environment variables that a command sees. An empty one counts as absent.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Copies the environment of this process; variables that are not Unicode are left out.
    ///
    /// Where `HOME` is missing, the user database tells it.
    #[must_use]
    pub fn of_process() -> Self {
        let texts = std::env::vars_os();
        let texts = texts.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let mut environment = Self(texts.collect());
        if environment.get("HOME").is_none()
            && let Ok(home) = etcetera::home_dir()
        {
            environment
                .0
                .insert("HOME".to_owned(), home.to_string_lossy().into_owned());
        }
        environment
    }

    /// Returns the value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the home directory.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.get("HOME").map(Path::new)
    }

    /// Returns `$XDG_CONFIG_HOME/convox`, else `~/.config/convox`.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither variable is set.
    pub fn config_dir(&self) -> Result<PathBuf, ConfigError> {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    /// Returns `$XDG_STATE_HOME/convox`, else `~/.local/state/convox`: journals, the sandbox.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither variable is set.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        self.xdg("XDG_STATE_HOME", ".local/state")
    }

    /// Returns `$XDG_CACHE_HOME/convox`, else `~/.cache/convox`: what may be thrown away.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither variable is set.
    pub fn cache_dir(&self) -> Result<PathBuf, ConfigError> {
        self.xdg("XDG_CACHE_HOME", ".cache")
    }

    /// Returns `$XDG_CONFIG_HOME`, else `~/.config`, which the classic's directories are in.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither variable is set.
    pub fn config_base(&self) -> Result<PathBuf, ConfigError> {
        self.base("XDG_CONFIG_HOME", ".config")
    }

    /// The XDG specification tells to ignore a variable that is not an absolute path.
    fn base(&self, variable: &str, below_home: &str) -> Result<PathBuf, ConfigError> {
        let named = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        named
            .or_else(|| Some(self.home()?.join(below_home)))
            .ok_or(ConfigError::NoHome)
    }

    fn xdg(&self, variable: &str, below_home: &str) -> Result<PathBuf, ConfigError> {
        Ok(self.base(variable, below_home)?.join("convox"))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_xdg_and_fall_back_to_home() {
        let home = Environment::from_iter([("HOME", "/dirs/ada")]);
        assert_eq!(
            home.config_dir().unwrap(),
            Path::new("/dirs/ada/.config/convox")
        );
        assert_eq!(
            home.state_dir().unwrap(),
            Path::new("/dirs/ada/.local/state/convox")
        );
        assert_eq!(
            home.cache_dir().unwrap(),
            Path::new("/dirs/ada/.cache/convox")
        );
        let xdg = Environment::from_iter([
            ("HOME", "/dirs/ada"),
            ("XDG_CONFIG_HOME", "/etc/ada"),
            ("XDG_STATE_HOME", "not/absolute"),
        ]);
        assert_eq!(xdg.config_dir().unwrap(), Path::new("/etc/ada/convox"));
        assert_eq!(
            xdg.state_dir().unwrap(),
            Path::new("/dirs/ada/.local/state/convox")
        );
        assert!(matches!(
            Environment::default().state_dir(),
            Err(ConfigError::NoHome)
        ));
    }
}
