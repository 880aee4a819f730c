//! Rolls as rows: one process at a time is at work on each, and who is not any more writes nothing.

use convox::store::{Cause, NewRoll, RackKeyChange, RollRow, StoreError};

use crate::environment::{Books, on_stores};

const ID: &str = "01kb2q5z8g000001";

async fn begin(books: &Books, id: &str, lease_until: i64) -> Result<(), StoreError> {
    let new = NewRoll {
        id: id.to_owned(),
        rack: books.rack.clone(),
        key_kind: "ssh",
        person: None,
        plan: "{}".to_owned(),
        cause: Cause::Asked,
    };
    let by = books.by(&books.acme, 1);
    books.store.begin_roll(new, lease_until, by).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_has_one_roll_at_a_time() {
    on_stores(async |books: &Books| {
        let store = &books.store;
        let rack = store.rack(&books.rack).await.unwrap();
        let never = i64::MAX;
        begin(books, ID, never).await.unwrap();
        let second = begin(books, "01kb2q5z8g000002", never).await;
        let told = format!("roll {ID} of the rack is under way");
        assert!(matches!(second, Err(StoreError::Unfit(it)) if it == told));
        let forgotten = store
            .forget_rack(&books.rack, books.by(&books.acme, 5))
            .await;
        assert!(matches!(forgotten, Err(StoreError::Unfit(it)) if it == told));
        let ended = store.end_roll(
            ID,
            1,
            "{}".to_owned(),
            &rack,
            "done",
            books.by(&books.acme, 6),
        );
        assert!(ended.await.unwrap());
        begin(books, "01kb2q5z8g000003", never).await.unwrap();
        let rolls = store.rolls(&books.rack, 10).await.unwrap();
        let ids: Vec<_> = rolls.iter().map(|roll| roll.id.as_str()).collect();
        assert_eq!(ids, ["01kb2q5z8g000003", ID], "the newest first");
        let end = store.end_roll(
            "01kb2q5z8g000003",
            1,
            "{}".to_owned(),
            &rack,
            "done",
            books.by(&books.acme, 7),
        );
        assert!(end.await.unwrap());
        store
            .forget_rack(&books.rack, books.by(&books.acme, 8))
            .await
            .unwrap();
        let gone = begin(books, "01kb2q5z8g000004", never).await;
        assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_a_roll_one_gets_it_and_the_one_before_writes_nothing_more() {
    on_stores(async |books: &Books| {
        let store = &books.store;
        let rack = store.rack(&books.rack).await.unwrap();
        begin(books, ID, 100).await.unwrap();
        assert!(
            store
                .write_roll_line(ID, 1, "one".to_owned())
                .await
                .unwrap()
        );
        assert!(
            store.claim_roll(99, 200).await.unwrap().is_none(),
            "the lease holds"
        );
        assert!(store.renew_roll(ID, 1, 150).await.unwrap());
        assert!(store.claim_roll(149, 200).await.unwrap().is_none());
        let mut claims = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            claims.spawn(async move { store.claim_roll(150, 250).await.unwrap() });
        }
        let claimed: Vec<RollRow> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 1);
        assert_eq!((claimed[0].term, claimed[0].lease_until), (2, 250));
        let late = vec!["late".to_owned()];
        assert!(
            !store
                .write_roll_line(ID, 1, "late".to_owned())
                .await
                .unwrap()
        );
        assert!(!store.write_roll_events(ID, 1, late).await.unwrap());
        assert!(!store.renew_roll(ID, 1, 300).await.unwrap());
        let end = store.end_roll(
            ID,
            1,
            "{}".to_owned(),
            &rack,
            "done",
            books.by(&books.acme, 3),
        );
        assert!(!end.await.unwrap());
        assert!(
            store
                .write_roll_line(ID, 2, "two".to_owned())
                .await
                .unwrap()
        );
        let events = vec!["a".to_owned(), "b".to_owned()];
        assert!(store.write_roll_events(ID, 2, events).await.unwrap());
        assert!(
            store
                .write_roll_events(ID, 2, vec!["c".to_owned()])
                .await
                .unwrap()
        );
        assert_eq!(store.roll_lines(ID).await.unwrap(), ["one", "two"]);
        assert_eq!(store.roll_events(ID, 1).await.unwrap(), ["b", "c"]);
        let end = store.end_roll(
            ID,
            2,
            "{}".to_owned(),
            &rack,
            "done",
            books.by(&books.acme, 4),
        );
        assert!(end.await.unwrap());
        assert!(
            !store
                .write_roll_line(ID, 2, "after".to_owned())
                .await
                .unwrap()
        );
        assert!(store.claim_roll(1000, 2000).await.unwrap().is_none());
        let roll = store.roll(ID).await.unwrap();
        assert_eq!(
            (roll.ended_at, roll.report.as_deref()),
            (Some(4), Some("{}"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_is_given_up_is_nobodys_and_its_key_is_forgotten() {
    on_stores(async |books: &Books| {
        let store = &books.store;
        begin(books, ID, i64::MAX).await.unwrap();
        let staged = RackKeyChange::Stage(books.sealed("new").await);
        let by = || books.by(&books.acme, 2);
        let change = store.change_rack_key(&books.rack, (ID, 1), staged, by());
        change.await.unwrap();
        assert!(store.rack(&books.rack).await.unwrap().next.is_some());
        let other = store.create_workspace("globex", 1).await.unwrap().id;
        let not_theirs = store.give_up_roll(ID, books.by(&other, 3)).await;
        assert!(matches!(not_theirs, Err(StoreError::NotFound(_))));
        store.give_up_roll(ID, by()).await.unwrap();
        assert_eq!(store.rack(&books.rack).await.unwrap().next, None);
        assert!(
            !store
                .write_roll_line(ID, 1, "late".to_owned())
                .await
                .unwrap()
        );
        let late = RackKeyChange::Promote(books.sealed("late").await);
        let change = store
            .change_rack_key(&books.rack, (ID, 1), late, by())
            .await;
        assert!(matches!(change, Err(StoreError::Conflict)), "{change:?}");
        assert!(store.rack(&books.rack).await.unwrap().password.is_none());
        let again = store.give_up_roll(ID, by()).await;
        assert!(matches!(again, Err(StoreError::NotFound(_))));
        begin(books, "01kb2q5z8g000002", i64::MAX).await.unwrap();
    })
    .await;
}
