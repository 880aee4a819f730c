//! What holds of any schedule at any time.

use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
];

fn minutes() -> impl Strategy<Value = Minute> {
    (0_u16..24, 0_u16..60).prop_filter_map("a time", |(hour, minute)| Minute::of(hour, minute))
}

fn windows() -> impl Strategy<Value = Window> {
    let days = prop::collection::vec(1_i8..=7, 1..7);
    let zones = prop::sample::select(&ZONES[..]);
    (days, minutes(), minutes(), zones).prop_filter_map("no span", |(days, from, to, zone)| {
        let days = days.into_iter().map(Weekday::from_monday_one_offset);
        let days: Vec<_> = days.map(Result::unwrap).collect();
        Window::new(Days::of(&days)?, from, to, Zone::named(zone)?).ok()
    })
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let every = prop_oneof![1_u16..40, 1..=LONGEST];
    (every, prop::option::of(windows()), any::<bool>()).prop_map(|(every, window, in_freeze)| {
        Schedule {
            every,
            window,
            in_freeze,
        }
    })
}

/// Times of about thirty years, many of them near the leaps of 2026.
fn times() -> impl Strategy<Value = Timestamp> {
    let leaps = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-03T15:30:00Z",
    ];
    let leaps = leaps.map(|leap| leap.parse::<Timestamp>().unwrap().as_second());
    let near = (prop::sample::select(leaps.to_vec()), -90_000_i64..90_000);
    prop_oneof![
        1_300_000_000_i64..2_300_000_000,
        near.prop_map(|(leap, off)| leap + off),
    ]
    .prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn freezes() -> impl Strategy<Value = Vec<Freeze>> {
    let freeze = (times(), 1_i64..40_000_000).prop_map(|(from, span)| Freeze {
        from,
        to: from + SignedDuration::from_secs(span),
    });
    prop::collection::vec(freeze, 0..4)
}

/// Tells whether rolls may begin at `at`, by looking at the days around it.
fn is_open(schedule: &Schedule, at: Timestamp) -> bool {
    let Some(window) = &schedule.window else {
        return true;
    };
    let today = at.to_zoned(window.zone().rules().clone()).date();
    let days = [today.yesterday().unwrap(), today];
    let spans = days.iter().filter_map(|day| window.on(*day));
    spans
        .into_iter()
        .any(|(start, end)| start <= at && at < end)
}

proptest! {
    #[test]
    fn a_schedule_is_read_back_as_the_same(schedule in schedules()) {
        prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(every )?[0-9a-zA-Z:,/ -]{0,40}") {
        let _ = text.parse::<Schedule>();
    }

    #[test]
    fn a_roll_begins_in_an_open_window_and_in_no_freeze(
        schedule in schedules(), since in times(), now in times(), freezes in freezes(),
    ) {
        let past = Past { since, tried: None };
        if let Some(next) = next_roll(&schedule, past, now, &freezes) {
            prop_assert!(next >= now);
            prop_assert!(is_open(&schedule, next), "{schedule}: {next}");
            let frozen = freezes.iter().any(|it| it.from <= next && next < it.to);
            prop_assert!(schedule.in_freeze || !frozen, "{schedule}: {next}");
            // Never younger than it may become, but for the hours of a day.
            let age = next.duration_since(since);
            let least = SignedDuration::from_hours(24 * i64::from(schedule.every) - 48);
            prop_assert!(age > least, "{schedule}: {age}");
        }
    }

    #[test]
    fn asked_again_when_it_is_due_it_is_due(
        schedule in schedules(), since in times(), now in times(), freezes in freezes(),
    ) {
        let past = Past { since, tried: None };
        if let Some(next) = next_roll(&schedule, past, now, &freezes) {
            prop_assert_eq!(next_roll(&schedule, past, next, &freezes), Some(next));
        }
    }

    #[test]
    fn no_time_before_it_was_open(
        schedule in schedules(), since in times(), now in times(), part in 0.0..1.0_f64,
    ) {
        let past = Past { since, tried: None };
        let next = next_roll(&schedule, past, now, &[]).unwrap();
        let between = now + next.duration_since(now).mul_f64(part);
        let then = next_roll(&schedule, past, between, &[]);
        prop_assert_eq!(then, Some(next), "{} {}", schedule, between);
    }

    #[test]
    fn once_tried_it_is_left_alone_until_the_window_is_over(
        schedule in schedules(), since in times(), now in times(), later in 0_i64..600,
    ) {
        let first = next_roll(&schedule, Past { since, tried: None }, now, &[]).unwrap();
        let past = Past { since, tried: Some(first) };
        let now = first + SignedDuration::from_secs(later);
        let again = next_roll(&schedule, past, now, &[]).unwrap();
        prop_assert!(again > first);
        if let Some(window) = &schedule.window {
            let today = first.to_zoned(window.zone().rules().clone()).date();
            for day in [today.yesterday().unwrap(), today] {
                let of_first = window.on(day).filter(|(start, end)| *start <= first && first < *end);
                // Windows of following days may overlap; the later one is another.
                if let Some((start, end)) = of_first {
                    let is_only = window.on(day.tomorrow().unwrap()).is_none_or(|it| it.0 >= end);
                    prop_assert!(!is_only || again >= end || again < start, "{schedule}: {again}");
                }
            }
        }
    }
}
