//! Completion as a person meets it: real shells, in a real terminal (tmux), and the Tab key.
//!
//! `.ci/shells` installs the shells and tmux. Where one of them is absent, its tests say that
//! they were skipped and pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod elvish;
mod terminal;

use std::process::Command;

use account::Served;
use terminal::{Home, Terminal};

/// Makes a test of each function, for each shell.
macro_rules! in_each_shell {
    ($($test:ident),* $(,)?) => {
        $(mod $test {
            #[test]
            fn bash() {
                super::$test("bash");
            }

            #[test]
            fn zsh() {
                super::$test("zsh");
            }

            #[test]
            fn fish() {
                super::$test("fish");
            }
        })*
    };
}

in_each_shell!(
    commands_and_options,
    what_a_command_does_is_shown,
    racks_of_the_sandbox,
    parameters_stay_open,
    instances_of_the_rack,
    rolls_of_this_machine,
    names_that_come_along,
    paths_in_the_shells_own_way,
    an_account_that_went_away,
    nothing_to_say,
);

fn commands_and_options(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    terminal.type_in("convox inst");
    terminal.press("Tab");
    terminal.stands_at("% convox instances ");
    terminal.type_in("keyr");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll ");
    terminal.type_in("--key-type=e");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --key-type=ed25519 ");
    terminal.type_in("--pl");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --key-type=ed25519 --plan ");
    terminal.type_in("x");
    terminal.stands_at("% convox instances keyroll --key-type=ed25519 --plan x");
}

fn what_a_command_does_is_shown(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    terminal.type_in("convox sandbox ");
    terminal.press("Tab");
    terminal.press("Tab");
    terminal.shows("scenarios");
    if shell != "bash" {
        terminal.shows("Start the account on this machine afresh");
    }
}

fn racks_of_the_sandbox(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    home.convox(&["--sandbox", "rolls", "list"]);
    home.warm("convox --sandbox rolls list --rack");
    terminal.type_in("convox --sandbox rolls list --rack p");
    terminal.press("Tab");
    terminal.stands_at("% convox --sandbox rolls list --rack prod ");
    terminal.give_up();
    terminal.type_in("convox --sandbox rolls list --output json --rack=p");
    terminal.press("Tab");
    terminal.stands_at("% convox --sandbox rolls list --output json --rack=prod ");
}

/// After `Name=` comes a value, and so no blank.
fn parameters_stay_open(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    home.convox(&["--sandbox", "rolls", "list"]);
    home.warm("convox --sandbox rack params set");
    terminal.type_in("convox --sandbox rack params set InstanceT");
    terminal.press("Tab");
    terminal.stands_at("% convox --sandbox rack params set InstanceType=");
    terminal.type_in("t3.large InstanceC");
    terminal.press("Tab");
    terminal.stands_at("% convox --sandbox rack params set InstanceType=t3.large InstanceCount=");
}

fn instances_of_the_rack(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    let list = home.convox(&["--sandbox", "instances", "--output", "json"]);
    let instance: serde_json::Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    let id = instance["id"].as_str().unwrap();
    let start = &id[..id.len() - 4];
    home.warm("convox --sandbox instances terminate");
    terminal.type_in(&format!("convox --sandbox instances terminate {start}"));
    terminal.press("Tab");
    terminal.stands_at(&format!("% convox --sandbox instances terminate {id} "));
}

fn rolls_of_this_machine(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    let roll = home.roll();
    terminal.type_in("convox --sandbox rolls show 0");
    terminal.press("Tab");
    terminal.stands_at(&format!("% convox --sandbox rolls show {roll} "));
    terminal.give_up();
    // Those of the sandbox are no others.
    terminal.type_in("convox rolls show 0");
    terminal.press("Tab");
    terminal.type_in("x");
    terminal.stands_at("% convox rolls show 0x");
}

fn names_that_come_along(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    home.write(
        ".aws/config",
        "[default]\nregion = x\n[profile operations]\nregion = y\n",
    );
    terminal.type_in("convox sandbox serve --scenario succ");
    terminal.press("Tab");
    terminal.stands_at("% convox sandbox serve --scenario success ");
    terminal.give_up();
    terminal.type_in("convox --profile op");
    terminal.press("Tab");
    terminal.stands_at("% convox --profile operations ");
}

fn paths_in_the_shells_own_way(shell: &str) {
    let home = Home::new();
    home.write("keys/my key", "");
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    terminal.type_in("convox instances keyroll --save-key ke");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --save-key keys/");
    terminal.type_in("m");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --save-key keys/my\\ key ");
    terminal.give_up();
    terminal.type_in("convox instances keyroll --save-key=ke");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --save-key=keys/");
    terminal.give_up();
    terminal.type_in("convox man ~/ke");
    terminal.press("Tab");
    terminal.stands_at("% convox man ~/keys/");
}

/// What an account has answered is used when it is silent, at once and without a word.
fn an_account_that_went_away(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    let account = Served::start();
    let line = format!(
        "convox --endpoint-url {} rolls list --rack ",
        account.address()
    );
    home.warm(&line);
    terminal.type_in(&format!("{line}p"));
    terminal.press("Tab");
    terminal.stands_at(&format!("% {line}prod "));
    account.stop();
    home.age_answers();
    terminal.give_up();
    terminal.clear();
    terminal.type_in(&format!("{line}p"));
    terminal.press("Tab");
    terminal.stands_alone_at(&format!("% {line}prod "));
}

/// Without an account, credentials or an answer, Tab does nothing, and typing goes on.
fn nothing_to_say(shell: &str) {
    let home = Home::new();
    let Some(terminal) = Terminal::open(shell, &home) else {
        return;
    };
    terminal.type_in("convox rolls list --rack pr");
    terminal.press("Tab");
    terminal.type_in("od");
    terminal.stands_alone_at("% convox rolls list --rack prod");
}

#[test]
fn no_shell_is_told_an_error() {
    let home = Home::new();
    home.write(".config/convox/config.yaml", "racks: [damaged");
    home.write(".local/state/convox/sandbox/world.json", "{");
    home.write(".local/state/convox/rolls/01kb2q5z8g000001.jsonl", "{");
    for shell in [
        "bash",
        "zsh",
        "fish",
        "powershell",
        "elvish",
        "tcsh",
        "--refresh",
    ] {
        for words in [
            &["rolls", "list", "--rack"][..],
            &["--sandbox", "rolls", "list", "--rack"],
            &["rolls", "show"],
            &["nonsense", "--", "--"],
            &[],
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
            home.environment(&mut command);
            command
                .args(["__complete", shell, "=", "convox"])
                .args(words);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{shell} {words:?}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(said, "", "{shell} {words:?}");
        }
    }
}

/// A line that nobody has typed yet costs what a line costs: no account, no process, no file.
#[test]
fn commands_and_options_leave_nothing_behind() {
    let home = Home::new();
    for current in ["=", "=--", "=inst"] {
        home.convox(&["__complete", "zsh", current, "convox"]);
    }
    assert_eq!(home.files(), Vec::<String>::new());
}
