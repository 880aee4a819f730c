//! How a plan reads before anything is done.

use std::time::Duration;

use super::colour::Colour;
use super::plan_services::cluster_words;
use super::printer::Printer;
use super::table::Table;
use super::text::{count, one_line, span};
use crate::rack::KeyProof;
use crate::roll::{Advice, GroupPlan, Plan, RevocationPlan, RollPolicy};

/// Prints the whole plan as data.
pub fn print_plan(printer: &Printer, plan: &Plan) {
    let colour = printer.data_colour();
    let heading = |text: &str| format!("\n{}\n", colour.strong(text));
    let mut text = format!("Roll {} of rack {}, not started\n", plan.roll, plan.rack);

    text.push_str(&heading("Keys"));
    let place = match plan.api() {
        Some(api) if plan.is_far() => ("rack API", api.probe.clone().unwrap_or_default()),
        _ => ("stack", plan.stack_id.clone()),
    };
    for (name, value) in [
        ("old key", old_key_words(plan)),
        ("new key", new_key_words(plan)),
        place,
        ("parameter", plan.key_parameter.clone()),
        ("key store", plan.key_store.clone()),
    ] {
        text.push_str(&format!("  {name:<9}  {value}\n"));
    }

    text.push_str(&heading("Steps"));
    for (place, planned) in plan.steps.iter().enumerate() {
        let (number, step) = (place + 1, planned.step.as_str());
        text.push_str(&format!("  {number}. {step:<8}  {}\n", planned.changes));
        if let Some(waits_for) = &planned.waits_for {
            text.push_str(&format!("               waits for: {waits_for}\n"));
        }
        if let Some(undo) = &planned.undo {
            text.push_str(&format!("               undone by: {undo}\n"));
        }
    }

    if plan.is_api() {
        text.push_str(&changes_and_warnings(plan, colour));
        printer.data(&text);
        return;
    }
    if let Some(revocation) = plan.revocation() {
        text.push_str(&heading("Instances"));
        text.push_str(&instances_table(revocation).render());
        text.push_str(&changes_and_warnings(plan, colour));
        printer.data(&text);
        return;
    }
    text.push_str(&heading("Groups"));
    let mut groups = Table::new(["GROUP", "INSTANCES", "MIN", "MAX", "POLICY"]);
    for group in &plan.groups {
        groups.row([
            group.logical_id.clone(),
            group.instances.to_string(),
            group.min.to_string(),
            group.max.to_string(),
            policy_words(group.policy),
        ]);
    }
    text.push_str(&groups.render());
    for fleet in &plan.spot_fleets {
        text.push_str(&format!("{fleet}: a spot fleet, whose instances count\n"));
    }

    if !plan.gates.is_none() {
        text.push_str(&heading("Gates"));
        let words = one_line(&plan.gates.in_words());
        text.push_str(&format!("  the roll goes on if: {words}\n"));
    }

    for cluster in &plan.clusters {
        text.push_str(&heading(&format!("Services of {}", cluster.name)));
        text.push_str(&cluster_words(cluster, !plan.touches.held.is_empty()));
    }

    text.push_str(&changes_and_warnings(plan, colour));
    printer.data(&text);
}

fn instances_table(revocation: &RevocationPlan) -> Table {
    let mut table = Table::new(["ID", "OPENED BY", "THROUGH", "PROOF"]);
    for instance in &revocation.instances {
        let (through, proof) = match instance.through {
            Some(through) => (
                through.as_str(),
                match through.proof() {
                    KeyProof::Login => "logins with both keys".to_owned(),
                    KeyProof::Sshd => "its sshd, offered both keys".to_owned(),
                },
            ),
            None => ("-", instance.unreached.clone().unwrap_or_default()),
        };
        table.row([
            instance.id.clone(),
            instance.key.clone().unwrap_or_default(),
            through.to_owned(),
            proof,
        ]);
    }
    table
}

fn old_key_words(plan: &Plan) -> String {
    let none = if plan.is_api() {
        "the password that works now"
    } else {
        "none"
    };
    plan.old_key.clone().unwrap_or_else(|| none.to_owned())
}

fn new_key_words(plan: &Plan) -> String {
    if plan.is_api() {
        format!("a password, kept as {} meanwhile", plan.new_key)
    } else {
        let reused = plan.revocation().is_some_and(|it| it.reused);
        let kind = match reused {
            true => "made by an earlier revocation",
            false => plan.options.key_type.as_str(),
        };
        format!("{} ({kind})", plan.new_key)
    }
}

/// Words what a change set tells, and the warnings.
fn changes_and_warnings(plan: &Plan, colour: Colour) -> String {
    let heading = |text: &str| format!("\n{}\n", colour.strong(text));
    let mut text = String::new();
    if let Some(changes) = &plan.changes {
        text.push_str(&heading("Changes, as a change set tells"));
        let mut table = Table::new(["ACTION", "RESOURCE", "REPLACED", "TYPE"]);
        for change in changes {
            table.row([
                change.action.clone(),
                change.logical_id.clone(),
                change.replacement.clone().unwrap_or_default(),
                change.resource_type.clone(),
            ]);
        }
        text.push_str(&table.render());
    }

    if !plan.warnings.is_empty() {
        text.push_str(&heading("Warnings"));
        for (warning, hint) in warnings(plan) {
            text.push_str(&format!("  {} {warning}\n", colour.warning("WARNING:")));
            if let Some(hint) = hint {
                text.push_str(&format!("  hint: {hint}\n"));
            }
        }
    }
    text
}

