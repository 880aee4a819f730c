//! Keys, identities and rotations as a person reads them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::ui::{Info, Printer, one_line, span};
use crate::unkey::{Credits, Identity, Key, KeyUses, RateLimit, Rotation, RotationUses};

/// Writes a value as one line of JSON on stdout.
pub(in crate::cli) fn print_json(printer: &Printer, value: &Value) {
    printer.data(&format!("{value}\n"));
}

/// Words a moment of Unix milliseconds.
pub(in crate::cli) fn moment(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(at) => {
            let at = at.to_zoned(zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        }
        Err(_) => format!("{ms} ms"),
    }
}

/// Lists what is known of a key.
pub(in crate::cli) fn key_info(key: &Key, zone: &TimeZone, now: i64) -> Info {
    let at = |ms: Option<i64>| ms.map_or_else(String::new, |ms| moment(ms, zone));
    let text = |text: &Option<String>| one_line(text.as_deref().unwrap_or_default());
    let mut info = Info::new();
    info.row("Key", &one_line(&key.key_id));
    info.row_if_any("Name", &text(&key.name));
    info.row("Begins", &one_line(&key.start));
    info.row("State", state(key, now));
    info.row("Created", &moment(key.created_at, zone));
    info.row_if_any("Expires", &at(key.expires));
    info.row_if_any("Last used", &at(key.last_used_at));
    if let Some(identity) = &key.identity {
        info.row("Identity", &one_line(&identity.external_id));
    }
    info.row_if_any("Permissions", &one_line(&key.permissions.join(", ")));
    info.row_if_any("Roles", &one_line(&key.roles.join(", ")));
    info.row_if_any(
        "Credits",
        &key.credits.as_ref().map_or_else(String::new, credits),
    );
    info.row_if_any("Rate limits", &limits(&key.ratelimits));
    info.row_if_any("Metadata", &meta(key.meta.as_ref()));
    info.row_if_any("Replaces", &text(&key.predecessor_id));
    info.row_if_any("Replaced by", &text(&key.successor_id));
    info
}

/// Returns the cells of a key in a list: id, name, beginning, state, expiry, identity.
pub(in crate::cli) fn key_row(key: &Key, zone: &TimeZone, now: i64) -> [String; 6] {
    let identity = key.identity.as_ref().map(|it| it.external_id.as_str());
    [
        one_line(&key.key_id),
        one_line(key.name.as_deref().unwrap_or_default()),
        one_line(&key.start),
        state(key, now).to_owned(),
        key.expires.map_or_else(String::new, |ms| moment(ms, zone)),
        one_line(identity.unwrap_or_default()),
    ]
}

fn state(key: &Key, now: i64) -> &'static str {
    let is_past = key.expires.is_some_and(|expires| now >= expires);
    match (key.enabled, is_past, &key.successor_id) {
        (false, ..) => "disabled",
        (true, true, _) => "expired",
        (true, false, Some(_)) => "being replaced",
        (true, false, None) => "active",
    }
}

fn credits(credits: &Credits) -> String {
    let left = match credits.remaining {
        Some(left) => format!("{left} left"),
        None => "no limit".to_owned(),
    };
    match &credits.refill {
        None => left,
        Some(refill) => {
            let day = refill
                .refill_day
                .map_or_else(String::new, |day| format!(" on day {day}"));
            format!(
                "{left}, filled up to {} {}{day}",
                refill.amount,
                one_line(&refill.interval)
            )
        }
    }
}

fn limits(limits: &[RateLimit]) -> String {
    let lines: Vec<_> = limits
        .iter()
        .map(|limit| {
            let ms = u64::try_from(limit.duration).unwrap_or(0);
            let time = span(std::time::Duration::from_millis(ms));
            format!("{}: {} in {time}", one_line(&limit.name), limit.limit)
        })
        .collect();
    lines.join("\n")
}

fn meta(meta: Option<&Value>) -> String {
    meta.map_or_else(String::new, |meta| one_line(&meta.to_string()))
}

/// Lists what is known of an identity.
pub(in crate::cli) fn identity_info(identity: &Identity) -> Info {
    let mut info = Info::new();
    info.row("Identity", &one_line(&identity.id));
    info.row("External id", &one_line(&identity.external_id));
    info.row_if_any("Rate limits", &limits(&identity.ratelimits));
    info.row_if_any("Metadata", &meta(identity.meta.as_ref()));
    info
}

/// Lists how a rotation stands.
pub(in crate::cli) fn rotation_info(rotation: &Rotation, zone: &TimeZone) -> Info {
    let at = |ms: Option<i64>| ms.map_or_else(String::new, |ms| moment(ms, zone));
    let text = |text: &Option<String>| one_line(text.as_deref().unwrap_or_default());
    let mut info = Info::new();
    info.row("Key", &one_line(&rotation.key_id));
    info.row("Works", if rotation.active { "yes" } else { "no" });
    info.row_if_any("Replaces", &text(&rotation.predecessor_id));
    info.row_if_any("Replaced by", &text(&rotation.successor_id));
    info.row_if_any("Rerolled", &at(rotation.rerolled_at));
    info.row_if_any("Grace ends", &at(rotation.grace_ends_at));
    let used = at(rotation.last_used_at);
    info.row("Last used", if used.is_empty() { "never" } else { &used });
    if let Some(RotationUses {
        old,
        new,
        waiting_since,
    }) = &rotation.uses
    {
        let times = |uses: &KeyUses| match uses.verifications {
            1 => "once".to_owned(),
            many => format!("{many} times"),
        };
        let since = format!("old key verified {}, new key {}", times(old), times(new));
        info.row("Since then", &since);
        info.row_if_any("Old key by", &callers(old));
        if waiting_since.is_some() {
            let since = at(*waiting_since);
            info.row("Not counted yet", &format!("verifications since {since}"));
        }
    }
    info
}

/// Tells who verified a key, as far as their tags say.
fn callers(uses: &KeyUses) -> String {
    /// As many as a person reads.
    const MOST: usize = 5;
    let known = uses.callers.iter().filter(|caller| !caller.tags.is_empty());
    let told = known
        .clone()
        .take(MOST)
        .map(|caller| format!("{} ({})", caller.tags.join(" "), caller.verifications));
    let more = known.count().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("{more} more"));
    one_line(&told.chain(more).collect::<Vec<_>>().join(", "))
}
