//! Passwords of people, as argon2id keeps them: with the memory and time that OWASP's password
//! storage cheat sheet asks for (19 MiB, two passes, one lane), which are argon2's own defaults.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::ids::Entropy;

/// How short a password may be, in characters.
const SHORTEST: usize = 12;
/// How long it may be, in bytes.
const LONGEST: usize = 1024;
/// How many are worked on at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// How many may wait for their turn.
const WAITING: usize = 64;
/// How many random bytes each is mixed with.
const SALT: usize = 16;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It would be guessed.
    #[error("a password has at least {SHORTEST} characters")]
    Short,
    /// Nobody types that.
    #[error("a password has at most {LONGEST} bytes")]
    Long,
    /// Whoever knows the name would try it first.
    #[error("a password is not the name it belongs to")]
    Name,
    /// So many are tried that nobody's turn would come.
    #[error("too many passwords are being tried just now")]
    Busy,
    /// There is not enough memory, say.
    #[error("the password cannot be worked on: {0}")]
    Failed(String),
}

/// Works on passwords, a few at a time. Clones share it.
#[derive(Clone)]
pub struct Passwords {
    entropy: Entropy,
    free: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Passwords {
    /// Takes salt from `entropy`.
    #[must_use]
    pub fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            free: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// Returns what to keep of a new password of the person of that name: a PHC string.
    ///
    /// # Errors
    /// When it is too easy to guess.
    pub async fn keep(&self, name: &str, password: SecretString) -> Result<String, BadPassword> {
        let text = password.expose_secret();
        if text.chars().count() < SHORTEST {
            return Err(BadPassword::Short);
        }
        if text.len() > LONGEST {
            return Err(BadPassword::Long);
        }
        if text.to_lowercase() == name.to_lowercase() {
            return Err(BadPassword::Name);
        }
        let mut salt = [0; SALT];
        self.entropy.fill(&mut salt);
        let hash = move || {
            let text = password.expose_secret().as_bytes();
            let hash = Argon2::default().hash_password_with_salt(text, &salt)?;
            Ok::<String, Error>(hash.to_string())
        };
        let hashed = self.alone(hash).await?;
        hashed.map_err(|error| BadPassword::Failed(error.to_string()))
    }

    /// Tells whether a password is the one that was kept; `kept` is none for whoever has none, or
    /// is not there, which takes as long.
    ///
    /// # Errors
    /// When that cannot be worked out.
    pub async fn is(
        &self,
        kept: Option<String>,
        password: SecretString,
    ) -> Result<bool, BadPassword> {
        if password.expose_secret().len() > LONGEST {
            return Ok(false);
        }
        let check = move || {
            let text = password.expose_secret().as_bytes();
            let argon = Argon2::default();
            let Some(kept) = kept else {
                let _ = argon.hash_password_with_salt(text, &[0; SALT]);
                return Ok(false);
            };
            let kept = PasswordHash::new(&kept).map_err(|error| error.to_string())?;
            match argon.verify_password(text, &kept) {
                Ok(()) => Ok(true),
                Err(Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error.to_string()),
            }
        };
        self.alone(check).await?.map_err(BadPassword::Failed)
    }

    async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BadPassword> {
        let _place = self.places.try_acquire().map_err(|_| BadPassword::Busy)?;
        let _turn = self.free.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| BadPassword::Failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::new(Entropy::seeded(1));
        let kept = passwords.keep("ada", "correct horse battery".into());
        let kept = kept.await.unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        let again = passwords.keep("ada", "correct horse battery".into()).await;
        assert_ne!(again.unwrap(), kept, "the salt is another one");
        for (tried, expected) in [
            ("correct horse battery", true),
            ("correct horse batterz", false),
            ("", false),
        ] {
            let is = passwords.is(Some(kept.clone()), tried.into()).await;
            assert_eq!(is, Ok(expected), "{tried}");
        }
        assert_eq!(
            passwords.is(None, "anything at all".into()).await,
            Ok(false)
        );
        let broken = passwords.is(Some("no hash".to_owned()), "x".into()).await;
        assert!(matches!(broken, Err(BadPassword::Failed(_))));
    }

    #[tokio::test]
    async fn a_password_that_is_guessed_at_once_is_refused() {
        let passwords = Passwords::new(Entropy::seeded(1));
        let keep = |name: &'static str, text: String| passwords.keep(name, text.into());
        assert_eq!(
            keep("ada", "elevenchars".to_owned()).await,
            Err(BadPassword::Short)
        );
        assert_eq!(keep("ada", "x".repeat(1025)).await, Err(BadPassword::Long));
        let name = "Ada@Example.com";
        let same = keep(name, "ada@example.com".to_owned()).await;
        assert_eq!(same, Err(BadPassword::Name));
        // Characters are counted, not bytes.
        assert!(keep("ada", "ä".repeat(12)).await.is_ok());
    }
}
