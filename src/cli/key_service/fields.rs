//! Values of flags, and what they are in a request.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::ui::span;

/// When a key expires: a moment, or so long after now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Expiry {
    At(Timestamp),
    In(Duration),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        humantime::parse_duration(text).map(Self::In).map_err(|_| {
            "it is neither a span, such as 90d, nor a time, such as 2027-01-01T00:00:00Z".to_owned()
        })
    }
}

impl Expiry {
    /// Returns the moment in Unix milliseconds.
    pub(in crate::cli) fn at(self, now: Timestamp) -> i64 {
        match self {
            Self::At(at) => at.as_millisecond(),
            Self::In(span) => now.as_millisecond().saturating_add(milliseconds(span)),
        }
    }
}

/// For how long a rerolled key goes on working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Grace {
    Keep,
    For(Duration),
}

impl FromStr for Grace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "0" => Ok(Self::For(Duration::ZERO)),
            text => match humantime::parse_duration(text) {
                // Less would be none at all to the service.
                Ok(span) if !span.is_zero() && span.as_millis() == 0 => {
                    Err("less than a millisecond: say 0 for none".to_owned())
                }
                Ok(span) => Ok(Self::For(span)),
                Err(_) => Err("it is none of `keep`, `0` and a span, such as 24h".to_owned()),
            },
        }
    }
}

impl Grace {
    /// Returns what a request has for `expiration`.
    pub(in crate::cli) fn expiration(self) -> Value {
        match self {
            Self::Keep => Value::Null,
            Self::For(span) => milliseconds(span).into(),
        }
    }

    /// Says what becomes of the old key.
    pub(in crate::cli) fn words(self) -> String {
        match self {
            Self::Keep => "which works for as long as it would have".to_owned(),
            Self::For(Duration::ZERO) => "which works no more".to_owned(),
            Self::For(time) => format!("which works for {} more at most", span(time)),
        }
    }
}

/// A rate limit that counts every verification: `NAME=LIMIT/SPAN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Limit {
    name: String,
    limit: i64,
    span: Duration,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('=')
            .and_then(|(name, rest)| Some((name, rest.split_once('/')?)));
        let read = parts.and_then(|(name, (limit, span))| {
            Some(Self {
                name: name.to_owned(),
                limit: limit.parse().ok()?,
                span: humantime::parse_duration(span).ok()?,
            })
        });
        read.ok_or_else(|| "write NAME=LIMIT/SPAN, such as requests=100/1m".to_owned())
    }
}

impl Limit {
    /// Returns it as a request has it.
    pub(in crate::cli) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "limit": self.limit,
            "duration": milliseconds(self.span),
            "autoApply": true,
        })
    }
}

/// An object of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Metadata(pub(in crate::cli) Map<String, Value>);

impl FromStr for Metadata {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|_| "it is no JSON object, such as {\"team\":\"orders\"}".to_owned())
    }
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_period_is_a_span_nothing_or_what_there_is() {
        for (text, expiration, words) in [
            ("24h", json!(86_400_000), "which works for 1d more at most"),
            ("1ms", json!(1), "which works for 1ms more at most"),
            ("0", json!(0), "which works no more"),
            ("0s", json!(0), "which works no more"),
            (
                "keep",
                json!(null),
                "which works for as long as it would have",
            ),
        ] {
            let grace: Grace = text.parse().unwrap();
            assert_eq!(grace.expiration(), expiration, "{text}");
            assert_eq!(grace.words(), words);
        }
        for text in ["", "1", "-1h", "500us", "1ns", "forever", "null"] {
            assert!(text.parse::<Grace>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_names_how_often_in_how_long() {
        let limit: Limit = "requests=100/1m".parse().unwrap();
        let expected = json!({
            "name": "requests", "limit": 100, "duration": 60_000, "autoApply": true,
        });
        assert_eq!(limit.json(), expected);
        for text in [
            "",
            "requests",
            "requests=100",
            "requests=x/1m",
            "requests=1/x",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_expiry_is_a_moment_or_a_span_from_now() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("1d", "2026-11-23T00:00:00Z"),
            ("2027-01-01T00:00:00+01:00", "2026-12-31T23:00:00Z"),
        ] {
            let at = text.parse::<Expiry>().unwrap().at(now);
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(at, expected.as_millisecond(), "{text}");
        }
        assert!("soon".parse::<Expiry>().is_err());
    }

    #[test]
    fn metadata_is_an_object() {
        let read: Metadata = "{\"a\":[1]}".parse().unwrap();
        assert_eq!(Value::Object(read.0), json!({ "a": [1] }));
        for text in ["", "1", "[]", "{"] {
            assert!(text.parse::<Metadata>().is_err(), "{text}");
        }
    }
}
