//! elvish, which completes in its own way: it quotes every `=`, and offers what it would insert
//! in a list until Enter takes it.

use super::terminal::{Home, Terminal};

#[test]
fn commands_and_options() {
    let home = Home::new();
    let Some(terminal) = Terminal::open("elvish", &home) else {
        return;
    };
    terminal.type_in("convox inst");
    terminal.press("Tab");
    terminal.stands_at("% convox instances ");
    terminal.type_in("keyr");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll ");
    terminal.type_in("--pl");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --plan ");
    terminal.type_in("--key-type=e");
    terminal.press("Tab");
    terminal.shows("--key-type=ed25519 (Short and fast)");
    terminal.press("Enter");
    terminal.stands_at("% convox instances keyroll --plan '--key-type=ed25519' ");
}

#[test]
fn what_a_command_does_is_shown() {
    super::what_a_command_does_is_shown("elvish");
}

#[test]
fn instances_of_the_rack() {
    super::instances_of_the_rack("elvish");
}

#[test]
fn rolls_of_this_machine() {
    super::rolls_of_this_machine("elvish");
}

#[test]
fn names_that_come_along() {
    super::names_that_come_along("elvish");
}

#[test]
fn an_account_that_went_away() {
    super::an_account_that_went_away("elvish");
}

/// After `Name=` comes a value, and so no blank; the quotes end before it, which is one word.
#[test]
fn parameters_stay_open() {
    let home = Home::new();
    let Some(terminal) = Terminal::open("elvish", &home) else {
        return;
    };
    home.convox(&["--sandbox", "rolls", "list"]);
    home.warm("convox --sandbox rack params set");
    terminal.type_in("convox --sandbox rack params set InstanceT");
    terminal.press("Tab");
    terminal.shows("InstanceType= (instances, scaling)");
    terminal.press("Enter");
    terminal.stands_at("% convox --sandbox rack params set 'InstanceType='");
    terminal.type_in("t3.large InstanceC");
    terminal.press("Tab");
    terminal.shows("InstanceCount= (instances, scaling)");
    terminal.press("Enter");
    terminal
        .stands_at("% convox --sandbox rack params set 'InstanceType='t3.large 'InstanceCount='");
}

#[test]
fn paths_in_the_shells_own_way() {
    let home = Home::new();
    home.write("keys/my key", "");
    let Some(terminal) = Terminal::open("elvish", &home) else {
        return;
    };
    terminal.type_in("convox instances keyroll --save-key ke");
    terminal.press("Tab");
    terminal.stands_at("% convox instances keyroll --save-key keys/");
    terminal.type_in("m");
    terminal.press("Tab");
    terminal.shows("COMPLETING argument");
    terminal.press("Enter");
    terminal.stands_at("% convox instances keyroll --save-key 'keys/my key' ");
    terminal.give_up();
    terminal.type_in("convox instances keyroll --save-key=ke");
    terminal.press("Tab");
    terminal.shows("COMPLETING argument");
    terminal.press("Enter");
    terminal.stands_at("% convox instances keyroll '--save-key=keys/'");
}

/// It says that there is nothing, in its own words, and typing goes on.
#[test]
fn nothing_to_say() {
    let home = Home::new();
    let Some(terminal) = Terminal::open("elvish", &home) else {
        return;
    };
    terminal.type_in("convox rolls list --rack pr");
    terminal.press("Tab");
    terminal.shows("no candidates");
    terminal.type_in("od");
    terminal.stands_at("% convox rolls list --rack prod");
}