/// Prints what somebody should know who is asked whether to go ahead.
pub fn print_plan_summary(printer: &Printer, plan: &Plan) {
    if let Some(api) = plan.api() {
        let also = if api.also.is_empty() {
            String::new()
        } else {
            format!(", and {} with it", api.also.join(", "))
        };
        printer.say(&format!("Rack {}: a new password{also}", plan.rack));
        if !api.holders.is_empty() {
            let holders = api.holders.join(" and ");
            printer.say(&format!("It goes to {holders} once it works"));
        }
        print_plan_warnings(printer, plan);
        return;
    }
    if let Some(revocation) = plan.revocation() {
        let old = plan.old_key.as_deref().unwrap_or_default();
        let instances = count(revocation.instances.len(), "live instance");
        let rack = &plan.rack;
        printer.say(&format!("Rack {rack}: {instances} will refuse {old}"));
        printer.say(&format!(
            "They let {} in, and none is replaced",
            plan.new_key
        ));
        print_plan_warnings(printer, plan);
        return;
    }
    let instances: u32 = plan.groups.iter().map(|group| group.instances).sum();
    let instances = count(usize::try_from(instances).unwrap_or(usize::MAX), "instance");
    let groups: Vec<_> = plan.groups.iter().map(group_words).collect();
    let old = plan.old_key.as_deref().unwrap_or("no key");
    printer.say(&format!("Rack {}: {old} -> {}", plan.rack, plan.new_key));
    printer.say(&format!("Replaces {instances}: {}", groups.join("; ")));
    if let Some(old) = plan.old_key.as_ref().filter(|_| !plan.options.keep_old) {
        printer.say(&format!(
            "Deletes {old} at the end, when no instance uses it any more"
        ));
    }
    print_plan_warnings(printer, plan);
}

/// Prints the plan's warnings, each with what to do about it.
pub fn print_plan_warnings(printer: &Printer, plan: &Plan) {
    for (warning, hint) in warnings(plan) {
        printer.warn(&warning, hint.as_deref());
    }
}

/// Pairs warnings with hints; several in a row with the same hint have it after the last.
fn warnings(plan: &Plan) -> Vec<(String, Option<String>)> {
    let following = plan.warnings.iter().skip(1).map(Some).chain([None]);
    let pair = |(warning, next): (&Advice, Option<&Advice>)| {
        let is_last = next.is_none_or(|next| next.hint != warning.hint);
        (
            one_line(&warning.message),
            is_last.then(|| one_line(&warning.hint)),
        )
    };
    plan.warnings.iter().zip(following).map(pair).collect()
}

fn group_words(group: &GroupPlan) -> String {
    format!("{} {}", group.logical_id, policy_words(group.policy))
}

fn policy_words(policy: RollPolicy) -> String {
    match policy {
        RollPolicy::RollingUpdate {
            batch,
            min_in_service,
            pause_secs,
            wait_on_signals,
        } => {
            let pause = span(Duration::from_secs(pause_secs));
            let wait = match (wait_on_signals, pause_secs) {
                (true, _) => format!(", up to {pause} for each to signal"),
                (false, 0) => String::new(),
                (false, _) => format!(", {pause} apart"),
            };
            format!("{batch} at a time, never fewer than {min_in_service} in service{wait}")
        }
        RollPolicy::InstanceRefresh {
            min_healthy_percent,
        } => {
            format!("by instance refresh, never less than {min_healthy_percent}% healthy")
        }
        RollPolicy::OwnRefresh => "by instance refreshes, one for each step".to_owned(),
        RollPolicy::Replacing => "by a new group in its place".to_owned(),
        RollPolicy::Nested => "as its nested stack says".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Verbosity, canned};

    #[test]
    fn a_plan_tells_everything_that_will_be_done() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        print_plan(&printer, &canned::plan());
        insta::assert_snapshot!(captured.stdout(), @r"
        Roll 01kb2q5z8g000001 of rack prod, not started

        Keys
          old key    prod-keypair-1234
          new key    prod-keypair-01kb2q5z8g000001 (ed25519)
          stack      arn:aws:cloudformation:us-east-1:123456789012:stack/prod/4f1
          parameter  Key
          key store  s3://prod-settings/

        Steps
          1. mint      makes the key pair
                       undone by: deleting it
          2. install   sets the parameter Key
                       waits for: the answer of UpdateStack
                       undone by: the rollback of CloudFormation
          3. verify    nothing
                       waits for: every live instance

        Groups
        GROUP      INSTANCES  MIN  MAX   POLICY
        Instances  3          3    1000  1 at a time, never fewer than 3 in service, up to 5m for each to signal
        sfr-1: a spot fleet, whose instances count

        Changes, as a change set tells
        ACTION  RESOURCE                 REPLACED  TYPE
        Modify  InstancesLaunchTemplate  False     AWS::EC2::LaunchTemplate

        Warnings
          WARNING: web has 1 process, which is gone for a while when its instance goes
          hint: scale it to 3 first
        ");
        assert_eq!(captured.stderr(), "");
    }

    #[test]
    fn a_summary_is_short() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        print_plan_summary(&printer, &canned::plan());
        insta::assert_snapshot!(captured.stderr(), @r"
        Rack prod: prod-keypair-1234 -> prod-keypair-01kb2q5z8g000001
        Replaces 3 instances: Instances 1 at a time, never fewer than 3 in service, up to 5m for each to signal
        Deletes prod-keypair-1234 at the end, when no instance uses it any more
        WARNING: web has 1 process, which is gone for a while when its instance goes
        hint: scale it to 3 first
        ");
        assert_eq!(captured.stdout(), "");
    }
}
