//! Waves over many racks, each in an account of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use convox::clock::Clock;
use convox::console::schedule::Glob;
use convox::console::{FoundRack, RackFinder, Service, Wave, begin_wave};
use convox::rack::PortError;
use convox::store::{
    RackKeyKind, RackRecord, RollRow, WaveRack, WaveRackState, WaveRow, WaveSchedule,
};
use jiff::Timestamp;

use crate::environment::{Books, Racks, on_stores};

/// Racks by their names.
#[derive(Clone)]
struct Many(BTreeMap<String, Racks>);

#[async_trait]
impl RackFinder for Many {
    async fn find(&self, record: &RackRecord) -> Result<FoundRack, PortError> {
        let racks = &self.0[&record.name];
        Ok(FoundRack {
            rack: racks.rack.clone(),
            clock: racks.clock.clone(),
        })
    }
}

/// Servers of a database, with racks.
struct Fleet<'b> {
    books: &'b Books,
    clock: Clock,
    /// One, or several where the database lets them.
    servers: Vec<Service>,
}

impl<'b> Fleet<'b> {
    /// Starts servers of racks of those names and scenarios; it is a Monday.
    async fn of(books: &'b Books, racks: &[(&str, &str)]) -> Self {
        let mut many = BTreeMap::new();
        for (name, scenario) in racks {
            books.add_rack(&books.acme, name).await;
            many.insert((*name).to_owned(), Racks::new(scenario).await);
        }
        let clock = Clock::starting_at("2026-11-23T12:00:00Z".parse().unwrap(), 1.0);
        let mut servers = vec![books.service(Many(many.clone()), &clock).await];
        while servers.len() < 3
            && let Some(books) = books.for_another().await
        {
            servers.push(books.service(Many(many.clone()), &clock).await);
        }
        Self {
            books,
            clock,
            servers,
        }
    }

    async fn begin(&self, racks: &str, canary: Option<&str>, concurrency: u16) -> String {
        let wave = Wave {
            key: RackKeyKind::Ssh,
            racks: vec![Glob::new(racks)],
            canary: canary.map(str::to_owned),
            concurrency,
        };
        let by = self.books.by(&self.books.acme, 1);
        begin_wave(&self.books.store, &wave, None, by)
            .await
            .unwrap()
    }

    async fn wave(&self, id: &str) -> (WaveRow, Vec<WaveRack>) {
        let store = &self.books.store;
        store.wave(&self.books.acme, id).await.unwrap()
    }

    /// Waits until a wave is as it is to be.
    async fn until(&self, id: &str, is_so: impl Fn(&WaveRow, &[WaveRack]) -> bool) -> Ended {
        for _ in 0..2400 {
            let (wave, racks) = self.wave(id).await;
            if is_so(&wave, &racks) {
                let mut rolls = Vec::new();
                for rack in &racks {
                    if let Some(roll) = &rack.roll {
                        rolls.push(self.books.store.roll(roll).await.unwrap());
                    }
                }
                return Ended { wave, racks, rolls };
            }
            self.clock.sleep(Duration::from_millis(50)).await;
        }
        panic!("{:#?}", self.wave(id).await);
    }

    async fn ended(&self, id: &str) -> Ended {
        self.until(id, |wave, _| wave.ended_at.is_some()).await
    }

    fn set(&self, time: &str) {
        let time: Timestamp = time.parse().unwrap();
        let ahead = time.duration_since(self.clock.now());
        self.clock.set_forward(ahead.try_into().unwrap());
    }

    async fn told(&self, event: &str) -> Vec<String> {
        let store = &self.books.store;
        let events = store.audit_events(&self.books.acme, None, 1000).await;
        let events = events.unwrap().into_iter();
        let of = events.filter(|it| it.event == event && it.actor == "system");
        of.map(|it| it.description).collect()
    }
}

/// A wave, its racks, and their rolls in the same order.
struct Ended {
    wave: WaveRow,
    racks: Vec<WaveRack>,
    rolls: Vec<RollRow>,
}

