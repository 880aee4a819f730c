//! Lines of a log that is read again and again: none lost, none repeated.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

/// How far before the last line a log is read again: lines may come in late, by this much.
const OVERLAP: Duration = Duration::from_secs(30);

/// How many lines are remembered.
const REMEMBERED: usize = 20_000;

/// Remembers the last lines, and tells those that come again from those that are new.
///
/// The same line may really be logged twice, so lines are counted and not only known: as many
/// as were seen before are taken for the same when the log is read again.
#[derive(Debug)]
pub(super) struct Overlap {
    /// How far back the first connection reads.
    since: Duration,
    /// From when the log is read, by our clock, as long as there is no line; none before the
    /// first connection.
    begin: Option<Timestamp>,
    /// The time of the oldest line of the first connection that had any, by the rack's clock.
    first: Option<Timestamp>,
    /// Whether this is the connection that `first` is of.
    is_first: bool,
    /// When the last new line came, by our clock, and its own time, whichever is earlier.
    last: Option<Timestamp>,
    recent: VecDeque<String>,
    /// Lines that may come again on this connection, and how often.
    expected: HashMap<String, usize>,
    /// The time of the oldest line that is remembered, if some were forgotten.
    forgotten: Option<Timestamp>,
}

impl Overlap {
    pub(super) fn new(since: Duration) -> Self {
        Self {
            since,
            begin: None,
            first: None,
            is_first: true,
            last: None,
            recent: VecDeque::new(),
            expected: HashMap::new(),
            forgotten: None,
        }
    }

    /// Begins a connection, and returns how far back it must read. The first begins exactly
    /// where it was asked to.
    pub(super) fn connect(&mut self, now: Timestamp) -> Duration {
        self.is_first = self.recent.is_empty();
        self.expected.clear();
        for line in &self.recent {
            *self.expected.entry(line.clone()).or_default() += 1;
        }
        let (from, more) = match (self.last, self.begin) {
            (Some(last), _) => (last, OVERLAP),
            (None, Some(begin)) => (begin, Duration::ZERO),
            (None, None) => {
                let begin = now.saturating_sub(self.since);
                self.begin = Some(begin.unwrap_or(Timestamp::MIN));
                return self.since;
            }
        };
        let passed = now.duration_since(from).unsigned_abs();
        // Go writes whole seconds plainly; a part of one is rounded up.
        Duration::from_secs(passed.as_millis().div_ceil(1000).try_into().unwrap_or(0)) + more
    }

    /// Tells whether a line is new, and remembers it if so.
    pub(super) fn is_new(&mut self, line: &str, now: Timestamp) -> bool {
        if let Some(count) = self.expected.get_mut(line) {
            *count -= 1;
            if *count == 0 {
                self.expected.remove(line);
            }
            return false;
        }
        let time = time_of(line);
        if self
            .forgotten
            .zip(time)
            .is_some_and(|(oldest, time)| time < oldest)
        {
            return false;
        }
        if self.is_first {
            self.first = match (self.first, time) {
                (Some(first), Some(time)) => Some(first.min(time)),
                (first, time) => first.or(time),
            };
        } else if time.is_some_and(|time| self.is_before_the_beginning(time)) {
            return false;
        }
        let seen = time.map_or(now, |time| time.min(now));
        self.last = Some(self.last.map_or(seen, |last| last.max(seen)));
        self.recent.push_back(line.to_owned());
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
            let oldest = self.recent.iter().find_map(|line| time_of(line));
            self.forgotten = self.forgotten.max(oldest);
        }
        true
    }

    /// Tells whether a line is only seen because the log is read again from further back: older
    /// than what was asked for at first, by our clock, and than all that came then, by the rack's.
    fn is_before_the_beginning(&self, time: Timestamp) -> bool {
        let earlier = |limit: Option<Timestamp>| limit.is_some_and(|limit| time < limit);
        earlier(self.begin) && earlier(self.first)
    }
}

/// Reads the time that a line begins with.
fn time_of(line: &str) -> Option<Timestamp> {
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn line(second: i64, text: &str) -> String {
        format!("{} system/cloudformation {text}", at(second))
    }

    /// A server that has these lines, read from `from` on.
    fn read(overlap: &mut Overlap, lines: &[String], now: i64) -> Vec<String> {
        let since = overlap.connect(at(now));
        let from = at(now) - since;
        let lines = lines.iter().filter(|line| time_of(line).unwrap() >= from);
        let new = lines.filter(|line| overlap.is_new(line, at(now)));
        new.cloned().collect()
    }

    #[test]
    fn what_is_read_twice_is_told_once() {
        let mut overlap = Overlap::new(Duration::from_secs(5));
        let mut log = vec![
            line(-9, "before"),
            line(-4, "a"),
            line(0, "b"),
            line(0, "b"),
        ];
        assert_eq!(read(&mut overlap, &log, 0), log[1..]);
        log.push(line(0, "b"));
        log.push(line(7, "c"));
        assert_eq!(read(&mut overlap, &log, 8), log[4..], "a third b is new");
        assert_eq!(read(&mut overlap, &log, 9), [""; 0]);
        log.push(line(100, "d"));
        log.insert(5, line(3, "late"));
        let new = read(&mut overlap, &log, 100);
        assert_eq!(new, [line(3, "late"), line(100, "d")]);
    }

    #[test]
    fn a_log_without_lines_is_read_from_where_it_was_asked_for() {
        let mut overlap = Overlap::new(Duration::from_secs(5));
        assert_eq!(overlap.connect(at(0)), Duration::from_secs(5));
        assert_eq!(overlap.connect(at(60)), Duration::from_secs(65));
    }

    #[test]
    fn a_clock_that_is_ahead_loses_nothing() {
        let mut overlap = Overlap::new(Duration::from_secs(5));
        // The rack's clock is an hour behind ours, or ahead of it.
        assert!(overlap.is_new(&line(-3600, "a"), at(0)));
        assert!(overlap.connect(at(10)) >= Duration::from_secs(3610));
        assert!(overlap.is_new(&line(3600, "b"), at(10)));
        assert!(overlap.connect(at(20)) >= Duration::from_secs(10));
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_stays_told() {
        let mut overlap = Overlap::new(Duration::ZERO);
        let count = i64::try_from(REMEMBERED).unwrap() + 10;
        for second in 0..count {
            assert!(overlap.is_new(&line(second, "x"), at(second)));
        }
        assert_eq!(overlap.recent.len(), REMEMBERED);
        overlap.connect(at(count));
        for second in 0..count {
            assert!(!overlap.is_new(&line(second, "x"), at(count)), "{second}");
        }
        assert!(overlap.is_new(&line(count, "x"), at(count)));
    }
}
