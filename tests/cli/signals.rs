//! Ctrl-C and SIGTERM: what has begun in AWS goes on there, and the way back to it is told.

use std::net::TcpListener;

use crate::environment::TestEnvironment;

/// Drops the lines about events, which come when they come, and what was said before a signal.
fn after_the_signal(shown: &str) -> String {
    let (head, said) = shown.split_once("--- stderr\n").unwrap();
    let said = said.lines().skip_while(|line| !line.contains("Letting go"));
    let said = said.filter(|line| !line.starts_with("HH:MM:SS "));
    said.fold(format!("{head}--- stderr\n"), |text, line| {
        text + line + "\n"
    })
}

/// An environment in which AWS is at this address.
fn at(url: &str) -> TestEnvironment {
    TestEnvironment::in_real_time()
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
}

#[test]
fn a_first_signal_lets_go_and_says_how_to_come_back() {
    for signal in ["INT", "TERM"] {
        let env = TestEnvironment::in_real_time();
        let mut roll = env.start("--sandbox instances keyroll --save-key new.pem");
        roll.until(" install   Key = ");
        roll.signal(signal);
        let left = after_the_signal(&roll.end());
        assert!(
            env.read("new.pem").starts_with("-----BEGIN"),
            "the new key is on its way to the instances"
        );
        env.let_a_day_pass();
        let back = env.run(&format!("--sandbox -q rolls resume {}", env.only_roll()));
        insta::allow_duplicates! {
            insta::assert_snapshot!(left, @r"
            exit 6
            --- stdout
            Rolling instance key... detached
            --- stderr
            Letting go: what has begun in AWS goes on there (once more to leave at once)
            stopped following; the roll goes on in AWS
            hint: come back with `convox rolls resume ROLL --sandbox`
            hint: the old key stays until the roll is finished that way
            ");
            insta::assert_snapshot!(back, @r"
            exit 0
            --- stdout
            Resuming roll ROLL... OK
            --- stderr
            ");
        }
        assert_eq!(env.key_pairs(), ["prod-keypair-ROLL"]);
    }
}

#[test]
fn a_signal_ends_the_events_with_the_outcome() {
    let env = TestEnvironment::in_real_time();
    let mut roll = env.start("--sandbox instances keyroll --output json");
    roll.until(r#""type":"stack""#);
    roll.signal("INT");
    let shown = roll.end();
    assert!(shown.starts_with("exit 6\n"), "{shown}");
    let last = shown.lines().rfind(|line| line.starts_with('{')).unwrap();
    assert!(last.contains(r#""type":"finished""#), "{last}");
    assert!(last.contains(r#""outcome":"detached""#), "{last}");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let aws = TestEnvironment::in_real_time();
    aws.write(
        "slow.yaml",
        "name: slow\nabout: The update is hours in coming\n\
         faults: [{ latency: { api: \"cloudformation:UpdateStack\", takes: 9h } }]\n",
    );
    let mut serve = aws.start("sandbox serve --port 0 --scenario slow.yaml");
    let env = at(&serve.first_data());
    let mut roll = env.start("-v instances keyroll -r prod --save-key new.pem");
    roll.until(" install   begins");
    roll.signal("INT");
    roll.until("Letting go");
    roll.signal("INT");
    insta::assert_snapshot!(after_the_signal(&roll.end()), @r"
    exit 130
    --- stdout
    --- stderr
    Letting go: what has begun in AWS goes on there (once more to leave at once)
    ");
    assert!(
        env.files().iter().all(|file| file != "new.pem"),
        "no empty file is left for the key"
    );
    serve.signal("INT");
    let served = serve.end();
    assert!(served.starts_with("exit 0\n"), "{served}");
}

#[test]
fn a_signal_before_a_roll_leaves_nothing_behind() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let env = at(&format!("http://{}", deaf.local_addr().unwrap()));
    let mut roll = env.start("instances keyroll -r prod --save-key new.pem");
    let asking = deaf.accept().unwrap();
    // What a shell runs in the background ignores Ctrl-C until somebody listens for it.
    roll.signal("TERM");
    insta::assert_snapshot!(roll.end(), @r"
    ended by a signal
    --- stdout
    --- stderr
    ");
    drop(asking);
    assert_eq!(env.files(), [""; 0]);
}
