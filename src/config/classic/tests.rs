//! The files as the classic leaves them, and what becomes of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::*;
use crate::config::{ConfigError, Environment, Told};
use crate::ids::RollId;

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.path().join(name)).ok()
    }

    fn mode(&self, name: &str) -> u32 {
        let data = fs::metadata(self.0.path().join(name)).unwrap();
        data.permissions().mode() & 0o777
    }

    fn classic(&self) -> Classic {
        self.classic_with(&[])
    }

    fn classic_with(&self, variables: &[(&str, &str)]) -> Classic {
        let home = [("HOME", self.0.path().to_str().unwrap())];
        let environment = Environment::from_iter(home.iter().chain(variables).copied());
        Classic::open(&environment, &self.0.path().join("project")).unwrap()
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn stored(classic: &Classic, host: &str) -> Option<String> {
    let stored = classic.logins().stored(host).unwrap();
    stored.map(|password| password.expose_secret().to_owned())
}

fn roll(last: char) -> RollId {
    format!("01kb2q5z8g00000{last}").parse().unwrap()
}

/// Words what is chosen.
fn chosen(classic: &Classic, named: Option<&str>) -> String {
    let named = named.map(|name| Told::new(name, "flag --rack"));
    match classic.chosen(named).unwrap() {
        None => "nothing".to_owned(),
        Some(Chosen::Host { host, rack }) => {
            format!("{} {}", host.text, rack.map_or("-".to_owned(), |r| r.text))
        }
        Some(Chosen::Url { url, rack, .. }) => format!("{} {}", url.expose_secret(), rack.text),
        Some(Chosen::Terraform { rack }) => format!("terraform {}", rack.text),
    }
}

#[test]
fn the_directory_is_the_one_that_is_told_or_holds_files() {
    let home = Home::new();
    let dir = |variables: &[(&str, &str)]| {
        let classic = home.classic_with(variables);
        let dir = classic.dir().0.to_owned();
        let short = dir.strip_prefix(home.0.path()).unwrap_or(&dir);
        format!("{} {:?}", short.display(), classic.layout())
    };
    assert_eq!(dir(&[]), ".config/convox2 V2");
    home.write(".config/convox/config.yaml", "rack: prod");
    assert_eq!(dir(&[]), ".config/convox2 V2", "our own file is no mark");
    home.write(".config/convox/auth", "{}");
    assert_eq!(dir(&[]), ".config/convox V2", "before 2022");
    home.write(".config/convox/console", "console.example");
    assert_eq!(dir(&[]), ".config/convox V3");
    home.write(".config/convox2/host", "rack.example");
    assert_eq!(dir(&[]), ".config/convox2 V2");
    assert_eq!(dir(&[("CONVOX_CONFIG", "/elsewhere")]), "/elsewhere V2");
    assert_eq!(dir(&[("XDG_CONFIG_HOME", "/xdg")]), "/xdg/convox2 V2");
    let nowhere = Classic::open(&Environment::default(), Path::new("."));
    assert!(matches!(nowhere, Err(ConfigError::NoHome)));
}

#[test]
fn version_two_chooses_as_the_classic_does() {
    let home = Home::new();
    assert_eq!(chosen(&home.classic(), None), "nothing");
    assert_eq!(chosen(&home.classic(), Some("dev")), "nothing");
    home.write(".config/convox2/host", "console.example");
    assert_eq!(chosen(&home.classic(), None), "console.example -");
    home.write(".config/convox2/rack", "acme/old");
    assert_eq!(chosen(&home.classic(), None), "console.example acme/old");
    home.write(
        ".config/convox2/racks",
        "{\n  \"console.example\": \"acme/dev\"\n}",
    );
    assert_eq!(chosen(&home.classic(), None), "console.example acme/dev");
    home.write("project/.convox2/rack", "acme/project\n");
    assert_eq!(
        chosen(&home.classic(), None),
        "console.example acme/project"
    );
    assert_eq!(chosen(&home.classic(), Some("dev")), "console.example dev");
}

#[test]
fn version_three_chooses_as_the_classic_does() {
    let home = Home::new();
    home.write(".config/convox/console", "console.example");
    assert_eq!(chosen(&home.classic(), None), "console.example -");
    home.write(
        ".config/convox/current",
        r#"{"name":"acme/dev","type":"console"}"#,
    );
    assert_eq!(chosen(&home.classic(), None), "console.example acme/dev");
    home.write(
        ".config/convox/racks/direct",
        "https://convox:secret@rack.example\n",
    );
    home.write(".config/convox/racks/made/main.tf", "");
    assert_eq!(
        chosen(&home.classic(), Some("direct")),
        "https://convox:secret@rack.example direct"
    );
    assert_eq!(chosen(&home.classic(), Some("made")), "terraform made");
    assert_eq!(
        chosen(&home.classic(), Some("../convox/current")),
        "console.example ../convox/current",
        "no name leaves the directory"
    );
    home.write(
        ".config/convox/current",
        r#"{"name":"made","type":"terraform"}"#,
    );
    assert_eq!(chosen(&home.classic(), None), "terraform made");
    home.write("project/.convox/rack", "acme/project");
    assert_eq!(
        chosen(&home.classic(), None),
        "console.example acme/project"
    );
}

#[test]
fn a_login_is_written_as_the_classic_writes_it() {
    let home = Home::new();
    home.write(
        ".config/convox2/auth",
        "{\n  \"a.example\": \"one\",\n  \"z.example\": {\n    \"odd\": 1\n  }\n}",
    );
    home.write(".config/convox2/rack", "acme/old");
    let classic = home.classic();
    classic
        .log_in("rack.example:5443", &secret("p@s&<s>\""), Some("user-1"))
        .unwrap();
    assert_eq!(
        home.read(".config/convox2/auth").unwrap(),
        "{\n  \"a.example\": \"one\",\n  \"rack.example:5443\": \"p@s\\u0026\\u003cs\\u003e\\\"\",\n  \"z.example\": {\n    \"odd\": 1\n  }\n}"
    );
    assert_eq!(
        home.read(".config/convox2/host").unwrap(),
        "rack.example:5443"
    );
    assert_eq!(home.read(".config/convox2/id").unwrap(), "user-1");
    assert_eq!(home.read(".config/convox2/rack"), None);
    assert_eq!(stored(&classic, "rack.example:5443").unwrap(), "p@s&<s>\"");
    assert_eq!(stored(&classic, "z.example"), None);
}

#[test]
fn what_is_made_is_for_its_owner_only() {
    let home = Home::new();
    let classic = home.classic();
    classic
        .log_in("rack.example", &secret("s"), Some("me"))
        .unwrap();
    classic.switch("rack.example", "acme/dev").unwrap();
    classic
        .logins()
        .stage("rack.example", &secret("t"), &roll('1'))
        .unwrap();
    assert_eq!(home.mode(".config/convox2"), 0o700);
    let mut names: Vec<_> = fs::read_dir(home.0.path().join(".config/convox2"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".convox.lock",
            "auth",
            "host",
            "id",
            "pending.json",
            "racks"
        ]
    );
    for name in names {
        assert_eq!(
            home.mode(&format!(".config/convox2/{name}")),
            0o600,
            "{name}"
        );
    }
}

#[test]
fn a_switch_is_written_in_the_form_that_is_there() {
    let home = Home::new();
    home.write(
        ".config/convox2/racks",
        "{\n  \"a.example\": \"acme/one\"\n}",
    );
    home.classic().switch("b.example", "acme/two").unwrap();
    assert_eq!(
        home.read(".config/convox2/racks").unwrap(),
        "{\n  \"a.example\": \"acme/one\",\n  \"b.example\": \"acme/two\"\n}"
    );
    let home = Home::new();
    home.write(".config/convox/console", "console.example");
    home.classic()
        .switch("console.example", "acme/dev")
        .unwrap();
    assert_eq!(
        home.read(".config/convox/current").unwrap(),
        r#"{"name":"acme/dev","type":"console"}"#
    );
    home.classic()
        .log_in("console.example", &secret("s"), None)
        .unwrap();
    assert!(home.read(".config/convox/current").is_some());
    home.classic()
        .log_in("other.example", &secret("s"), None)
        .unwrap();
    assert_eq!(
        home.read(".config/convox/console").unwrap(),
        "other.example"
    );
    assert_eq!(home.read(".config/convox/current"), None);
    assert_eq!(home.read(".config/convox/host"), None);
}

#[test]
fn a_logout_leaves_every_other_login() {
    let home = Home::new();
    let classic = home.classic();
    classic.log_in("a.example", &secret("a"), None).unwrap();
    classic.log_in("b.example", &secret("b"), None).unwrap();
    classic
        .store_session("b.example", &secret("session"))
        .unwrap();
    let out = classic.log_out("a.example").unwrap();
    assert_eq!((out.password, out.chosen), (true, false));
    let out = classic.log_out("b.example").unwrap();
    assert_eq!((out.password, out.chosen), (true, true));
    assert_eq!(home.read(".config/convox2/auth").unwrap(), "{}");
    assert_eq!(home.read(".config/convox2/session").unwrap(), "{}");
    assert_eq!(home.read(".config/convox2/host"), None);
    let out = classic.log_out("b.example").unwrap();
    assert_eq!((out.password, out.chosen), (false, false));
}

#[test]
fn secrets_that_others_may_read_are_refused() {
    let home = Home::new();
    home.write(".config/convox2/auth", "{\n  \"a\": \"hunter2\"\n}");
    let path = home.0.path().join(".config/convox2/auth");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = home.classic().logins().stored("a").unwrap_err();
        assert!(matches!(error, ConfigError::OpenToOthers { .. }), "{error}");
        assert_eq!(error.hint(), format!("chmod 600 {}", path.display()));
        assert!(home.classic().log_in("b", &secret("b"), None).is_err());
    }
    let text = home.read(".config/convox2/auth").unwrap();
    assert_eq!(text, "{\n  \"a\": \"hunter2\"\n}", "nothing is overwritten");
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    for text in [
        "{\"a\": \"hunter2\"",
        "[\"hunter2\"]",
        "\"hunter2\"",
        "hunter2",
    ] {
        let home = Home::new();
        home.write(".config/convox2/auth", text);
        let classic = home.classic();
        let error = classic.log_in("b", &secret("b"), None).unwrap_err();
        let words = format!("{error} {error:?} {}", error.hint());
        assert!(words.contains(".config/convox2/auth:1:"), "{words}");
        assert!(!words.contains("hunter2"), "{words}");
        assert_eq!(home.read(".config/convox2/auth").unwrap(), text);
        assert_eq!(home.read(".config/convox2/host"), None);
    }
}

