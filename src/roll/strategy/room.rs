//! Whether the account's quotas have room for the instances that a surge starts beside the old ones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Strategy, SurgeSize, Touches};
use crate::rack::{Group, PortError, Rack, RunningInstance, VcpuQuota};
use crate::roll::observe::{Observed, ObservedGroup};
use crate::roll::plan::{Advice, RollOptions};
use crate::roll::preflight::{Refusal, advice};
use crate::roll::reached::ObservedPolicy;

/// What an account runs, and may run. Plain data.
#[derive(Debug, Clone, Default)]
pub(in crate::roll) struct Room {
    /// What is pending or running in the account and region, in the rack or not.
    pub(in crate::roll) running: Vec<RunningInstance>,
    /// The vCPUs of an instance, by its type; of the types that the quotas count.
    pub(in crate::roll) vcpus: BTreeMap<String, u32>,
    /// How many vCPUs may run at once, by the quotas that count the groups' instances.
    pub(in crate::roll) quotas: BTreeMap<VcpuQuota, f64>,
}

/// Reads what the account runs and may run of the instances of a rack's groups: in a call for each
/// thousand instances, one for each class of instances, and one for each hundred types.
///
/// # Errors
/// When the account asks for patience. That something cannot be read is an answer.
pub(in crate::roll) async fn room(
    rack: &Rack,
    observed: &Observed,
) -> Result<Result<Room, PortError>, Refusal> {
    match read(rack, observed).await {
        Err(error @ PortError::Throttled { .. }) => Err(error.into()),
        read => Ok(read),
    }
}

async fn read(rack: &Rack, observed: &Observed) -> Result<Room, PortError> {
    let running = rack.quotas.running().await?;
    let groups = observed.groups.iter();
    let members = groups.flat_map(|group| members(group, &running));
    let wanted: BTreeSet<VcpuQuota> = members.filter_map(quota_of).collect();
    let mut quotas = BTreeMap::new();
    for quota in wanted {
        quotas.insert(quota, rack.quotas.quota(quota).await?);
    }
    let counted = running.iter();
    let counted = counted.filter(|it| quota_of(it).is_some_and(|it| quotas.contains_key(&it)));
    let types: BTreeSet<String> = counted.map(|it| it.instance_type.clone()).collect();
    let types: Vec<String> = types.into_iter().collect();
    let vcpus = rack.quotas.vcpus(&types).await?;
    Ok(Room {
        running,
        vcpus,
        quotas,
    })
}

fn quota_of(instance: &RunningInstance) -> Option<VcpuQuota> {
    VcpuQuota::of(&instance.instance_type, instance.market)
}

/// Lists the members of a group that run.
fn members<'a>(
    group: &'a ObservedGroup,
    running: &'a [RunningInstance],
) -> impl Iterator<Item = &'a RunningInstance> {
    let members = group.group.iter().flat_map(|found| &found.members);
    let ids: BTreeSet<&str> = members.map(|member| member.instance.as_str()).collect();
    running
        .iter()
        .filter(move |it| ids.contains(it.id.as_str()))
}

/// Lists the quotas that a surge would go beyond.
pub(super) fn refusals(options: RollOptions, observed: &Observed) -> Vec<Advice> {
    let Some((room, parts)) = known(observed) else {
        return Vec::new();
    };
    let beside = Touches::of(options, observed).beside;
    let mut lacking = demands(room, &parts, beside);
    lacking.retain(|demand| !demand.fits());
    if lacking.is_empty() {
        return Vec::new();
    }
    let hint = match largest(room, &parts, beside) {
        Some(count) => format!(
            "`--surge {count}` is the most that fits; or have the quota raised, or roll with \
             `--strategy cloudformation`"
        ),
        None => "have the quota raised (Service Quotas, EC2), or roll with `--strategy \
                 cloudformation`"
            .to_owned(),
    };
    let refusal = |demand: &Demand| {
        advice(
            "surge-quota",
            format!(
                "a surge needs {} vCPUs of {} instances more, and {} of the {} that the account \
                 may run are in use (quota {})",
                demand.needs, demand.quota.counts, demand.used, demand.limit, demand.quota.code
            ),
            hint.clone(),
        )
    };
    lacking.iter().map(refusal).collect()
}

