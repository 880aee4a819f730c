//! What goes wrong, and who asks.

use std::collections::BTreeMap;

use super::{Person, Served};
use crate::environment::TestEnvironment;

#[test]
fn what_goes_wrong_is_said_with_the_way_out() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, &served.root);
    let names = BTreeMap::new();
    insta::assert_snapshot!(me.shows("keys create --api api_nobody", &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The specified API was not found
    ");
    insta::assert_snapshot!(me.shows("keys show no-key", &names), @r#"
    exit 1
    --- stdout
    --- stderr
    ERROR: POST request body for '/v2/keys.getKey' failed to validate schema; /keyId: the value does not match "^[a-zA-Z0-9_]+$"
    "#);
    insta::assert_snapshot!(me.shows("keys show key_1 --host http://example.com", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: example.com would be reached over plain HTTP, and every key with it
    hint: use https, or set X_DEV_ALLOW_HTTP=true where that network may see it
    ");
    insta::assert_snapshot!(me.shows("keys show key_1 --host http://me:pw@127.0.0.1", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: the key service's address is wrong: there is a user in it; the root key is given by itself
    hint: --host takes https://HOST, or http://127.0.0.1:PORT on this machine
    ");
    insta::assert_snapshot!(me.shows("keys show key_1 --root-key-file missing", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: cannot read missing: No such file or directory (os error 2)
    hint: --root-key-file names a file that holds a root key
    ");
    insta::assert_snapshot!(me.shows("keys reroll key_1 --grace soon", &names), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `soon` is not a value of `--grace <SPAN>`: it is none of `keep`, `0` and a span, such as 24h
    hint: `convox --help` tells what it takes
    ");
    let stranger = Person::new(&address, "root_of_nobody");
    insta::assert_snapshot!(stranger.shows("keys show key_1", &names), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: The provided root key is invalid. We could not find the requested key
    hint: UNKEY_ROOT_KEY, or the file of --root-key-file, must hold a root key of that service
    ");
    let nobody = TestEnvironment::in_real_time();
    let seen = nobody.run("keys show key_1");
    insta::assert_snapshot!(seen, @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: there is no root key
    hint: set UNKEY_ROOT_KEY, or give --root-key-file; `convox console init` makes the first
    ");
    let nowhere = Person::new("http://127.0.0.1:1", &served.root);
    let seen = nowhere.run("keys show key_1");
    assert_eq!(seen.code, 1);
    assert!(
        seen.stderr
            .starts_with("ERROR: cannot connect to 127.0.0.1:1: "),
        "{}",
        seen.stderr
    );
    assert!(
        seen.stderr
            .contains("`convox console serve` starts one here"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_root_key_may_be_in_a_file() {
    let served = Served::new();
    let (_server, address) = served.start();
    let me = Person::new(&address, "root_of_nobody");
    me.env.write("root", &format!("{}\n", served.root));
    let made = me.run("apis create orders --root-key-file root");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.line().starts_with("api_"));
}