#[test]
fn a_link_to_a_file_kept_elsewhere_stays_a_link() {
    let home = Home::new();
    home.write("dotfiles/auth", "{}");
    fs::create_dir_all(home.0.path().join(".config/convox2")).unwrap();
    let link = home.0.path().join(".config/convox2/auth");
    std::os::unix::fs::symlink(home.0.path().join("dotfiles/auth"), &link).unwrap();
    home.classic().log_in("a", &secret("s"), None).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(home.read("dotfiles/auth").unwrap(), "{\n  \"a\": \"s\"\n}");
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let home = Home::new();
    let each = 6;
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let classic = home.classic();
            scope.spawn(move || {
                for number in 0..each {
                    let host = format!("{writer}-{number}.example");
                    classic.logins().store(&host, &secret(&host)).unwrap();
                    classic.store_session(&host, &secret("s")).unwrap();
                    classic.switch(&host, "acme/dev").unwrap();
                }
            });
        }
    });
    let classic = home.classic();
    assert_eq!(classic.logins().hosts().unwrap().len(), 8 * each);
    for host in classic.logins().hosts().unwrap() {
        assert_eq!(stored(&classic, &host).as_deref(), Some(host.as_str()));
        assert!(classic.session(&host).unwrap().is_some());
        assert_eq!(classic.rack_of(&host).unwrap().unwrap().text, "acme/dev");
    }
}

