//! A stored login through everything that a roll of the API key asks of a holder.

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::{Classic, LoginHolder, Logins};
use crate::config::Environment;
use crate::ids::RollId;
use crate::rack::{ApiKeyHolder as _, PortError};

const HOST: &str = "rack.example:5443";
const OTHER: &str = "other.example";

/// A home with logins at two hosts, and the holder of one of them.
struct Home {
    dir: TempDir,
    logins: Logins,
    holder: LoginHolder,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let environment = Environment::from_iter([("HOME", home)]);
        let logins = Classic::open(&environment, dir.path()).unwrap().logins();
        logins.store(HOST, &secret("old")).unwrap();
        logins.store(OTHER, &secret("others")).unwrap();
        let holder = LoginHolder::new(logins.clone(), HOST);
        Self {
            dir,
            logins,
            holder,
        }
    }

    fn stored(&self, host: &str) -> Option<String> {
        plain(self.logins.stored(host).unwrap())
    }

    async fn current(&self) -> Option<String> {
        plain(self.holder.current().await.unwrap())
    }

    async fn pending(&self, roll: &RollId) -> Option<String> {
        plain(self.holder.pending(roll).await.unwrap())
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn plain(secret: Option<SecretString>) -> Option<String> {
    secret.map(|secret| secret.expose_secret().to_owned())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn roll(last: char) -> RollId {
    format!("01kb2q5z8g00000{last}").parse().unwrap()
}

#[tokio::test]
async fn a_key_that_proves_itself_becomes_the_login() {
    let home = Home::new();
    assert_eq!(home.holder.describe(), "the login at rack.example:5443");
    assert_eq!(home.current().await, some("old"));
    assert_eq!(home.pending(&roll('1')).await, None);
    // Every call may be made again after an interruption.
    for _ in 0..2 {
        home.holder.stage(&secret("new"), &roll('1')).await.unwrap();
        assert_eq!(home.current().await, some("old"), "it still works");
        assert_eq!(home.stored(HOST), some("old"));
        assert_eq!(home.pending(&roll('1')).await, some("new"));
        assert_eq!(home.pending(&roll('2')).await, None, "of another roll");
    }
    for _ in 0..2 {
        home.holder
            .promote(&secret("new"), &roll('1'))
            .await
            .unwrap();
        assert_eq!(home.current().await, some("new"));
        assert_eq!(home.pending(&roll('1')).await, None);
    }
    assert_eq!(home.stored(HOST), some("new"));
    assert_eq!(home.stored(OTHER), some("others"));
}

#[tokio::test]
async fn a_key_that_does_not_leaves_the_login_as_it_was() {
    let home = Home::new();
    home.holder.stage(&secret("new"), &roll('1')).await.unwrap();
    home.holder.discard(&roll('2')).await.unwrap();
    assert_eq!(home.pending(&roll('1')).await, some("new"), "not theirs");
    for _ in 0..2 {
        home.holder.discard(&roll('1')).await.unwrap();
        assert_eq!(home.pending(&roll('1')).await, None);
        assert_eq!(home.current().await, some("old"));
    }
    assert_eq!(home.stored(OTHER), some("others"));
}

#[tokio::test]
async fn a_login_that_a_command_has_changed_meanwhile_is_still_known() {
    let home = Home::new();
    home.holder.stage(&secret("new"), &roll('1')).await.unwrap();
    // Only the new one worked, so a command has put it there.
    home.logins.adopt(HOST, &secret("new")).unwrap();
    assert_eq!(home.stored(HOST), some("new"));
    assert_eq!(home.current().await, some("old"), "what the rack had");
    assert_eq!(home.pending(&roll('1')).await, some("new"));
    home.holder.discard(&roll('1')).await.unwrap();
    assert_eq!(home.stored(HOST), some("old"), "rolled back");
    // And the other way round.
    home.holder.stage(&secret("new"), &roll('1')).await.unwrap();
    home.logins.adopt(HOST, &secret("new")).unwrap();
    home.holder
        .promote(&secret("new"), &roll('1'))
        .await
        .unwrap();
    assert_eq!(home.stored(HOST), some("new"));
    assert_eq!(home.current().await, some("new"));
}

#[tokio::test]
async fn a_roll_that_is_finished_elsewhere_needs_nothing_staged_here() {
    let home = Home::new();
    home.holder
        .promote(&secret("new"), &roll('1'))
        .await
        .unwrap();
    assert_eq!(home.stored(HOST), some("new"));
    let nobody = LoginHolder::new(home.logins.clone(), "nobody.example");
    assert_eq!(plain(nobody.current().await.unwrap()), None);
    nobody.discard(&roll('1')).await.unwrap();
    nobody.promote(&secret("first"), &roll('1')).await.unwrap();
    assert_eq!(home.stored("nobody.example"), some("first"));
}

#[tokio::test]
async fn the_key_of_another_roll_is_never_written_over() {
    let home = Home::new();
    home.holder.stage(&secret("new"), &roll('1')).await.unwrap();
    let refused = home.holder.stage(&secret("newer"), &roll('2')).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, PortError::KeyStore { store, .. } if *store == home.holder.describe()),
        "{refused}"
    );
    let text = format!("{refused} {refused:?}");
    assert!(text.contains("01kb2q5z8g000001"), "{text}");
    assert!(!text.contains("newer"), "{text}");
    assert_eq!(home.pending(&roll('1')).await, some("new"));
}

#[tokio::test]
async fn files_that_are_damaged_are_told_and_left_alone() {
    let home = Home::new();
    let auth = home.dir.path().join(".config/convox2/auth");
    std::fs::write(&auth, "{\"rack.example:5443\": \"hunter2").unwrap();
    let errors = [
        home.holder.current().await.map(drop).unwrap_err(),
        home.holder
            .promote(&secret("new"), &roll('1'))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.contains("the login at rack.example:5443"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let left = std::fs::read_to_string(&auth).unwrap();
    assert_eq!(left, "{\"rack.example:5443\": \"hunter2");
}
