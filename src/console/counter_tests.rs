use std::collections::BTreeMap;

use super::*;

const MINUTE: i64 = 60_000;

/// Adds up what batches hold: verifications in sums, single ones, and the last use of each key.
fn added(batches: &[Batch]) -> (i64, usize, BTreeMap<String, i64>) {
    let sums = batches.iter().flat_map(|batch| batch.minutes.values());
    let events = batches.iter().map(|batch| batch.events.len()).sum();
    let uses = batches.iter().flat_map(|batch| batch.uses.clone());
    (sums.map(|tally| tally.count).sum(), events, uses.collect())
}

/// Takes what was counted, as if nothing had been written down before.
fn take(counter: &Counter) -> Vec<Batch> {
    counter.take(&Written::default())
}

#[test]
fn what_is_counted_is_taken_once() {
    let counter = Counter::new(Entropy::seeded(2));
    let tags = ["b".to_owned(), "a".to_owned()];
    let turned = ["a".to_owned(), "b".to_owned()];
    counter.count(&KeyFacts::plain("key_1"), Code::Valid, &tags, 2, MINUTE + 5);
    counter.count(
        &KeyFacts::plain("key_1"),
        Code::Valid,
        &turned,
        3,
        MINUTE + 1,
    );
    counter.count(&KeyFacts::plain("key_1"), Code::Valid, &tags, 0, 2 * MINUTE);
    counter.count(
        &KeyFacts::plain("key_1"),
        Code::Expired,
        &tags,
        0,
        3 * MINUTE,
    );
    counter.used("key_root", 7);
    let batches = take(&counter);
    let [batch] = batches.as_slice() else {
        panic!("{batches:#?}");
    };
    assert_eq!(batch.series.len(), 2, "by outcome");
    let tallies: Vec<_> = batch
        .minutes
        .iter()
        .map(|((at, _), tally)| (*at, *tally))
        .collect();
    let tally = |count, spent, last| Tally { count, spent, last };
    assert_eq!(
        tallies,
        [
            (MINUTE, tally(2, 5, MINUTE + 5)),
            (2 * MINUTE, tally(1, 0, 2 * MINUTE)),
            (3 * MINUTE, tally(1, 0, 3 * MINUTE)),
        ]
    );
    assert_eq!(batch.events.len(), 4);
    let uses = [("key_1".to_owned(), 3 * MINUTE), ("key_root".to_owned(), 7)];
    assert_eq!(batch.uses, BTreeMap::from(uses));
    assert!(take(&counter).is_empty());
}

#[test]
fn batches_are_small() {
    let counter = Counter::new(Entropy::seeded(2));
    for number in 0..1000 {
        counter.count(
            &KeyFacts::plain(&format!("key_{number}")),
            Code::Valid,
            &[],
            0,
            MINUTE,
        );
    }
    for _ in 0..1000 {
        counter.count(&KeyFacts::plain("key_0"), Code::Valid, &[], 0, MINUTE);
    }
    let batches = take(&counter);
    for batch in &batches {
        assert!(
            batch.minutes.len() <= SUMS_AT_ONCE,
            "{}",
            batch.minutes.len()
        );
        assert!(
            batch.events.len() <= EVENTS_AT_ONCE,
            "{}",
            batch.events.len()
        );
    }
    let (sums, events, uses) = added(&batches);
    assert_eq!((sums, events, uses.len()), (2000, 2000, 1000));
}

#[test]
fn where_there_is_no_room_single_ones_are_dropped_and_sums_are_not() {
    let counter = Counter::new(Entropy::seeded(2));
    let many = i64::try_from(EVENTS).unwrap() + 10;
    for at in 0..many {
        counter.count(&KeyFacts::plain("key_1"), Code::Valid, &[], 1, at);
    }
    assert_eq!((counter.take_dropped(), counter.take_dropped()), (10, 0));
    let (sums, events, _) = added(&take(&counter));
    assert_eq!((sums, events), (many, EVENTS));
    // There is room again.
    counter.count(&KeyFacts::plain("key_1"), Code::Valid, &[], 1, many);
    assert_eq!((counter.take_dropped(), added(&take(&counter)).1), (0, 1));
}

#[tokio::test]
async fn what_could_not_be_written_is_written_the_next_time_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    let clock = Clock::system();
    let counter = Counter::new(Entropy::seeded(2));
    for number in 0..300 {
        counter.count(
            &KeyFacts::plain(&format!("key_{number}")),
            Code::Valid,
            &[],
            1,
            MINUTE,
        );
    }
    counter.used("key_root", 7);
    // There are no tables yet.
    counter.write(&store, &clock).await.unwrap_err();
    counter.count(&KeyFacts::plain("key_0"), Code::Valid, &[], 1, MINUTE + 9);
    let leaving = counter.leaving.lock().await.batches.clone();
    let leaving: Vec<_> = leaving
        .iter()
        .map(|counted| (*counted.batch).clone())
        .collect();
    let (sums, events, uses) = added(&leaving);
    assert_eq!((sums, events, uses["key_root"]), (300, 300, 7));
    store.migrate().await.unwrap();
    let again = counter.leaving.lock().await.batches.clone();
    counter.write(&store, &clock).await.unwrap();
    assert!(counter.leaving.lock().await.batches.is_empty() && take(&counter).is_empty());
    // As if the answer that they are kept had been lost.
    store.keep_counted(again).await.unwrap();
    let mut kept = 0;
    while store.add_up(0).await.unwrap() {
        kept += 1;
    }
    assert_eq!(kept, 4, "300 sums are 3 batches, and one came later");
}

#[tokio::test]
async fn what_is_written_is_added_up_at_once_unless_it_is_much() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("console.db");
    let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
    store.migrate().await.unwrap();
    let counter = Counter::new(Entropy::seeded(2));
    let written = counter.written();
    let is_told = || std::pin::pin!(written.notified()).as_mut().enable();
    for (keys, told) in [(0, false), (1, true), (ENOUGH - 1, true), (ENOUGH, false)] {
        for number in 0..keys {
            let key = KeyFacts::plain(&format!("key_{number}"));
            counter.count(&key, Code::Valid, &[], 0, MINUTE);
        }
        counter.write(&store, &Clock::system()).await.unwrap();
        assert_eq!(is_told(), told, "{keys}");
    }
    counter.used("key_root", MINUTE);
    counter.write(&store, &Clock::system()).await.unwrap();
    assert!(is_told(), "a root key's last use");
}

#[test]
fn many_sums_do_not_wait_for_the_time_to_be_written_down() {
    let counter = Counter::new(Entropy::seeded(2));
    let enough = counter.enough();
    let is_told = || std::pin::pin!(enough.notified()).as_mut().enable();
    let count = |keys: std::ops::Range<usize>| {
        for number in keys {
            let key = KeyFacts::plain(&format!("key_{number}"));
            counter.count(&key, Code::Valid, &[], 0, MINUTE);
        }
    };
    for _ in 0..2 {
        count(0..ENOUGH - 1);
        // What is counted in a sum that is there takes no more room.
        count(0..ENOUGH - 1);
        assert!(!is_told());
        count(ENOUGH - 1..ENOUGH);
        assert!(is_told());
        // Once for all of them, and again for as many after they are gone.
        count(ENOUGH..ENOUGH + 9);
        assert!(!is_told());
        take(&counter);
    }
}
