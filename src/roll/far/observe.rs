//! Looks at a rack over its API before a roll of its key.

use secrecy::ExposeSecret as _;

use crate::rack::{FarRack, PortError, SystemDescription};
use crate::roll::api::NewKey;
use crate::roll::observe::settled;
use crate::roll::preflight::{Refusal, advice};

/// What was seen of a rack. Plain data: the plan is a pure function of it.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) system: SystemDescription,
    /// Where the API is.
    pub(super) host: String,
    pub(super) holders: Vec<String>,
    pub(super) key_store: Result<(), PortError>,
    /// Whether the new key is the one that works already.
    pub(super) is_same: bool,
    /// How many characters the new key has.
    pub(super) characters: usize,
    /// Whether the new key only stands for one that is not shown.
    pub(super) is_masked: bool,
}

/// Reads everything that a plan needs, and changes nothing that stays.
///
/// # Errors
/// When the API does not answer, or refuses the key that is thought to open it.
pub(super) async fn observe(rack: &FarRack, new: &NewKey) -> Result<Observed, Refusal> {
    let host = rack.api.describe();
    let current = rack.current().await?;
    if !rack.api.accepts(&current).await? {
        return Err(Refusal::nothing_changed(advice(
            "login-refused",
            format!("{host} refuses the password that it is asked with"),
            format!("`convox login {host}` stores another one"),
        )));
    }
    let system = rack.api.describe_with(&current).await?;
    let value = new.value.expose_secret();
    Ok(Observed {
        system,
        holders: rack.holders.iter().map(|it| it.describe()).collect(),
        key_store: settled(rack.keys.check().await)?,
        is_same: value == current.expose_secret(),
        characters: value.chars().count(),
        is_masked: value.len() >= 4 && value.bytes().all(|letter| letter == b'*'),
        host,
    })
}
