//! Small pieces of wording: one line, a span of time, how long ago.

use std::time::Duration;

use jiff::Timestamp;

/// Folds text into one line that is safe to print.
///
/// Text from a service may hold line breaks, which a log reader would take for
/// several messages, and control characters, which a terminal would obey.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|letter| !letter.is_control()));
    }
    line
}

/// Words a span of time with at most two units, such as `3m 20s`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.subsec_millis() > 0 => format!("{}ms", span.subsec_millis()),
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(first: u64, first_unit: &str, second: u64, second_unit: &str) -> String {
    if second == 0 {
        format!("{first}{first_unit}")
    } else {
        format!("{first}{first_unit} {second}{second_unit}")
    }
}

/// Words how long before `now` something was, in the largest whole unit.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// Words a count of something, such as `1 instance` or `3 instances`.
#[must_use]
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_folds_breaks_and_drops_what_a_terminal_would_obey() {
        assert_eq!(one_line("a\n  b\t c\r\n"), "a b c");
        assert_eq!(one_line("red \u{1b}[31mhot\u{7}"), "red [31mhot");
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (ms, expected) in [
            (0, "0s"),
            (250, "250ms"),
            (59_000, "59s"),
            (60_000, "1m"),
            (200_000, "3m 20s"),
            (3_600_000, "1h"),
            (5_400_000, "1h 30m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn ago_uses_the_largest_unit() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (then, expected) in [
            ("2026-11-22T11:59:30Z", "just now"),
            ("2026-11-22T12:00:30Z", "just now"),
            ("2026-11-22T11:59:00Z", "1 minute ago"),
            ("2026-11-22T09:00:00Z", "3 hours ago"),
            ("2026-11-20T11:00:00Z", "2 days ago"),
        ] {
            assert_eq!(ago(then.parse().unwrap(), now), expected);
        }
    }
}
