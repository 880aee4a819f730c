//! How a rack reads: what it is, its parameters, its instances, a change of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::info::Info;
use super::printer::Printer;
use super::table::Table;
use super::text::ago;
use crate::rack::{Difference, ResourceChange, SystemDescription, SystemInstance};
use crate::roll::EVENT_VERSION;

/// Parameters that a terminal is not shown, unless that is asked for.
const SENSITIVE: [&str; 2] = ["Password", "HttpProxy"];
/// What it is shown in their place.
const MASK: &str = "**********";

/// The type of a resource whose instances CloudFormation may replace without replacing it.
const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// Prints what a rack is: lines for a person, or the object that `GET /system` returns.
pub fn print_system(printer: &Printer, system: &SystemDescription, as_json: bool) {
    let output = |key: &str| system.outputs.get(key).map_or("", String::as_str);
    if as_json {
        let line = json!({
            "count": system.count,
            "domain": system.domain,
            "name": system.name,
            "outputs": system.outputs,
            "parameters": shown(printer, &system.parameters, false),
            "provider": system.provider,
            "rack-domain": system.rack_domain,
            "region": system.region,
            "status": system.status,
            "type": system.instance_type,
            "version": system.version,
        });
        print_line(printer, &line);
        return;
    }
    let mut info = Info::new();
    info.row("Name", &system.name);
    info.row("Provider", &system.provider);
    info.row_if_any("Region", &system.region);
    match (system.domain.as_str(), output("DomainInternal")) {
        (domain, "") => info.row_if_any("Router", domain),
        ("", internal) => info.row("Router", &format!("{internal} (internal)")),
        (domain, internal) => {
            info.row(
                "Router",
                &format!("{domain} (external)\n{internal} (internal)"),
            );
        }
    }
    info.row_if_any("NLB", output("NLBHost"));
    info.row_if_any("NLB Internal", output("NLBInternalHost"));
    info.row("Status", &system.status);
    info.row("Version", &system.version);
    printer.data(&info.render());
}

/// Prints parameters by name: lines for a person, or one object.
///
/// A terminal is not shown those that are secret, unless `reveal` says so. What a pipe is
/// given is what the rack tells, which masks its password by itself.
pub fn print_parameters(
    printer: &Printer,
    parameters: &BTreeMap<String, String>,
    reveal: bool,
    as_json: bool,
) {
    let shown = shown(printer, parameters, reveal);
    if as_json {
        print_line(printer, &json!(shown));
        return;
    }
    let mut info = Info::new();
    for (key, value) in &shown {
        info.row(key, value);
    }
    printer.data(&info.render());
}

fn shown(
    printer: &Printer,
    parameters: &BTreeMap<String, String>,
    reveal: bool,
) -> BTreeMap<String, String> {
    let hides = printer.data_is_watched() && !reveal;
    let shown = |(key, value): (&String, &String)| {
        let masked = hides && !value.is_empty() && SENSITIVE.contains(&key.as_str());
        let value = if masked { MASK } else { value };
        (key.clone(), value.to_owned())
    };
    parameters.iter().map(shown).collect()
}

/// Prints instances: the classic's table, with the key pair of each if `keys` says so.
pub fn print_instances(
    printer: &Printer,
    instances: &[SystemInstance],
    keys: bool,
    now: Timestamp,
) {
    let cells = |instance: &SystemInstance| {
        [
            instance.id.clone(),
            instance.status.clone(),
            instance.started.map(|at| ago(at, now)).unwrap_or_default(),
            instance.processes.to_string(),
            percent(instance.cpu),
            percent(instance.memory),
            instance.public_ip.clone(),
            instance.private_ip.clone(),
        ]
    };
    let heading = [
        "ID", "STATUS", "STARTED", "PS", "CPU", "MEM", "PUBLIC", "PRIVATE",
    ];
    let text = if keys {
        let [a, b, c, d, e, f, g, h] = heading;
        let mut table = Table::new([a, b, c, d, e, f, g, h, "KEY"]);
        for instance in instances {
            let [a, b, c, d, e, f, g, h] = cells(instance);
            let key = instance.key_name.clone().unwrap_or_default();
            table.row([a, b, c, d, e, f, g, h, key]);
        }
        table.render()
    } else {
        let mut table = Table::new(heading);
        for instance in instances {
            table.row(cells(instance));
        }
        table.render()
    };
    printer.data(&text);
}

/// Prints instances as JSON, one a line, with the names that `GET /instances` gives their fields.
pub fn print_instances_json(printer: &Printer, instances: &[SystemInstance]) {
    for instance in instances {
        let line = json!({
            "id": instance.id,
            "name": instance.name,
            "status": instance.status,
            "agent": instance.agent,
            "started": instance.started,
            "processes": instance.processes,
            "cpu": instance.cpu,
            "memory": instance.memory,
            "public-ip": instance.public_ip,
            "private-ip": instance.private_ip,
            "key-name": instance.key_name,
        });
        print_line(printer, &line);
    }
}

fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

/// A change of parameters, and what is known of what it would do.
#[derive(Debug)]
pub struct PlannedChange<'a> {
    /// The rack.
    pub rack: &'a str,
    /// The parameters.
    pub differences: &'a [Difference],
    /// What a change set says, where one could be asked.
    pub resources: Option<&'a [ResourceChange]>,
}

