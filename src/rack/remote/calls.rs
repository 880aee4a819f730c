//! What can be asked of a rack, and of a console.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;

use super::client::Remote;
use super::error::RemoteError;
use super::exchange::Request;
use super::form;
use super::model::{
    AccountKeyroll, AccountKeyrollAnswer, Auth, AuthAnswer, ConsoleRoll, InstanceAnswer, Keyroll,
    KeyrollAnswer, RackListing, SystemAnswer, WithRoll,
};
use crate::rack::{PrivateKey, SystemDescription, SystemInstance};

type Result<T> = std::result::Result<T, RemoteError>;

/// The word by which a console says that it rolls the keys of racks by itself.
const ROLLS: &str = "rolls";

/// The last release that has some of its paths elsewhere.
const LAST_CLASSIC: &str = "20180708231844";

impl Remote {
    /// Logs in (`GET /auth`), which is to ask whether the password is right.
    ///
    /// # Errors
    /// [`RemoteError::Unauthorized`] when it is wrong; else whatever may happen on the way.
    pub async fn auth(&self) -> Result<Auth> {
        self.auth_with(None).await
    }

    /// Tells whether another password is accepted (`GET /auth`).
    ///
    /// # Errors
    /// For every answer that is neither a yes nor a 401.
    pub async fn accepts(&self, password: &SecretString) -> Result<bool> {
        match self.auth_with(Some(password)).await {
            Ok(_) => Ok(true),
            Err(RemoteError::Unauthorized { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn auth_with(&self, password: Option<&SecretString>) -> Result<Auth> {
        let request = Request {
            password,
            is_login: true,
            ..Request::get("/auth")
        };
        let body = self.send(&request).await?;
        // A rack says `ok`; a console tells who this is; a web page is neither.
        if body.trim_ascii_start().starts_with(b"<") {
            return Err(self.not_a_rack(&request, "a web page"));
        }
        let answer: AuthAnswer = serde_json::from_slice(&body).unwrap_or_default();
        let capabilities = answer.capabilities.as_array();
        Ok(Auth {
            id: Some(answer.id).filter(|id| !id.is_empty()),
            has_rolls: capabilities.is_some_and(|words| words.iter().any(|word| word == ROLLS)),
        })
    }

    /// Lists the racks that a console knows (`GET /racks`), by full name.
    ///
    /// # Errors
    /// A rack that is no console answers 404.
    pub async fn racks(&self) -> Result<Vec<RackListing>> {
        let racks: Option<Vec<RackListing>> = self.json(&Request::get("/racks")).await?;
        let mut racks = racks.unwrap_or_default();
        racks.sort_by_key(RackListing::full_name);
        Ok(racks)
    }

    /// Describes the rack (`GET /system`).
    ///
    /// # Errors
    /// Whatever may happen on the way.
    pub async fn system(&self) -> Result<SystemDescription> {
        self.system_with(None).await
    }

    /// Describes the rack, with how its last roll stands where a console of our own tells that.
    ///
    /// # Errors
    /// As [`Self::system`]'s.
    pub async fn system_and_roll(&self) -> Result<(SystemDescription, Option<ConsoleRoll>)> {
        self.described_with(None).await
    }

    /// Describes the rack with another password.
    pub(super) async fn system_with(
        &self,
        password: Option<&SecretString>,
    ) -> Result<SystemDescription> {
        Ok(self.described_with(password).await?.0)
    }

    async fn described_with(
        &self,
        password: Option<&SecretString>,
    ) -> Result<(SystemDescription, Option<ConsoleRoll>)> {
        let request = Request {
            password,
            ..Request::get("/system")
        };
        let body = self.send(&request).await?;
        let answer: SystemAnswer = self.parse(&request, &body)?;
        let system = SystemDescription::from(answer);
        self.set_version(&system.version);
        // Whatever else a server puts there is none of ours.
        let roll = serde_json::from_slice(&body).ok();
        Ok((system, roll.and_then(|WithRoll { roll }| roll)))
    }

    /// Sets parameters of the rack's stack in one update (`PUT /system`), and returns once that
    /// is accepted.
    ///
    /// The rack is described first if that has not happened yet: one of 2018 or before wants
    /// another path. The rack itself drops names that its template does not have.
    ///
    /// # Errors
    /// Whatever may happen on the way; the update may have been accepted if the error
    /// [is unanswered](RemoteError::is_unanswered).
    pub async fn update_system(&self, changes: &BTreeMap<String, String>) -> Result<()> {
        self.update_with(None, changes).await
    }

    /// Does the same with another password.
    pub(super) async fn update_with(
        &self,
        password: Option<&SecretString>,
        changes: &BTreeMap<String, String>,
    ) -> Result<()> {
        let version = match self.version() {
            Some(version) => version,
            None => self.system_with(password).await?.version,
        };
        let (method, path, form) = if is_classic(&version) {
            let name = self.system_with(password).await?.name;
            let path = format!("/apps/{}/parameters", segment("the rack's name", &name)?);
            (Method::POST, path, form::encode(changes))
        } else {
            let path = "/system".to_owned();
            (Method::PUT, path, form::parameters(changes))
        };
        let request = Request {
            password,
            ..Request::new(method, &path).form(form)
        };
        self.send(&request).await.map(drop)
    }

    /// Tells whether this is a console, which knows a rack's password and swaps it in by itself,
    /// and not the rack's own API.
    ///
    /// # Errors
    /// Whatever may happen on the way, a password that is refused included.
    pub async fn is_console(&self) -> Result<bool> {
        if self.auth().await?.id.is_some() {
            return Ok(true);
        }
        if self.endpoint().rack().is_none() {
            return Ok(false);
        }
        // A rack of its own ignores which rack is named, and has no list of racks.
        match self.racks().await {
            Ok(_) => Ok(true),
            Err(RemoteError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lists the instances (`GET /instances`), ordered by id.
    ///
    /// # Errors
    /// Whatever may happen on the way.
    pub async fn instances(&self) -> Result<Vec<SystemInstance>> {
        self.instances_with(None).await
    }

    /// Does the same with another password.
    pub(super) async fn instances_with(
        &self,
        password: Option<&SecretString>,
    ) -> Result<Vec<SystemInstance>> {
        let request = Request {
            password,
            ..Request::get("/instances")
        };
        let answers: Option<Vec<InstanceAnswer>> = self.json(&request).await?;
        let answers = answers.unwrap_or_default().into_iter();
        let mut instances: Vec<_> = answers.map(SystemInstance::from).collect();
        instances.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(instances)
    }

    /// Has the rack roll its SSH key (`POST /instances/keyroll`), and returns once it has begun.
    ///
    /// # Errors
    /// Whatever may happen on the way. A rack of the second generation has replaced the stored
    /// private key even where it then fails.
    pub async fn keyroll(&self) -> Result<Keyroll> {
        let request = Request::new(Method::POST, "/instances/keyroll");
        let body = self.send(&request).await?;
        if body.trim_ascii_start().starts_with(b"{") {
            let answer: KeyrollAnswer = self.parse(&request, &body)?;
            return Ok(Keyroll::Minted {
                name: answer.name,
                private_key: PrivateKey::new(answer.private_key),
            });
        }
        Ok(Keyroll::Started)
    }

    /// Gets another account key in the place of the one that asks (`POST /account/keyroll`), which
    /// goes on working for `grace`. A console of our own has this, and the classic's does not.
    ///
    /// # Errors
    /// 404 where it is not known, 409 where the key was rolled before.
    pub async fn roll_account_key(&self, grace: Duration) -> Result<AccountKeyroll> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grace", &grace.as_secs().to_string())
            .finish();
        let request = Request::new(Method::POST, "/account/keyroll").form(form);
        let answer: AccountKeyrollAnswer = self.json(&request).await?;
        Ok(AccountKeyroll {
            key: SecretString::from(answer.key),
            old_expires: answer
                .old_expires
                .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        })
    }

    /// Lets the account key go that `new` has replaced.
    ///
    /// # Errors
    /// Whatever may happen on the way.
    pub async fn finish_account_keyroll(&self, new: &SecretString) -> Result<()> {
        let request = Request {
            password: Some(new),
            ..Request::new(Method::POST, "/account/keyroll/finish")
        };
        self.send(&request).await.map(drop)
    }

    /// Makes the account key that asks whole again, and lets go the one that replaced it.
    ///
    /// # Errors
    /// 409 where that is not possible any more.
    pub async fn cancel_account_keyroll(&self) -> Result<()> {
        let request = Request::new(Method::POST, "/account/keyroll/cancel");
        self.send(&request).await.map(drop)
    }

    /// Terminates an instance (`DELETE /instances/ID`).
    ///
    /// # Errors
    /// A rack that has no such instance answers 404.
    pub async fn terminate(&self, instance: &str) -> Result<()> {
        let path = format!("/instances/{}", segment("the instance's id", instance)?);
        self.send(&Request::new(Method::DELETE, &path))
            .await
            .map(drop)
    }

    /// Reads any path as JSON. The path begins with a slash.
    ///
    /// # Errors
    /// [`RemoteError::Unsendable`] for a path that is none; else whatever may happen on the way.
    pub async fn get_json(&self, path: &str) -> Result<Value> {
        let is_plain = |c: char| c.is_ascii_graphic() && c != '#';
        if !path.starts_with('/') || !path.chars().all(is_plain) {
            return Err(RemoteError::Unsendable {
                what: "the path",
                message: "it must begin with a slash, and other characters be percent-encoded"
                    .to_owned(),
            });
        }
        self.json(&Request::get(path)).await
    }
}

/// Tells whether a release is so old that some of its paths are elsewhere.
pub(super) fn is_classic(version: &str) -> bool {
    let is_date =
        version.len() == LAST_CLASSIC.len() && version.bytes().all(|b| b.is_ascii_digit());
    is_date && version <= LAST_CLASSIC
}

/// Lets through what is one segment of a path as it is.
pub(super) fn segment<'a>(what: &'static str, text: &'a str) -> Result<&'a str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(is_plain) || text.chars().all(|c| c == '.') {
        return Err(RemoteError::Unsendable {
            what,
            message: "it may hold letters, digits, `-`, `_` and `.`".to_owned(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_releases_are_classic() {
        for (version, expected) in [
            ("20180708231844", true),
            ("20160101000000", true),
            ("20180708231845", false),
            ("20230403123456", false),
            ("dev", false),
            ("3.12.1", false),
            ("", false),
        ] {
            assert_eq!(is_classic(version), expected, "{version}");
        }
    }

    #[test]
    fn no_id_leaves_its_segment() {
        assert_eq!(segment("id", "i-0123.a_b"), Ok("i-0123.a_b"));
        for id in ["", "..", "a/b", "a?b", "a b", "a%2fb", "ä"] {
            assert!(segment("id", id).is_err(), "{id}");
        }
    }
}
