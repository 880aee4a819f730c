//! The list of racks that `--racks-file` names.

use std::path::Path;

use serde::Deserialize;

use super::args::WantedRack;
use crate::roll::RackPlace;
use crate::ui::CliError;

/// What a list says.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) racks: Vec<WantedRack>,
    pub(super) canary: Option<String>,
    pub(super) concurrency: Option<u32>,
    pub(super) stop_after: Option<u32>,
}

/// The file: a mapping, or only the list of racks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Shape {
    Bare(Vec<serde_yaml::Value>),
    Whole(serde_yaml::Value),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    racks: Vec<serde_yaml::Value>,
    canary: Option<String>,
    concurrency: Option<u32>,
    stop_after: Option<u32>,
}

/// A rack that is more than its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rack {
    name: String,
    wave: Option<u32>,
    #[serde(default)]
    canary: bool,
    region: Option<String>,
    profile: Option<String>,
    role_arn: Option<String>,
}

/// Reads a list.
pub(super) fn load(path: &Path) -> Result<Listed, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::usage(format!("cannot read {}: {error}", path.display()))
            .hint("--racks-file names a YAML list of racks")
    })?;
    parse(&text).map_err(|why| {
        CliError::usage(format!("{} is not a list of racks: {why}", path.display())).hint(
            "a rack is a name, or `{ name: prod-*, wave: 2, region: eu-west-1, profile: prod }`",
        )
    })
}

fn parse(text: &str) -> Result<Listed, String> {
    let shape: Shape = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let whole = match shape {
        Shape::Bare(racks) => Whole {
            racks,
            canary: None,
            concurrency: None,
            stop_after: None,
        },
        Shape::Whole(whole) => serde_yaml::from_value(whole).map_err(|error| error.to_string())?,
    };
    for (name, number) in [
        ("concurrency", whole.concurrency),
        ("stop_after", whole.stop_after),
    ] {
        if number == Some(0) {
            return Err(format!("{name} is 1 or more"));
        }
    }
    let racks = (1..)
        .zip(whole.racks)
        .map(|(number, rack)| wanted(rack).map_err(|error| format!("rack {number}: {error}")));
    let racks = racks.collect::<Result<Vec<_>, _>>()?;
    if racks.is_empty() {
        return Err("it names none".to_owned());
    }
    Ok(Listed {
        racks,
        canary: whole.canary,
        concurrency: whole.concurrency,
        stop_after: whole.stop_after,
    })
}

fn wanted(rack: serde_yaml::Value) -> Result<WantedRack, String> {
    let bare = |name: String| Rack {
        name,
        wave: None,
        canary: false,
        region: None,
        profile: None,
        role_arn: None,
    };
    let rack = match rack {
        serde_yaml::Value::String(name) => bare(name),
        other => serde_yaml::from_value(other).map_err(|error| error.to_string())?,
    };
    if rack.wave == Some(0) {
        return Err("waves are numbered from 1; `canary: true` comes before them".to_owned());
    }
    Ok(WantedRack {
        name: rack.name,
        wave: rack.wave.unwrap_or(1),
        canary: rack.canary,
        place: RackPlace {
            region: rack.region,
            profile: rack.profile,
            role_arn: rack.role_arn,
        },
        anywhere: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_names_or_says_more() {
        let names = parse("- staging\n- prod-*\n").unwrap();
        assert_eq!(names.racks.len(), 2);
        assert_eq!(names.racks[1].wave, 1);
        let whole = parse(
            "concurrency: 20\nstop_after: 2\ncanary: staging\nracks:\n  - { name: prod-*, wave: 2, \
             region: eu-west-1, profile: p, role_arn: arn }\n  - { name: first, canary: true }\n",
        );
        let whole = whole.unwrap();
        assert_eq!((whole.concurrency, whole.stop_after), (Some(20), Some(2)));
        assert_eq!(whole.canary.as_deref(), Some("staging"));
        assert_eq!(whole.racks[0].wave, 2);
        assert_eq!(whole.racks[0].place.region.as_deref(), Some("eu-west-1"));
        assert!(whole.racks[1].canary);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, wrong) in [
            ("[]", "it names none"),
            ("- { name: a, regoin: x }", "rack 1: unknown field `regoin`"),
            ("racks: [a]\nwave: 2", "unknown field `wave`"),
            ("- a\n- { wave: 2 }", "rack 2: missing field `name`"),
            ("- { name: a, wave: 0 }", "numbered from 1"),
            ("racks: [a]\nstop_after: 0", "stop_after is 1 or more"),
            ("racks: a: b", "mapping values"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wrong), "{text}: {error}");
        }
    }
}
