//! Rolls that begin by themselves.

use std::time::Duration;

use convox::clock::Clock;
use convox::console::schedule::Schedule;
use convox::store::{RackKeyKind, RackRecord, RollRow};
use jiff::Timestamp;

use crate::environment::{Console, on_both_at};

/// A Monday, when nothing is to begin.
const MONDAY: &str = "2026-11-23T12:00:00Z";
const WEEKLY: &str = "every day, Tue 03:00-05:00 UTC";

/// Runs a test on every database, with a server whose time begins on that Monday.
pub async fn from_monday(scenario: &str, test: impl AsyncFn(&Console)) {
    let monday = || Clock::starting_at(MONDAY.parse().unwrap(), 1.0);
    on_both_at(&monday, scenario, test).await;
}

impl Console {
    async fn record(&self) -> RackRecord {
        self.store.rack(&self.rack).await.unwrap()
    }

    /// Sets a schedule of the rack's SSH key.
    pub async fn schedule(&self, sentence: &str) {
        let schedule: Schedule = sentence.parse().unwrap();
        let by = self.by(&self.acme, 1);
        let (rack, key) = (self.record().await, RackKeyKind::Ssh);
        let set = self.service.set_schedule(&rack, key, Some(&schedule), by);
        assert!(set.await.unwrap());
    }

    /// Sets the server's time forward, and has it look whether it is time.
    pub async fn at(&self, time: &str) {
        let time: Timestamp = time.parse().unwrap();
        let ahead = time.duration_since(self.clock.now());
        self.clock.set_forward(ahead.try_into().unwrap());
        self.service.begin_due_rolls().await.unwrap();
    }

    async fn rolls(&self) -> Vec<RollRow> {
        self.store.rolls(&self.rack, 10).await.unwrap()
    }

    /// Waits until the last of so many rolls has ended, and returns it.
    async fn last_of(&self, count: usize) -> RollRow {
        for _ in 0..6000 {
            let rolls = self.rolls().await;
            assert!(rolls.len() <= count, "{rolls:?}");
            if rolls.len() == count && rolls[0].ended_at.is_some() {
                return rolls.into_iter().next().unwrap();
            }
            self.racks.clock.sleep(Duration::from_secs(5)).await;
        }
        panic!("the roll does not end");
    }

    /// Returns when the rack's SSH key is rolled next.
    async fn next(&self) -> String {
        let rack = self.record().await;
        let next = self.service.next_roll(&rack, RackKeyKind::Ssh);
        next.await.unwrap().unwrap().to_string()
    }

