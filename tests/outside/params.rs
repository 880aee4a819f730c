//! The commands on a rack, on accounts that we did not write.

use convox::rack::Stack;
use convox::rack::aws::KeyStoreChoice;
use serde_json::{Value, json};

use crate::emulator::{Emulator, PASSWORD, settled, update_of};
use crate::keyroll::{Run, at_the_gate, begin};

/// Runs `convox LINE --rack RACK`, and makes sure that it gives no secret away.
async fn run(emulator: &Emulator, line: &str, rack: &str) -> Run {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--rack", rack]);
    let run = begin(emulator, &words).await;
    assert!(!run.traces().contains(PASSWORD), "{line}: {}", run.traces());
    run
}

fn others(stack: &Stack, but: &str) -> Vec<(String, String)> {
    let parameters = stack.parameters.iter();
    parameters
        .filter(|parameter| parameter.key != but)
        .map(|parameter| (parameter.key.clone(), parameter.value.clone()))
        .collect()
}

/// Reads what `instances --output json` prints.
fn listed(run: &Run) -> Vec<Value> {
    let lines = run.stdout();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_moto_a_rack_is_looked_at_and_one_parameter_changes() {
    let Some(moto) = Emulator::find("CONVOX_TEST_MOTO").await else {
        return;
    };
    let name = "params-moto";
    moto.create(name, "params-moto-k1", "no").await;
    let rack = moto.rack(name, KeyStoreChoice::Settings).await;
    let before = settled(&rack).await;

    let shown = run(&moto, "rack", name).await;
    assert_eq!(shown.code(), 0, "{}", shown.traces());
    assert!(
        shown.stdout().contains("Status    running\n"),
        "{}",
        shown.stdout()
    );
    // moto masks nothing by itself.
    let shown = run(&moto, "rack params", name).await;
    assert!(
        shown.stdout().contains("Password      ****\n"),
        "{}",
        shown.stdout()
    );
    assert!(
        shown.stdout().contains("InstanceType  t3.small\n"),
        "{}",
        shown.stdout()
    );

    let refused = run(&moto, "rack params set InstanceTyp=t3.large", name).await;
    assert_eq!(refused.code(), 1);
    assert!(
        refused.traces().contains("did you mean `InstanceType`"),
        "{}",
        refused.traces()
    );
    let set = run(&moto, "rack params set InstanceType=t3.large --wait", name).await;
    assert_eq!(set.code(), 0, "{}", set.traces());
    assert_eq!(set.stdout(), "Updating parameters... \nOK\n");
    let after = settled(&rack).await;
    assert_eq!(after.parameter("InstanceType"), Some("t3.large"));
    assert_eq!(
        others(&after, "InstanceType"),
        others(&before, "InstanceType")
    );
    assert_eq!(after.parameter("Password"), Some(PASSWORD));
    assert_eq!(after.tags, before.tags);
    let again = run(&moto, "rack params set InstanceType=t3.large", name).await;
    assert_eq!(
        (again.code(), again.stdout().as_str()),
        (0, ""),
        "{}",
        again.traces()
    );
    let waited = run(&moto, "rack wait", name).await;
    assert_eq!(waited.code(), 0, "{}", waited.traces());
    assert_eq!(waited.stdout(), "Waiting for rack... \nOK\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_moto_racks_are_listed_and_no_other_stack() {
    let Some(moto) = Emulator::find("CONVOX_TEST_MOTO").await else {
        return;
    };
    let name = "params-racks";
    moto.create(name, "params-racks-k1", "no").await;
    settled(&moto.rack(name, KeyStoreChoice::Settings).await).await;
    moto.create_no_rack("params-no-rack").await;

    // Other tests make racks of their own meanwhile.
    let table = begin(&moto, &["racks"]).await;
    assert_eq!(table.code(), 0, "{}", table.traces());
    let rows: Vec<String> = table
        .stdout()
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(rows[0], "NAME STATUS VIA");
    let ours = format!("{name} running aws us-east-1");
    assert!(rows.contains(&ours), "{rows:?}");
    assert!(!table.stdout().contains("params-no-rack"), "{rows:?}");

    let listing = begin(&moto, &["racks", "--output", "json"]).await;
    assert_eq!(listing.code(), 0, "{}", listing.traces());
    let ours = listed(&listing)
        .into_iter()
        .find(|rack| rack["name"] == name)
        .unwrap();
    let expected = json!({
        "name": name, "status": "running", "via": "aws", "place": "us-east-1",
    });
    assert_eq!(ours, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_moto_instances_are_listed_and_terminated() {
    let Some(moto) = Emulator::find("CONVOX_TEST_MOTO").await else {
        return;
    };
    let name = "params-instances";
    moto.create(name, "params-instances-k1", "no").await;
    settled(&moto.rack(name, KeyStoreChoice::Settings).await).await;
    let listing = run(&moto, "instances --output json", name).await;
    let instances = listed(&listing);
    assert_eq!(instances.len(), 3, "{}", listing.traces());
    for instance in &instances {
        assert_eq!(instance["key-name"], "params-instances-k1");
        assert_eq!(instance["status"], "", "the stack has no cluster");
        assert!(
            instance["private-ip"]
                .as_str()
                .is_some_and(|ip| !ip.is_empty())
        );
    }
    let table = run(&moto, "instances --keys", name).await.stdout();
    assert!(table.starts_with("ID "), "{table}");
    assert!(table.lines().next().unwrap().ends_with("KEY"), "{table}");

    let stranger = run(&moto, "instances terminate i-0123456789abcdef0", name).await;
    assert_eq!(stranger.code(), 1);
    let gone = instances[0]["id"].as_str().unwrap();
    let line = format!("instances terminate {gone}");
    let terminated = run(&moto, &line, name).await;
    assert_eq!(terminated.code(), 0, "{}", terminated.traces());
    assert_eq!(terminated.stdout(), "Terminating instance... OK\n");
    let left = listed(&run(&moto, "instances --output json", name).await);
    assert_eq!(left.len(), 3, "the group keeps its size: {left:?}");
    assert!(
        left.iter().all(|instance| instance["id"] != gone),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_ministack_somebody_elses_rollback_is_waited_for_and_told() {
    let Some(ministack) = Emulator::find("CONVOX_TEST_MINISTACK").await else {
        return;
    };
    let name = "params-wait";
    ministack.create(name, "params-wait-k1", "yes").await;
    let rack = ministack.rack(name, KeyStoreChoice::Settings).await;
    let before = settled(&rack).await;
    let update = update_of(&before, &[("Key", "params-wait-k2")]);
    rack.stacks.update(&update).await.unwrap();
    at_the_gate(&rack).await;

    let busy = run(&ministack, "rack params set Size=2", name).await;
    assert_eq!(busy.code(), 7, "{}", busy.traces());
    let waiting = begin(
        &ministack,
        &["rack", "wait", "--output", "json", "--rack", name],
    );
    ministack.signal(name, "FAILURE").await;
    let waited = waiting.await;
    assert_eq!(waited.code(), 3, "{}", waited.traces());
    let last = waited.last_event();
    assert_eq!(last["data"]["outcome"], "rolled_back", "{last}");
    assert_eq!(
        last["data"]["first_failure"]["logical_id"], "Rolled",
        "{last}"
    );
    // At rest, it is told the same.
    let late = run(&ministack, "rack wait", name).await;
    assert_eq!(late.code(), 3, "{}", late.traces());
}