/// Warns where it is not known whether a quota has room, and where it has room for a small surge
/// only.
pub(super) fn warnings(options: RollOptions, observed: &Observed) -> Vec<Advice> {
    if options.strategy != Strategy::Surge {
        return Vec::new();
    }
    let unknown = |why: String, hint: String| {
        let message =
            format!("whether the account's quota has room for a surge is not known: {why}");
        vec![advice("surge-quota-unread", message, hint)]
    };
    let look = "look at the vCPUs of EC2 in Service Quotas first: when EC2 refuses an instance, the \
                roll goes back";
    let room = match &observed.room {
        None => return Vec::new(),
        Some(Err(PortError::Denied { action, .. })) => {
            let why = format!("{action} is not allowed");
            return unknown(
                why,
                format!("ask for the IAM permission {action}, or {look}"),
            );
        }
        Some(Err(error)) => return unknown(error.to_string(), look.to_owned()),
        Some(Ok(room)) => room,
    };
    let parts = match parts(observed, room) {
        Ok(parts) => parts,
        Err(why) => return unknown(why, look.to_owned()),
    };
    let is_tight = |size| {
        let all = RollOptions {
            surge: size,
            ..options
        };
        let beside = Touches::of(all, observed).beside;
        demands(room, &parts, beside).iter().any(|it| !it.fits())
    };
    if is_tight(SurgeSize::DEFAULT) && !is_tight(options.surge) {
        return vec![advice(
            "surge-quota-tight",
            "the account's quota has room for a small surge only: when instances take longer to be \
             emptied than CloudFormation takes for a batch, more of them run, and EC2 may refuse one",
            "have the quota raised (Service Quotas, EC2) if tasks take long to start or to stop",
        )];
    }
    Vec::new()
}

fn known(observed: &Observed) -> Option<(&Room, Vec<Part>)> {
    let room = observed.room.as_ref()?.as_ref().ok()?;
    Some((room, parts(observed, room).ok()?))
}

/// The instances of a group that one quota counts.
#[derive(Debug, Clone, Copy)]
struct Part {
    quota: VcpuQuota,
    /// The vCPUs of the largest of them.
    vcpus: u32,
    /// How many of those that are wanted do not run yet.
    missing: u32,
    ways: Ways,
}

impl Part {
    /// Returns how many instances more than now run at the most, when `held` old ones are held
    /// beside the new ones, and a batch besides that has yet to be emptied.
    fn extra(&self, held: u32) -> u32 {
        let Ways {
            wanted,
            ahead,
            batch,
            new,
        } = self.ways;
        let held = held.saturating_add(batch).min(wanted);
        self.missing + ahead.saturating_add(held).min(new)
    }
}

/// How CloudFormation replaces instances, in numbers of them.
#[derive(Debug, Clone, Copy)]
struct Ways {
    /// How many are wanted.
    wanted: u32,
    /// How many more than wanted it starts before it takes the first.
    ahead: u32,
    /// How many it takes at a time.
    batch: u32,
    /// How many new ones there are before the group has its own count back.
    new: u32,
}

impl Ways {
    /// Reads them from a group's policy (AWS documentation, "UpdatePolicy attribute"). With any but
    /// a rolling update all instances may be replaced at a time.
    fn of(group: &ObservedGroup, found: &Group, wanted: u32) -> Self {
        let ObservedPolicy::Rolling {
            batch,
            min_in_service,
            ..
        } = &group.policy
        else {
            return Self {
                wanted,
                ahead: 0,
                batch: wanted,
                new: wanted,
            };
        };
        let most = found.max.max(wanted);
        let batch = (*batch).clamp(1, wanted.max(1));
        let level = min_in_service.saturating_add(batch).max(wanted).min(most);
        Self {
            wanted,
            ahead: level - wanted,
            batch,
            new: (*min_in_service).max(wanted).min(most),
        }
    }
}

/// Divides the groups' instances by the quotas that count them.
///
/// # Errors
/// In words, when the quota or the vCPUs of an instance are not known.
fn parts(observed: &Observed, room: &Room) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for group in &observed.groups {
        let Some(found) = &group.group else { continue };
        let mut counted: BTreeMap<VcpuQuota, (u32, u32)> = BTreeMap::new();
        let mut runs = false;
        for member in members(group, &room.running) {
            runs = true;
            let name = &member.instance_type;
            let quota = quota_of(member)
                .ok_or_else(|| format!("no quota is known here that counts {name} instances"))?;
            let vcpus = room.vcpus.get(name);
            let vcpus =
                vcpus.ok_or_else(|| format!("EC2 does not say how many vCPUs {name} has"))?;
            let (count, most) = counted.entry(quota).or_default();
            *count += 1;
            *most = (*most).max(*vcpus);
        }
        if !runs && found.desired > 0 {
            let name = &group.logical_id;
            return Err(format!(
                "no instance of group {name} runs that would tell its type"
            ));
        }
        let total: u32 = counted.values().map(|(count, _)| count).sum();
        // Where quotas share a group, nobody knows which of them counts what is yet to come.
        let missing = found.desired.saturating_sub(total);
        for (quota, (count, vcpus)) in counted {
            let ways = Ways::of(group, found, count + missing);
            parts.push(Part {
                quota,
                vcpus,
                missing,
                ways,
            });
        }
    }
    // The largest first: they may be the ones that are held.
    parts.sort_by_key(|part| Reverse(part.vcpus));
    Ok(parts)
}

/// What a surge needs of what a quota counts, and what there is, in vCPUs.
#[derive(Debug, Clone, Copy)]
struct Demand {
    quota: VcpuQuota,
    limit: f64,
    used: u32,
    needs: u32,
}

impl Demand {
    fn fits(&self) -> bool {
        self.needs == 0 || f64::from(self.used.saturating_add(self.needs)) <= self.limit
    }
}