#[test]
fn a_staged_password_is_promoted_or_discarded_by_its_roll_only() {
    let home = Home::new();
    let logins = home.classic().logins();
    let classic = home.classic();
    logins.store("h", &secret("old")).unwrap();
    logins.stage("h", &secret("new"), &roll('1')).unwrap();
    logins.stage("h", &secret("new"), &roll('1')).unwrap();
    assert_eq!(stored(&classic, "h").unwrap(), "old");
    let error = logins.stage("h", &secret("newer"), &roll('2')).unwrap_err();
    assert!(
        matches!(error, ConfigError::AlreadyStaged { .. }),
        "{error}"
    );
    assert!(
        error.hint().contains(roll('1').as_str()),
        "{}",
        error.hint()
    );
    assert!(!logins.promote("h", &roll('2')).unwrap());
    assert!(!logins.discard("h", &roll('2')).unwrap());
    assert!(logins.promote("h", &roll('1')).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "new");
    assert!(!logins.promote("h", &roll('1')).unwrap(), "done already");
    logins.stage("h", &secret("newer"), &roll('2')).unwrap();
    assert!(logins.discard("h", &roll('2')).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "new");
    assert!(logins.staged("h").unwrap().is_none());
}

#[test]
fn an_adopted_password_can_still_go_back() {
    let home = Home::new();
    let logins = home.classic().logins();
    let classic = home.classic();
    let start = || {
        logins.store("h", &secret("old")).unwrap();
        logins.stage("h", &secret("new"), &roll('1')).unwrap();
        assert!(logins.adopt("h", &secret("new")).unwrap());
        assert_eq!(stored(&classic, "h").unwrap(), "new");
        let staged = logins.staged("h").unwrap().unwrap();
        assert_eq!(staged.previous.unwrap().expose_secret(), "old");
    };
    start();
    assert!(logins.discard("h", &roll('1')).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "old", "the roll went back");
    start();
    assert!(logins.adopt("h", &secret("old")).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "old");
    assert!(logins.promote("h", &roll('1')).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "new");
    start();
    assert!(logins.promote("h", &roll('1')).unwrap());
    assert_eq!(stored(&classic, "h").unwrap(), "new");
    start();
    logins.store("h", &secret("third")).unwrap();
    assert!(logins.discard("h", &roll('1')).unwrap());
    assert_eq!(
        stored(&classic, "h").unwrap(),
        "third",
        "a login since then stays"
    );
    assert!(!logins.adopt("h", &secret("x")).unwrap());
}