impl Ended {
    /// Returns each rack's name, and the first letters of how it stands.
    fn states(&self) -> Vec<(&str, &str)> {
        let state = |rack: &WaveRack| match rack.state {
            WaveRackState::Waiting => "waiting",
            WaveRackState::Rolling => "rolling",
            WaveRackState::Left(_) => "left",
            WaveRackState::Done => "done",
            WaveRackState::Failed(_) => "failed",
        };
        let racks = self.racks.iter();
        racks
            .map(|rack| (rack.name.as_str(), state(rack)))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_is_first_and_the_others_come_so_many_at_once() {
    on_stores(async |books: &Books| {
        let racks = ["a", "b", "c", "d"].map(|name| (name, "success"));
        let fleet = Fleet::of(books, &racks).await;
        let wave = fleet.begin("?", Some("c"), 2).await;
        let ended = fleet.ended(&wave).await;
        let done = ["c", "a", "b", "d"].map(|name| (name, "done"));
        assert_eq!(ended.states(), done);
        assert_eq!(ended.wave.stopped, None);
        let canary = &ended.rolls[0];
        for roll in &ended.rolls {
            assert_eq!(roll.wave, Some(wave.clone()));
            assert!(roll.id == canary.id || roll.created_at >= canary.ended_at.unwrap());
            // How many are under way when it begins.
            let beside = ended.rolls.iter().filter(|other| {
                other.created_at <= roll.created_at && roll.created_at < other.ended_at.unwrap()
            });
            assert!(beside.count() <= 2, "{:#?}", ended.rolls);
        }
        let told = format!("Wave {wave} ended: 4 of 4 racks");
        assert_eq!(fleet.told("wave.end").await, [told]);
        drop(fleet.servers);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_left_to_be_tried_again_stops_the_others() {
    on_stores(async |books: &Books| {
        let racks = [
            ("a", "replaces-nothing"),
            ("b", "success"),
            ("c", "success"),
        ];
        let fleet = Fleet::of(books, &racks).await;
        let wave = fleet.begin("?", Some("a"), 2).await;
        let stopped = |wave: &WaveRow, _: &[WaveRack]| wave.stopped.is_some();
        let stopped = fleet.until(&wave, stopped).await;
        let expected = [("a", "left"), ("b", "waiting"), ("c", "waiting")];
        assert_eq!(stopped.states(), expected);
        assert_eq!(stopped.wave.ended_at, None, "the roll of a is not over");
        drop(fleet.servers);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_fails_is_the_last_that_begins() {
    on_stores(async |books: &Books| {
        let racks = [("a", "success"), ("b", "failure-signal"), ("c", "success")];
        let fleet = Fleet::of(books, &racks).await;
        let wave = fleet.begin("?", None, 1).await;
        let ended = fleet.ended(&wave).await;
        let expected = [("a", "done"), ("b", "failed"), ("c", "waiting")];
        assert_eq!(ended.states(), expected);
        let why = ended.wave.stopped.unwrap();
        assert!(why.starts_with("b: "), "{why}");
        let told = format!("Stopped wave {wave}: {why}");
        assert_eq!(fleet.told("wave.stop").await, [told]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_refused_lets_nobody_else_begin() {
    on_stores(async |books: &Books| {
        let racks = [("a", "success"), ("z", "group-without-room")];
        let fleet = Fleet::of(books, &racks).await;
        let wave = fleet.begin("a", Some("z"), 5).await;
        let ended = fleet.ended(&wave).await;
        assert_eq!(ended.states(), [("z", "failed"), ("a", "waiting")]);
        assert_eq!(ended.rolls, []);
        assert!(ended.wave.stopped.unwrap().starts_with("z: "));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_that_is_stopped_ends_with_what_is_under_way() {
    on_stores(async |books: &Books| {
        let racks = ["a", "b"].map(|name| (name, "success"));
        let fleet = Fleet::of(books, &racks).await;
        let wave = fleet.begin("?", None, 1).await;
        let begun = |_: &WaveRow, racks: &[WaveRack]| racks[0].roll.is_some();
        fleet.until(&wave, begun).await;
        let by = || books.by(&books.acme, 2);
        books.store.stop_wave(&wave, "by ada", by()).await.unwrap();
        let ended = fleet.ended(&wave).await;
        assert_eq!(ended.states(), [("a", "done"), ("b", "waiting")]);
        assert!(books.store.stop_wave(&wave, "again", by()).await.is_err());
        let other = books.organization("globex").await;
        assert!(books.store.wave(&other, &wave).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_begins_by_itself_and_only_within_its_window() {
    on_stores(async |books: &Books| {
        let racks = ["a", "b"].map(|name| (name, "success"));
        let fleet = Fleet::of(books, &racks).await;
        let said = WaveSchedule {
            name: "all".to_owned(),
            key_kind: "ssh".to_owned(),
            racks: vec!["?".to_owned(), "none-*".to_owned()],
            canary: Some("b".to_owned()),
            concurrency: 1,
            sentence: "every 14 days, Tue 03:00-05:00 UTC, not in a freeze".to_owned(),
        };
        let by = books.by(&books.acme, 1);
        assert!(books.store.set_wave_schedule(said, by).await.unwrap());
        let look = async || {
            for server in &fleet.servers {
                server.begin_due_waves().await.unwrap();
            }
            books.store.waves(&books.acme, 10).await.unwrap()
        };
        assert_eq!(look().await, []);
        fleet.set("2026-11-24T04:00:00Z");
        let wave = look().await.remove(0).id;
        let canary_is_done = |_: &WaveRow, racks: &[WaveRack]| {
            racks
                .iter()
                .any(|it| it.is_canary && it.state == WaveRackState::Done)
        };
        // The window is over before it is the other's turn.
        let rolling = |_: &WaveRow, racks: &[WaveRack]| racks[0].roll.is_some();
        fleet.until(&wave, rolling).await;
        fleet.set("2026-11-24T05:00:00Z");
        fleet.until(&wave, canary_is_done).await;
        fleet.clock.set_forward(Duration::from_secs(10));
        for server in &fleet.servers {
            server.advance_waves().await.unwrap();
        }
        let states = fleet.until(&wave, |_, _| true).await;
        assert_eq!(states.states(), [("b", "done"), ("a", "waiting")]);
        // The next one is its turn, in the same wave.
        fleet.set("2026-12-01T03:30:00Z");
        assert_eq!(look().await.len(), 1);
        let ended = fleet.ended(&wave).await;
        assert_eq!(ended.states(), [("b", "done"), ("a", "done")]);
        fleet.set("2026-12-01T03:40:00Z");
        assert_eq!(look().await.len(), 1);
        // The canary is due again, and the other is not.
        fleet.set("2026-12-08T03:30:00Z");
        let second = look().await.remove(0).id;
        let ended = fleet.ended(&second).await;
        assert_eq!(ended.states(), [("b", "done")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_without_its_canary_does_not_begin() {
    on_stores(async |books: &Books| {
        let fleet = Fleet::of(books, &[("a", "success")]).await;
        let said = WaveSchedule {
            name: "all".to_owned(),
            key_kind: "ssh".to_owned(),
            racks: vec!["a".to_owned()],
            canary: Some("gone".to_owned()),
            concurrency: 1,
            sentence: "every day, not in a freeze".to_owned(),
        };
        let by = books.by(&books.acme, 1);
        books.store.set_wave_schedule(said, by).await.unwrap();
        for ahead in [0, 120] {
            fleet.clock.set_forward(Duration::from_secs(ahead));
            fleet.servers[0].begin_due_waves().await.unwrap();
            let told = "Wave all is due, and could not begin: no rack is called gone";
            assert_eq!(fleet.told("wave_schedule.failed").await, [told]);
        }
        assert_eq!(books.store.waves(&books.acme, 10).await.unwrap(), []);
    })
    .await;
}