/// Prints what a change of parameters would do, as data.
pub fn print_change(printer: &Printer, change: &PlannedChange<'_>, as_json: bool) {
    if as_json {
        let mut data = change_data(change.rack, change.differences);
        data["resources"] = json!(change.resources);
        print_typed(printer, "planned", &data);
        return;
    }
    let colour = printer.data_colour();
    let mut text = format!("Update of rack {}, not started\n", change.rack);
    text.push_str(&format!("\n{}\n", colour.strong("Parameters")));
    let mut table = Table::new(["NAME", "NOW", "THEN"]);
    for difference in change.differences {
        table.row([
            difference.key.clone(),
            difference.from.clone(),
            difference.to.clone(),
        ]);
    }
    text.push_str(&table.render());
    let heading = colour.strong("Changes, as a change set tells");
    text.push_str(&format!("\n{heading}\n"));
    let Some(resources) = change.resources else {
        text.push_str("no change set could be asked\n");
        printer.data(&text);
        return;
    };
    let mut table = Table::new(["ACTION", "RESOURCE", "REPLACED", "TYPE"]);
    for resource in resources {
        table.row([
            resource.action.clone(),
            resource.logical_id.clone(),
            resource.replacement.clone().unwrap_or_default(),
            resource.resource_type.clone(),
        ]);
    }
    text.push_str(&table.render());
    printer.data(&text);
    let is_group = |change: &&ResourceChange| change.resource_type == GROUP;
    let groups: Vec<&str> = resources
        .iter()
        .filter(is_group)
        .map(|change| change.logical_id.as_str())
        .collect();
    if !groups.is_empty() {
        printer.say(&format!(
            "the instances of {} may be replaced in batches, which no change set tells",
            groups.join(", ")
        ));
    }
}

/// Prints as one object that an update was accepted, and under which token if it has one.
pub fn print_accepted(
    printer: &Printer,
    rack: &str,
    differences: &[Difference],
    token: Option<&str>,
) {
    let mut data = change_data(rack, differences);
    data["token"] = json!(token);
    print_typed(printer, "accepted", &data);
}

/// Prints as one object that there was nothing to change.
pub fn print_unchanged(printer: &Printer, rack: &str) {
    print_typed(printer, "unchanged", &json!({ "rack": rack }));
}

/// Prints as one object that an instance is being terminated.
pub fn print_terminated(printer: &Printer, instance: &str) {
    print_typed(printer, "terminating", &json!({ "instance": instance }));
}

fn change_data(rack: &str, differences: &[Difference]) -> Value {
    let differences: Vec<Value> = differences
        .iter()
        .map(|it| json!({ "name": it.key, "now": it.from, "then": it.to }))
        .collect();
    json!({ "rack": rack, "parameters": differences })
}

fn print_typed(printer: &Printer, kind: &str, data: &Value) {
    let line = json!({ "v": EVENT_VERSION, "type": kind, "data": data });
    print_line(printer, &line);
}

fn print_line(printer: &Printer, line: &Value) {
    printer.data(&format!("{line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Verbosity;

    fn system(outputs: &[(&str, &str)]) -> SystemDescription {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        SystemDescription {
            name: "prod".to_owned(),
            provider: "aws".to_owned(),
            region: "us-east-1".to_owned(),
            domain: "prod-Router-1.us-east-1.elb.amazonaws.com".to_owned(),
            status: "running".to_owned(),
            version: "20260421154107".to_owned(),
            outputs: outputs.iter().map(owned).collect(),
            ..SystemDescription::default()
        }
    }

    fn printed(system: &SystemDescription) -> String {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        print_system(&printer, system, false);
        captured.stdout()
    }

    #[test]
    fn a_rack_is_told_in_the_rows_of_the_classic() {
        insta::assert_snapshot!(printed(&system(&[])), @r"
        Name      prod
        Provider  aws
        Region    us-east-1
        Router    prod-Router-1.us-east-1.elb.amazonaws.com
        Status    running
        Version   20260421154107
        ");
        let outputs = [
            ("DomainInternal", "internal.example.org"),
            ("NLBHost", "nlb.example.org"),
            ("NLBInternalHost", "nlb-internal.example.org"),
        ];
        insta::assert_snapshot!(printed(&system(&outputs)), @r"
        Name          prod
        Provider      aws
        Region        us-east-1
        Router        prod-Router-1.us-east-1.elb.amazonaws.com (external)
                      internal.example.org (internal)
        NLB           nlb.example.org
        NLB Internal  nlb-internal.example.org
        Status        running
        Version       20260421154107
        ");
    }

    #[test]
    fn instances_are_told_in_the_columns_of_the_classic() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let instances = [
            SystemInstance {
                id: "i-1".to_owned(),
                status: "active".to_owned(),
                started: Some("2026-11-20T03:00:00Z".parse().unwrap()),
                processes: 3,
                cpu: 0.25,
                memory: 0.123_456,
                private_ip: "10.0.1.9".to_owned(),
                key_name: Some("prod-keypair-1".to_owned()),
                ..SystemInstance::default()
            },
            SystemInstance {
                id: "i-22".to_owned(),
                public_ip: "198.51.100.7".to_owned(),
                private_ip: "10.0.1.10".to_owned(),
                ..SystemInstance::default()
            },
        ];
        print_instances(&printer, &instances, false, now);
        print_instances(&printer, &instances, true, now);
        insta::assert_snapshot!(captured.stdout(), @r"
        ID    STATUS  STARTED     PS  CPU     MEM     PUBLIC        PRIVATE
        i-1   active  2 days ago  3   25.00%  12.35%                10.0.1.9
        i-22                      0   0.00%   0.00%   198.51.100.7  10.0.1.10
        ID    STATUS  STARTED     PS  CPU     MEM     PUBLIC        PRIVATE    KEY
        i-1   active  2 days ago  3   25.00%  12.35%                10.0.1.9   prod-keypair-1
        i-22                      0   0.00%   0.00%   198.51.100.7  10.0.1.10  
        ");
    }
}
