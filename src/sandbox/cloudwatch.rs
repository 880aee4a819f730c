//! CloudWatch alarms: metric and composite ones, whose state somebody sets.
//!
//! Nothing is measured here, and no rule is evaluated: an alarm goes off when `SetAlarmState` says
//! so, as in a drill. Only the query protocol is spoken.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Answer, AwsError, Input};
use super::paging::page;
use super::world::World;

/// The states of an alarm (CloudWatch API reference, `SetAlarmState`).
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

/// CloudWatch's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CloudWatch {
    alarms: BTreeMap<String, Alarm>,
}

/// An alarm.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Alarm {
    /// The rule of a composite one.
    rule: Option<String>,
    state: String,
    reason: String,
    since: Timestamp,
}

impl World {
    /// Returns the first of these alarms that is in ALARM state.
    #[must_use]
    pub fn alarm_of(&self, names: &[String]) -> Option<String> {
        let state = |name: &&String| {
            self.cloudwatch
                .alarms
                .get(*name)
                .map(|it| it.state.as_str())
        };
        let mut names = names.iter();
        names.find(|name| state(name) == Some("ALARM")).cloned()
    }
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    Some(match action {
        "PutMetricAlarm" => put(world, input, false),
        "PutCompositeAlarm" => put(world, input, true),
        "SetAlarmState" => set_state(world, input),
        "DescribeAlarms" => describe(world, input),
        "DeleteAlarms" => delete(world, input),
        _ => return None,
    })
}

fn put(world: &mut World, input: &Input, is_composite: bool) -> Answer {
    let name = input.required("AlarmName")?;
    let rule = match is_composite {
        true => Some(input.required("AlarmRule")?),
        false => None,
    };
    let since = world.now;
    let alarm = world
        .cloudwatch
        .alarms
        .entry(name)
        .or_insert_with(|| Alarm {
            rule: None,
            state: "INSUFFICIENT_DATA".to_owned(),
            reason: "Unchecked: Initial alarm creation".to_owned(),
            since,
        });
    alarm.rule = rule;
    Ok(json!({}))
}

fn set_state(world: &mut World, input: &Input) -> Answer {
    let name = input.required("AlarmName")?;
    let state = input.required("StateValue")?;
    if !STATES.contains(&state.as_str()) {
        return Err(AwsError::validation(format!(
            "1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy \
             constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
        )));
    }
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(&name) else {
        return Err(AwsError::new(404, "ResourceNotFound", "Unknown alarm"));
    };
    if alarm.state != state {
        alarm.since = now;
    }
    alarm.state = state;
    alarm.reason = input.text("StateReason").unwrap_or_default();
    Ok(json!({}))
}

fn delete(world: &mut World, input: &Input) -> Answer {
    for name in input.texts("AlarmNames") {
        world.cloudwatch.alarms.remove(&name);
    }
    Ok(json!({}))
}

/// `DescribeAlarms`. Composite alarms are told only to whoever asks for their type.
fn describe(world: &mut World, input: &Input) -> Answer {
    let names = input.texts("AlarmNames");
    let types = input.texts("AlarmTypes");
    let state = input.text("StateValue");
    let prefix = input.text("AlarmNamePrefix").unwrap_or_default();
    if names.len() > 100 {
        return Err(AwsError::validation(
            "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: \
             Member must have length less than or equal to 100",
        ));
    }
    let asked = |alarm: &Alarm| match (&alarm.rule, types.is_empty()) {
        (rule, true) => rule.is_none(),
        (Some(_), false) => types.iter().any(|it| it == "CompositeAlarm"),
        (None, false) => types.iter().any(|it| it == "MetricAlarm"),
    };
    let found = world.cloudwatch.alarms.iter().filter(|(name, alarm)| {
        asked(alarm)
            && (names.is_empty() || names.contains(*name))
            && name.starts_with(&prefix)
            && state.as_ref().is_none_or(|state| *state == alarm.state)
    });
    let size = input.integer("MaxRecords").unwrap_or(50);
    let size = usize::try_from(size).unwrap_or(50).min(100);
    let token = input.text("NextToken");
    let page = page(found, |(name, _)| (*name).clone(), size, token.as_deref());
    let page =
        page.map_err(|_| AwsError::new(400, "InvalidNextToken", "The token is not valid."))?;
    let of_kind = |is_composite: bool| -> Vec<Value> {
        let items = page.items.iter();
        let items = items.filter(|(_, alarm)| alarm.rule.is_some() == is_composite);
        items
            .map(|(name, alarm)| shown(world, name, alarm))
            .collect()
    };
    Ok(json!({
        "MetricAlarms": of_kind(false),
        "CompositeAlarms": of_kind(true),
        "NextToken": page.next,
    }))
}

fn shown(world: &World, name: &str, alarm: &Alarm) -> Value {
    json!({
        "AlarmName": name,
        "AlarmArn": world.arn("cloudwatch", &format!("alarm:{name}")),
        "AlarmRule": alarm.rule,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": format!("{:.3}", alarm.since),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(world: &mut World, action: &str, input: Value) -> Answer {
        handle(world, action, &Input(input)).unwrap()
    }

    #[test]
    fn composite_alarms_are_told_only_when_asked_for() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        call(
            &mut world,
            "PutMetricAlarm",
            json!({ "AlarmName": "errors" }),
        )
        .unwrap();
        let both = json!({ "AlarmName": "all", "AlarmRule": "ALARM(errors)" });
        call(&mut world, "PutCompositeAlarm", both).unwrap();
        let plain = call(&mut world, "DescribeAlarms", json!({})).unwrap();
        assert_eq!(plain["MetricAlarms"][0]["StateValue"], "INSUFFICIENT_DATA");
        assert_eq!(plain["CompositeAlarms"], json!([]));
        let types = json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
        let both = call(&mut world, "DescribeAlarms", types).unwrap();
        assert_eq!(both["CompositeAlarms"][0]["AlarmName"], "all");
    }

    #[test]
    fn an_alarm_goes_off_when_it_is_told_to() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        let names = ["errors".to_owned()];
        let off = json!({ "AlarmName": "errors", "StateValue": "ALARM", "StateReason": "drill" });
        let unknown = call(&mut world, "SetAlarmState", off.clone()).unwrap_err();
        assert_eq!(unknown.code, "ResourceNotFound");
        call(
            &mut world,
            "PutMetricAlarm",
            json!({ "AlarmName": "errors" }),
        )
        .unwrap();
        assert_eq!(world.alarm_of(&names), None);
        call(&mut world, "SetAlarmState", off).unwrap();
        assert_eq!(world.alarm_of(&names).as_deref(), Some("errors"));
        let wrong = json!({ "AlarmName": "errors", "StateValue": "LOUD" });
        assert!(call(&mut world, "SetAlarmState", wrong).is_err());
    }
}
