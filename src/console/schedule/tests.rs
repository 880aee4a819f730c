//! Sentences, and the days on which clocks leap.

use super::*;
use jiff::Timestamp;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn since(text: &str) -> Past {
    Past {
        since: at(text),
        tried: None,
    }
}

/// Returns when a key of so long ago is rolled, as a text.
fn next(sentence: &str, past: Past, now: &str, freezes: &[Freeze]) -> String {
    let next = next_roll(&schedule(sentence), past, at(now), freezes);
    next.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

#[test]
fn a_sentence_is_shown_as_it_is_read() {
    for (text, shown) in [
        ("every 90 days", "every 90 days, not in a freeze"),
        ("Every  day", "every day, not in a freeze"),
        ("every 2 weeks", "every 14 days, not in a freeze"),
        (
            "every week, also in a freeze",
            "every 7 days, also in a freeze",
        ),
        (
            "every 90 days, Tue 03:00-05:00 Europe/Paris, not in a freeze",
            "every 90 days, Tue 03:00-05:00 Europe/Paris, not in a freeze",
        ),
        (
            "every 7 days, tuesdays 3:00-5:00 europe/paris",
            "every 7 days, Tue 03:00-05:00 Europe/Paris, not in a freeze",
        ),
        (
            "every 30 days, Sat, Sun,Mon 22:00-00:00 UTC",
            "every 30 days, Mon,Sat,Sun 22:00-24:00 UTC, not in a freeze",
        ),
        (
            "every 30 days, Fri-Mon 22:00-02:30 America/New_York",
            "every 30 days, Mon,Fri-Sun 22:00-02:30 America/New_York, not in a freeze",
        ),
        (
            "every 30 days, 00:00-24:00 UTC",
            "every 30 days, daily 00:00-24:00 UTC, not in a freeze",
        ),
        (
            "every 30 days, Sun-Sat 24:00-06:00 UTC",
            "every 30 days, daily 00:00-06:00 UTC, not in a freeze",
        ),
    ] {
        let read = schedule(text);
        assert_eq!(read.to_string(), shown, "{text}");
        assert_eq!(schedule(shown), read, "{text}");
    }
}

#[test]
fn what_is_no_schedule_is_told_with_a_way_out() {
    for (text, told) in [
        ("", "`` does not say how often"),
        ("90 days", "`90 days` does not say how often"),
        ("every 3 months", "`every 3 months` does not say how often"),
        ("every few days", "`every few days` does not say how often"),
        ("every 0 days", "every 0 days is not from 1 to 3650"),
        ("every 600 weeks", "every 4200 days is not from 1 to 3650"),
        (
            "every day, Tu 03:00-05:00 UTC",
            "`Tu` is no day of the week",
        ),
        (
            "every day, Tue,Foo 03:00-05:00 UTC",
            "`Foo` is no day of the week",
        ),
        ("every day, Tue 3-5 UTC", "`3` is no time of the day"),
        ("every day, Tue 03:00 UTC", "`03:00` is no time of the day"),
        (
            "every day, Tue 03:00-24:01 UTC",
            "`24:01` is no time of the day",
        ),
        (
            "every day, Tue 03:60-05:00 UTC",
            "`03:60` is no time of the day",
        ),
        (
            "every day, Tue +3:00-05:00 UTC",
            "`+3:00` is no time of the day",
        ),
        (
            "every day, Tue 03:00-05:00",
            "`Tue 03:00-05:00` names no time zone",
        ),
        ("every day, 03:00-05:00", "`03:00-05:00` names no time zone"),
        (
            "every day, Tue 03:00-05:00 Paris",
            "there is no time zone `Paris`",
        ),
        (
            "every day, Tue 03:00-03:00 UTC",
            "the window ends at 03:00, where it begins",
        ),
        ("every day, in the night", "`in` is no day of the week"),
        ("every day, ", "`` is no window"),
        ("every day, at night", "`at night` is no window"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert_eq!(error.to_string(), told, "{text}");
        assert!(error.hint().len() > 10, "{text}");
    }
}

#[test]
fn a_roll_waits_for_age_and_window() {
    let weekly = "every 7 days, Tue 03:00-05:00 Europe/Paris";
    for (sentence, past, now, expected) in [
        // Not old enough, old enough, and overdue.
        (
            "every 90 days",
            "2026-01-01T12:00:00Z",
            "2026-02-01T00:00:00Z",
            "2026-04-01T12:00:00Z",
        ),
        (
            "every 90 days",
            "2026-01-01T12:00:00Z",
            "2026-06-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
        ),
        // 2026-03-03 is a Tuesday, and Paris is an hour ahead.
        (
            weekly,
            "2026-01-01T00:00:00Z",
            "2026-03-01T00:00:00Z",
            "2026-03-03T02:00:00Z",
        ),
        // In the middle of the window, at its end, and when it is over.
        (
            weekly,
            "2026-01-01T00:00:00Z",
            "2026-03-03T03:30:00Z",
            "2026-03-03T03:30:00Z",
        ),
        (
            weekly,
            "2026-01-01T00:00:00Z",
            "2026-03-03T03:59:59Z",
            "2026-03-03T03:59:59Z",
        ),
        (
            weekly,
            "2026-01-01T00:00:00Z",
            "2026-03-03T04:00:00Z",
            "2026-03-10T02:00:00Z",
        ),
        // A key that was rolled late in a window is due early in the next one.
        (
            weekly,
            "2026-03-03T03:59:00Z",
            "2026-03-03T05:00:00Z",
            "2026-03-10T02:00:00Z",
        ),
        // In summer Paris is two hours ahead.
        (
            weekly,
            "2026-03-24T02:00:00Z",
            "2026-03-24T05:00:00Z",
            "2026-03-31T01:00:00Z",
        ),
    ] {
        assert_eq!(
            next(sentence, since(past), now, &[]),
            expected,
            "{sentence} {now}"
        );
    }
}

#[test]
fn a_window_passes_midnight() {
    let nightly = "every day, Fri,Sat 23:00-01:00 UTC";
    // 2026-03-06 is a Friday.
    for (past, now, expected) in [
        (
            "2026-01-01T00:00:00Z",
            "2026-03-06T22:00:00Z",
            "2026-03-06T23:00:00Z",
        ),
        (
            "2026-01-01T00:00:00Z",
            "2026-03-07T00:30:00Z",
            "2026-03-07T00:30:00Z",
        ),
        (
            "2026-01-01T00:00:00Z",
            "2026-03-07T01:00:00Z",
            "2026-03-07T23:00:00Z",
        ),
        // What began on Saturday at 00:30 is of Friday's window.
        (
            "2026-03-07T00:30:00Z",
            "2026-03-07T00:40:00Z",
            "2026-03-07T23:00:00Z",
        ),
        (
            "2026-03-07T23:10:00Z",
            "2026-03-08T00:10:00Z",
            "2026-03-13T23:00:00Z",
        ),
    ] {
        assert_eq!(next(nightly, since(past), now, &[]), expected, "{now}");
    }
}

#[test]
fn a_window_is_right_on_days_when_clocks_leap() {
    for (window, day, expected) in [
        // Paris leaps from 02:00 to 03:00 on 2026-03-29, at 01:00Z.
        (
            "03:00-05:00 Europe/Paris",
            "2026-03-29",
            Some(("01:00", "03:00")),
        ),
        (
            "02:30-04:00 Europe/Paris",
            "2026-03-29",
            Some(("01:00", "02:00")),
        ),
        (
            "01:00-02:30 Europe/Paris",
            "2026-03-29",
            Some(("00:00", "01:00")),
        ),
        ("02:00-03:00 Europe/Paris", "2026-03-29", None),
        ("02:10-02:50 Europe/Paris", "2026-03-29", None),
        // It goes back from 03:00 to 02:00 on 2026-10-25, at 01:00Z.
        (
            "03:00-05:00 Europe/Paris",
            "2026-10-25",
            Some(("02:00", "04:00")),
        ),
        (
            "02:00-03:00 Europe/Paris",
            "2026-10-25",
            Some(("00:00", "02:00")),
        ),
        (
            "01:00-02:30 Europe/Paris",
            "2026-10-25",
            Some(("23:00", "00:30")),
        ),
        (
            "02:30-04:00 Europe/Paris",
            "2026-10-25",
            Some(("00:30", "03:00")),
        ),
        // Lord Howe Island leaps by half an hour, from 02:00 to 02:30 on 2026-10-04, at 15:30Z.
        (
            "02:15-03:00 Australia/Lord_Howe",
            "2026-10-04",
            Some(("15:30", "16:00")),
        ),
        // Samoa had no 30 December 2011.
        ("03:00-05:00 Pacific/Apia", "2011-12-30", None),
    ] {
        let window: Window = window.parse().unwrap();
        let span = window.on(day.parse().unwrap());
        let told = span.map(|(start, end)| {
            let time = |at: Timestamp| at.to_string()[11..16].to_owned();
            (time(start), time(end))
        });
        let expected = expected.map(|(start, end)| (start.to_owned(), end.to_owned()));
        assert_eq!(told, expected, "{window} on {day}");
    }
}

#[test]
fn a_window_in_which_it_was_tried_is_over() {
    let weekly = "every 7 days, Tue 03:00-05:00 UTC";
    let tried = |tried: &str| Past {
        since: at("2026-01-01T00:00:00Z"),
        tried: Some(at(tried)),
    };
    let past = tried("2026-03-03T03:00:00Z");
    assert_eq!(
        next(weekly, past, "2026-03-03T03:10:00Z", &[]),
        "2026-03-10T03:00:00Z"
    );
    assert_eq!(
        next(weekly, past, "2026-03-10T03:10:00Z", &[]),
        "2026-03-10T03:10:00Z"
    );
    // Without a window it is tried again after a day.
    let past = tried("2026-03-03T12:00:00Z");
    assert_eq!(
        next("every day", past, "2026-03-03T12:01:00Z", &[]),
        "2026-03-04T12:00:00Z"
    );
}

#[test]
fn a_freeze_moves_a_roll() {
    let freeze = |from: &str, to: &str| Freeze {
        from: at(from),
        to: at(to),
    };
    let weekly = "every 7 days, Tue 03:00-05:00 UTC";
    let past = since("2026-01-01T00:00:00Z");
    let now = "2026-03-01T00:00:00Z";
    let march = freeze("2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!(next(weekly, past, now, &[march]), "2026-03-31T03:00:00Z");
    let also = format!("{weekly}, also in a freeze");
    assert_eq!(next(&also, past, now, &[march]), "2026-03-03T03:00:00Z");
    // It may end within a window.
    let half = freeze("2026-03-01T00:00:00Z", "2026-03-03T04:00:00Z");
    assert_eq!(next(weekly, past, now, &[half]), "2026-03-03T04:00:00Z");
    // Freezes that follow one another are one.
    let other = freeze("2026-03-03T03:30:00Z", "2026-03-10T05:00:00Z");
    assert_eq!(
        next(weekly, past, now, &[other, half]),
        "2026-03-17T03:00:00Z"
    );
    assert_eq!(
        next("every day", past, now, &[half, other]),
        "2026-03-10T05:00:00Z"
    );
    // One of twenty years is found the end of, and one without an end has none.
    let long = freeze("2026-01-01T00:00:00Z", "2046-01-01T00:00:00Z");
    assert_eq!(next(weekly, past, now, &[long]), "2046-01-02T03:00:00Z");
    let for_ever = Freeze {
        from: at("2026-01-01T00:00:00Z"),
        to: Timestamp::MAX,
    };
    assert_eq!(next(weekly, past, now, &[for_ever]), "never");
}

#[test]
fn days_of_a_freeze_are_whole_days_of_its_zone() {
    let bound = |text| FreezeBounds::read(text).unwrap();
    let paris = Zone::named("Europe/Paris").unwrap();
    let freeze = bound("2026-12-20").to(bound("2026-12-31"), &paris).unwrap();
    assert_eq!(freeze.from, at("2026-12-19T23:00:00Z"));
    assert_eq!(freeze.to, at("2026-12-31T23:00:00Z"));
    let hour = bound("2026-12-20T18:00:00+01:00");
    let freeze = hour.to(bound("2026-12-20"), &paris).unwrap();
    assert_eq!(freeze.from, at("2026-12-20T17:00:00Z"));
    assert_eq!(freeze.to, at("2026-12-20T23:00:00Z"));
    assert_eq!(
        bound("2026-12-21").to(hour, &paris),
        Err(BadSchedule::Backwards)
    );
    for text in ["tomorrow", "2026-13-01", "2026-12-20T18:00", ""] {
        let error = FreezeBounds::read(text).unwrap_err();
        assert_eq!(error, BadSchedule::Bound(text.to_owned()));
    }
}

#[test]
fn this_program_has_a_database_of_zones_where_the_machine_has_none() {
    let own = Zone::of_program("europe/paris").unwrap();
    assert_eq!(own.to_string(), "Europe/Paris");
    let summer = own.rules().to_offset(at("2026-07-01T00:00:00Z"));
    assert_eq!(summer.seconds(), 7200);
    assert_eq!(Zone::of_program("Europe/Nowhere"), None);
    assert_eq!(Zone::named("UTC").unwrap(), Zone::utc());
}