/// Returns what a surge needs of each quota that holds at most so many old instances beside the new
/// ones, or all of them.
fn demands(room: &Room, parts: &[Part], beside: Option<u32>) -> Vec<Demand> {
    let demand = |(quota, limit): (&VcpuQuota, &f64)| {
        let mut left = beside.unwrap_or(u32::MAX);
        let mut needs = 0_u32;
        for part in parts.iter().filter(|part| part.quota == *quota) {
            let held = left.min(part.ways.wanted);
            left -= held;
            needs = needs.saturating_add(part.extra(held).saturating_mul(part.vcpus));
        }
        let counted = room
            .running
            .iter()
            .filter(|it| quota_of(it) == Some(*quota));
        let vcpus = counted.filter_map(|it| room.vcpus.get(&it.instance_type));
        Demand {
            quota: *quota,
            limit: *limit,
            used: vcpus.fold(0, |sum, vcpus| sum.saturating_add(*vcpus)),
            needs,
        }
    };
    room.quotas.iter().map(demand).collect()
}

/// Returns the most old instances that may be held where the quotas have no room for `beside`.
fn largest(room: &Room, parts: &[Part], beside: Option<u32>) -> Option<u32> {
    let all: u32 = parts.iter().map(|part| part.ways.wanted).sum();
    let fits = |count: &u32| demands(room, parts, Some(*count)).iter().all(Demand::fits);
    (1..beside.unwrap_or(all).min(all)).rev().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack::Market;

    fn standard() -> VcpuQuota {
        VcpuQuota::of("t3.small", Market::OnDemand).unwrap()
    }

    /// What a rolling update does with so many instances, of which it keeps so many in service.
    fn ways(wanted: u32, batch: u32, min_in_service: u32, max: u32) -> Ways {
        let group = Group {
            name: "g".to_owned(),
            min: wanted,
            max,
            desired: wanted,
            members: Vec::new(),
            suspended: Vec::new(),
            protects_new: false,
            termination_policies: Vec::new(),
            launch_template: None,
            launch_configuration: None,
        };
        let policy = ObservedPolicy::Rolling {
            batch,
            min_in_service,
            pause_secs: 300,
            wait_on_signals: true,
        };
        let observed = ObservedGroup {
            logical_id: "Instances".to_owned(),
            name: "g".to_owned(),
            group: Some(group.clone()),
            policy,
        };
        Ways::of(&observed, &group, wanted)
    }

    fn part(vcpus: u32, ways: Ways) -> Part {
        Part {
            quota: standard(),
            vcpus,
            missing: 0,
            ways,
        }
    }

    /// An account that runs so many instances of two vCPUs and may run so many vCPUs.
    fn room_of(running: usize, limit: f64) -> Room {
        let instance = |n| RunningInstance {
            id: format!("i-{n}"),
            instance_type: "t3.small".to_owned(),
            market: Market::OnDemand,
        };
        Room {
            running: (0..running).map(instance).collect(),
            vcpus: BTreeMap::from([("t3.small".to_owned(), 2)]),
            quotas: BTreeMap::from([(standard(), limit)]),
        }
    }

    #[test]
    fn a_surge_starts_what_it_holds_and_a_batch() {
        for (ways, held, extra) in [
            // One ahead, one held, and one more until the first is emptied.
            (ways(6, 1, 6, 100), 1, 3),
            (ways(6, 1, 6, 100), 4, 6),
            (ways(6, 1, 6, 100), 6, 6),
            // No more at once than the group may have.
            (ways(6, 4, 6, 7), 1, 6),
            (ways(6, 1, 0, 100), 1, 2),
            (ways(6, 1, 0, 100), 6, 6),
            // The group has nine at the end, and three old ones are held.
            (ways(3, 1, 9, 100), 3, 9),
        ] {
            assert_eq!(part(2, ways).extra(held), extra, "{ways:?} {held}");
        }
        let mut some = part(2, ways(6, 1, 6, 100));
        some.missing = 2;
        assert_eq!(some.extra(6), 8);
    }

    #[test]
    fn the_most_that_fits_is_found_for_all_groups_together() {
        let parts = [part(2, ways(6, 1, 6, 100))];
        // Twelve vCPUs are in use.
        assert!(demands(&room_of(6, 24.0), &parts, None)[0].fits());
        for (limit, most) in [
            (23.0, Some(3)),
            (20.5, Some(2)),
            (18.0, Some(1)),
            (17.9, None),
        ] {
            let room = room_of(6, limit);
            assert!(!demands(&room, &parts, None)[0].fits());
            assert_eq!(largest(&room, &parts, None), most, "{limit}");
        }
        assert_eq!(largest(&room_of(6, 20.0), &parts, Some(2)), Some(1));
        // Of two groups the larger instances may be the ones that are held.
        let parts = [part(8, ways(2, 1, 2, 100)), part(2, ways(2, 1, 2, 100))];
        let needs = |beside| demands(&room_of(0, 0.0), &parts, beside)[0].needs;
        assert_eq!(needs(None), 2 * 8 + 2 * 2);
        assert_eq!(needs(Some(1)), 2 * 8 + 2 * 2);
    }
}