    async fn told(&self, words: &str) -> Vec<(String, String)> {
        let audited = self.audited().await.into_iter();
        audited.filter(|(_, told)| told.contains(words)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rolled_in_its_window_and_once() {
    from_monday("success", async |console: &Console| {
        console.schedule(WEEKLY).await;
        assert_eq!(console.next().await, "2026-11-24T03:00:00Z");
        for early in ["2026-11-23T13:00:00Z", "2026-11-24T02:59:00Z"] {
            console.at(early).await;
            assert_eq!(console.rolls().await, []);
        }
        console.at("2026-11-24T03:10:00Z").await;
        let roll = console.last_of(1).await;
        let scheduled = console.store.schedule(&console.rack, "ssh").await.unwrap();
        assert_eq!(roll.schedule, Some(scheduled.unwrap().id.clone()));
        assert_eq!(roll.person, None);
        let report = roll.report.unwrap();
        assert!(report.contains("\"outcome\":\"done\""), "{report}");
        let began = console.told("Began to roll the ssh key").await;
        assert_eq!(began.len(), 1);
        assert_eq!(began[0].0, "system");
        // Neither later in the window, nor when it is closed.
        for late in ["2026-11-24T03:20:00Z", "2026-11-24T05:00:00Z"] {
            console.at(late).await;
            assert_eq!(console.rolls().await.len(), 1);
        }
        assert_eq!(console.next().await, "2026-12-01T03:00:00Z");
        console.at("2026-12-01T03:00:00Z").await;
        console.last_of(2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_one_begins_it() {
    from_monday("success", async |console: &Console| {
        console.schedule("every day, also in a freeze").await;
        let mut servers = vec![console.service.clone()];
        for _ in 0..4 {
            // A file has one server, which may look at all again before it has begun.
            let other = match console.books().for_another().await {
                Some(books) => books.service(console.racks.clone(), &console.clock).await,
                None => console.service.clone(),
            };
            servers.push(other);
        }
        console.clock.set_forward(Duration::from_hours(48));
        let looking = servers.iter().map(|server| server.begin_due_rolls());
        for looked in futures_util::future::join_all(looking).await {
            looked.unwrap();
        }
        console.last_of(1).await;
        assert_eq!(console.told("could not begin").await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_in_the_next_window() {
    from_monday("failure-signal", async |console: &Console| {
        console.schedule(WEEKLY).await;
        console.at("2026-11-24T03:10:00Z").await;
        let report = console.last_of(1).await.report.unwrap();
        assert!(report.contains("\"outcome\":\"rolled_back\""), "{report}");
        assert_eq!(console.next().await, "2026-12-01T03:00:00Z");
        for late in ["2026-11-24T03:30:00Z", "2026-11-25T03:30:00Z"] {
            console.at(late).await;
            assert_eq!(console.rolls().await.len(), 1);
        }
        console.at("2026-12-01T04:59:00Z").await;
        console.last_of(2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_and_left_alone_until_the_next_window() {
    from_monday("group-without-room", async |console: &Console| {
        console.schedule(WEEKLY).await;
        for time in ["2026-11-24T03:10:00Z", "2026-11-24T03:30:00Z"] {
            console.at(time).await;
            assert_eq!(console.rolls().await, []);
            let told = console
                .told("The roll that was scheduled could not begin: ")
                .await;
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].0, "system");
        }
        console.at("2026-12-01T03:10:00Z").await;
        assert_eq!(console.told("could not begin: ").await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_in_a_freeze_or_beside_another_roll() {
    from_monday("success", async |console: &Console| {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let (from, to) = (at(MONDAY), at("2026-11-30T00:00:00Z"));
        let by = console.by(&console.acme, 1);
        let freeze = console
            .store
            .add_freeze(from, to, "sales", by)
            .await
            .unwrap();
        console.schedule(WEEKLY).await;
        assert_eq!(console.next().await, "2026-12-01T03:00:00Z");
        console.at("2026-11-24T03:10:00Z").await;
        assert_eq!(console.rolls().await, []);
        let by = console.by(&console.acme, 1);
        let removed = console.store.remove_freeze(&freeze.id, by);
        removed.await.unwrap();
        // Somebody else rolls it just now.
        let ada = console.operator().await;
        let asked = ada.ask(reqwest::Method::POST, "/instances/keyroll", None);
        assert_eq!(asked.await.told(), (200, "ok\n"));
        console.at("2026-11-24T03:12:00Z").await;
        let roll = console.last_of(1).await;
        assert_eq!((roll.schedule, roll.person), (None, Some(ada.id)));
        assert_eq!(console.told("could not begin").await, []);
        // That was a roll like any other.
        console.at("2026-11-24T03:20:00Z").await;
        assert_eq!(console.next().await, "2026-12-01T03:00:00Z");
        assert_eq!(console.rolls().await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rack_says_how_old_its_key_is() {
    from_monday("success", async |console: &Console| {
        // The console knows the rack since 1970, and its key pair was made when the sandbox was.
        console.schedule("every 30 days").await;
        assert_eq!(console.next().await[..10], MONDAY[..10]);
        console.at("2026-11-24T03:10:00Z").await;
        assert_eq!(console.rolls().await, []);
        let row = console.store.schedule(&console.rack, "ssh").await.unwrap();
        let since = row.unwrap().key_since.unwrap();
        let since = Timestamp::from_millisecond(since).unwrap().to_string();
        assert!(since.starts_with("2026-11-15T02:"), "{since}");
        assert!(console.next().await.starts_with("2026-12-15T02:"));
        console.at("2026-12-15T03:00:00Z").await;
        console.last_of(1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_rolled_by_itself_too() {
    from_monday("success", async |console: &Console| {
        let schedule: Schedule = "every day".parse().unwrap();
        let (rack, key) = (console.record().await, RackKeyKind::Api);
        let by = console.by(&console.acme, 1);
        let set = console
            .service
            .set_schedule(&rack, key, Some(&schedule), by);
        assert!(set.await.unwrap());
        console.at("2026-11-24T03:10:00Z").await;
        let roll = console.last_of(1).await;
        assert_eq!(roll.key_kind, "api");
        let report = roll.report.unwrap();
        assert!(report.contains("\"outcome\":\"done\""), "{report}");
        assert!(console.record().await.password.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_that_is_forgotten_has_no_schedule_and_others_are_not_touched() {
    from_monday("success", async |console: &Console| {
        let other = console.organization("globex").await;
        let theirs = console.add_rack(&other, "prod").await;
        console.schedule(WEEKLY).await;
        // Nobody sets a schedule of another organization's rack.
        let by = console.by(&console.acme, 1);
        let set = console.store.set_schedule(&theirs, "ssh", "every day", by);
        assert!(set.await.is_err());
        let by = || console.by(&console.acme, 2);
        let again = console
            .store
            .set_schedule(&console.rack, "ssh", "every day", by());
        assert!(again.await.unwrap());
        let same = console
            .store
            .set_schedule(&console.rack, "ssh", "every day", by());
        assert!(!same.await.unwrap());
        console
            .store
            .forget_rack(&console.rack, by())
            .await
            .unwrap();
        assert_eq!(console.store.schedules(&console.acme).await.unwrap(), []);
        let later = console.clock.now().as_millisecond() + 100_000_000;
        let held = console.store.hold_schedule(later, later + 1).await;
        assert_eq!(held.unwrap(), None);
    })
    .await;
}
