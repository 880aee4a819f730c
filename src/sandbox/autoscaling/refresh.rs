//! Instance refreshes: the group itself replaces its members, some at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::world::{self, World};
use super::groups::{Group, no_such_group};
use super::members::{self, Lifecycle};
use super::spec::WantedVersion;
use super::{AutoScaling, Due};

/// How often a refresh looks at its group.
const TICK: Duration = Duration::from_secs(5);

/// How long a refresh goes on without any progress (EC2 Auto Scaling User Guide: one hour).
const PATIENCE: Duration = Duration::from_secs(3600);

/// An instance refresh.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refresh {
    /// The id.
    pub id: String,
    /// The group.
    pub group: String,
    /// The status, by Auto Scaling's names.
    pub status: String,
    /// Why it has that status.
    pub reason: Option<String>,
    /// From when.
    pub started: Timestamp,
    /// Until when.
    pub ended: Option<Timestamp>,
    /// How much is done, in percent.
    pub percent: u32,
    /// How it is done.
    pub wishes: RefreshWishes,
    /// What the group was made from before, to go back to.
    before: Option<WantedVersion>,
    /// The members that have to go and have not been touched.
    left: BTreeSet<u64>,
    /// The members that are on the way out.
    going: BTreeSet<u64>,
    /// How many had to go.
    total: usize,
    /// When it last got on.
    progressed: Timestamp,
}

/// How a refresh is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshWishes {
    /// The fewest members in service, in percent of what is wanted.
    pub min_healthy_percent: u32,
    /// Seconds that a new member needs before it counts.
    pub warmup_secs: u64,
    /// Whether members that already match stay.
    pub skip_matching: bool,
    /// Whether a failure takes the group back.
    pub auto_rollback: bool,
    /// What the group is to be made from.
    pub launch_template: Option<WantedVersion>,
}

impl Default for RefreshWishes {
    fn default() -> Self {
        Self {
            min_healthy_percent: 90,
            warmup_secs: 0,
            skip_matching: false,
            auto_rollback: false,
            launch_template: None,
        }
    }
}

impl Refresh {
    /// Returns how many members have not been replaced yet.
    #[must_use]
    pub fn instances_to_update(&self) -> usize {
        self.left.len() + self.going.len()
    }

    fn is_over(&self) -> bool {
        self.ended.is_some()
    }
}

impl AutoScaling {
    /// Returns a group's refreshes, in no particular order.
    pub fn refreshes_of(&self, group: &str) -> impl Iterator<Item = &Refresh> {
        self.refreshes
            .values()
            .filter(move |refresh| refresh.group == group)
    }
}

impl World {
    /// Starts an instance refresh and returns its id.
    ///
    /// # Errors
    /// When one is under way, or the group does not exist.
    pub fn start_instance_refresh(
        &mut self,
        group: &str,
        min_healthy_percent: u32,
    ) -> Result<String, AwsError> {
        self.start_refresh(
            group,
            RefreshWishes {
                min_healthy_percent,
                ..RefreshWishes::default()
            },
        )
    }

    /// Starts an instance refresh with all its wishes and returns its id.
    ///
    /// # Errors
    /// When one is under way, or the group does not exist, or its new template is refused.
    pub fn start_refresh(&mut self, name: &str, wishes: RefreshWishes) -> Result<String, AwsError> {
        let Some(group) = self.autoscaling.groups.get(name) else {
            return Err(no_such_group(name));
        };
        if group.refresh.is_some() {
            return Err(AwsError::new(
                400,
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this \
                 Instance Refresh.",
            ));
        }
        let before = group.launch_template.clone();
        if wishes.launch_template.is_some() {
            self.set_template(name, wishes.launch_template.clone(), |_| Ok(()))?;
        }
        let id = self.chance.uuid();
        let mut refresh = Refresh {
            id: id.clone(),
            group: name.to_owned(),
            status: "Pending".to_owned(),
            reason: None,
            started: self.now,
            ended: None,
            percent: 0,
            wishes,
            before,
            left: BTreeSet::new(),
            going: BTreeSet::new(),
            total: 0,
            progressed: self.now,
        };
        self.choose_members(&mut refresh);
        self.autoscaling.refreshes.insert(id.clone(), refresh);
        if let Some(group) = self.autoscaling.groups.get_mut(name) {
            group.refresh = Some(id.clone());
        }
        self.schedule(TICK, world::Due::AutoScaling(Due::Refresh(id.clone())));
        Ok(id)
    }

    /// Returns a refresh's status (`Successful`, `Failed`, ...) and how many percent it has done.
    #[must_use]
    pub fn instance_refresh(&self, id: &str) -> Option<(String, u32)> {
        let refresh = self.autoscaling.refreshes.get(id)?;
        Some((refresh.status.clone(), refresh.percent))
    }

    /// Cancels the refresh that is under way and returns its id; what it began comes to its end.
    ///
    /// # Errors
    /// When none is under way.
    pub fn cancel_refresh(&mut self, group: &str) -> Result<String, AwsError> {
        let refresh = self.active_refresh(group)?;
        refresh.left.clear();
        "Cancelling".clone_into(&mut refresh.status);
        Ok(refresh.id.clone())
    }

    /// Takes the refresh that is under way back and returns its id.
    ///
    /// # Errors
    /// When none is under way, or it has nothing to go back to.
    pub fn roll_back_refresh(&mut self, group: &str) -> Result<String, AwsError> {
        let refresh = self.active_refresh(group)?;
        if refresh.wishes.launch_template.is_none() {
            return Err(AwsError::new(
                400,
                "IrreversibleInstanceRefresh",
                "The instance refresh has no desired configuration to roll back from.",
            ));
        }
        let id = refresh.id.clone();
        self.turn_back(&id)?;
        Ok(id)
    }

    fn active_refresh(&mut self, group: &str) -> Result<&mut Refresh, AwsError> {
        let Some(found) = self.autoscaling.groups.get(group) else {
            return Err(no_such_group(group));
        };
        let active = found.refresh.as_ref();
        active.and_then(|id| self.autoscaling.refreshes.get_mut(id)).ok_or_else(|| {
            AwsError::new(
                400,
                "ActiveInstanceRefreshNotFound",
                format!("No in progress or pending Instance Refresh found for Auto Scaling group {group}"),
            )
        })
    }

    /// Puts the group's old template back and replaces what was replaced.
    fn turn_back(&mut self, id: &str) -> Result<(), AwsError> {
        let Some(mut refresh) = self.autoscaling.refreshes.remove(id) else {
            return Ok(());
        };
        let set = self.set_template(&refresh.group.clone(), refresh.before.clone(), |_| Ok(()));
        if set.is_ok() {
            refresh.wishes.skip_matching = true;
            refresh.progressed = self.now;
            "RollbackInProgress".clone_into(&mut refresh.status);
            self.choose_members(&mut refresh);
        }
        self.autoscaling.refreshes.insert(id.to_owned(), refresh);
        set
    }

    /// Notes which members have to go.
    fn choose_members(&self, refresh: &mut Refresh) {
        let Some(group) = self.autoscaling.groups.get(&refresh.group) else {
            return;
        };
        let wanted = group
            .launch_template
            .as_ref()
            .and_then(|wanted| self.resolve(wanted));
        refresh.left = group
            .members
            .iter()
            .filter(|(number, member)| {
                let matches = member.starts_as(group, wanted.as_ref());
                !(group.leaving.contains(number) || refresh.wishes.skip_matching && matches)
            })
            .map(|(number, _)| *number)
            .collect();
        refresh.total = refresh.left.len();
    }
}

/// Counts the members that serve and have warmed up.
fn healthy(group: &Group, warmup: Duration, now: Timestamp) -> usize {
    let serves = |member: &&members::Member| {
        member.lifecycle == Lifecycle::InService
            && member
                .in_service_since
                .is_some_and(|since| since.saturating_add(warmup).is_ok_and(|warm| warm <= now))
    };
    group.members.values().filter(serves).count()
}

pub(super) fn on_tick(world: &mut World, id: &str) {
    let now = world.now;
    let Some(mut refresh) = world.autoscaling.refreshes.remove(id) else {
        return;
    };
    if refresh.is_over() {
        world.autoscaling.refreshes.insert(id.to_owned(), refresh);
        return;
    }
    let mut leaving = Vec::new();
    let mut failed = None;
    match world.autoscaling.groups.get(&refresh.group) {
        None => failed = Some("The Auto Scaling group was deleted.".to_owned()),
        Some(group) => {
            leaving = step(&mut refresh, group, now);
            let idle = now.duration_since(refresh.progressed);
            if idle >= jiff::SignedDuration::try_from(PATIENCE).unwrap_or_default() {
                let why = group
                    .launch_failure
                    .as_deref()
                    .unwrap_or("it made no progress");
                failed = Some(format!("The instance refresh failed: {why}"));
            }
        }
    }
    let turns_back = failed.is_some()
        && refresh.wishes.auto_rollback
        && refresh.wishes.launch_template.is_some()
        && refresh.status == "InProgress";
    if let Some(reason) = failed {
        refresh.reason = Some(reason);
        if !turns_back {
            let rolling_back = refresh.status == "RollbackInProgress";
            let status = if rolling_back {
                "RollbackFailed"
            } else {
                "Failed"
            };
            status.clone_into(&mut refresh.status);
            refresh.ended = Some(now);
        }
    }
    let (group, over) = (refresh.group.clone(), refresh.is_over());
    world.autoscaling.refreshes.insert(id.to_owned(), refresh);
    for instance in leaving {
        members::leave(world, &instance, "in response to an instance refresh");
    }
    super::groups::reconcile(world, &group);
    if turns_back && world.turn_back(id).is_err() {
        // Without its old template it cannot go back; the next look tells that it failed.
        if let Some(refresh) = world.autoscaling.refreshes.get_mut(id) {
            refresh.wishes.auto_rollback = false;
        }
    }
    if over {
        if let Some(group) = world.autoscaling.groups.get_mut(&group) {
            group.refresh = None;
        }
        return;
    }
    world.schedule(TICK, world::Due::AutoScaling(Due::Refresh(id.to_owned())));
}

/// Looks at the group once: says who goes next, and whether all is done.
fn step(refresh: &mut Refresh, group: &Group, now: Timestamp) -> Vec<String> {
    let warmup = Duration::from_secs(refresh.wishes.warmup_secs);
    if refresh.status == "Pending" {
        "InProgress".clone_into(&mut refresh.status);
    }
    let before = (refresh.left.len(), refresh.going.len());
    refresh
        .left
        .retain(|number| group.members.contains_key(number) && !group.leaving.contains(number));
    refresh
        .going
        .retain(|number| group.members.contains_key(number));

    let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
    let missing = wanted.saturating_sub(healthy(group, warmup, now));
    let spare = u64::from(group.desired)
        * u64::from(100_u32.saturating_sub(refresh.wishes.min_healthy_percent))
        / 100;
    let may_be_missing = usize::try_from(spare).unwrap_or(usize::MAX).max(1);
    let next: Vec<u64> = refresh
        .left
        .iter()
        .copied()
        .take(may_be_missing.saturating_sub(missing))
        .collect();
    for number in &next {
        refresh.left.remove(number);
        refresh.going.insert(*number);
    }
    if before != (refresh.left.len(), refresh.going.len()) {
        refresh.progressed = now;
    }
    let undone = refresh.left.len() + refresh.going.len().max(missing);
    let done = refresh.total.saturating_sub(undone) * 100;
    if let Some(done) = done.checked_div(refresh.total) {
        refresh.percent = refresh.percent.max(u32::try_from(done).unwrap_or(100));
    }
    if refresh.left.is_empty() && refresh.going.is_empty() && missing == 0 {
        let status = match refresh.status.as_str() {
            "Cancelling" => "Cancelled",
            "RollbackInProgress" => "RollbackSuccessful",
            _ => "Successful",
        };
        if status != "Cancelled" {
            refresh.percent = 100;
        }
        status.clone_into(&mut refresh.status);
        refresh.ended = Some(now);
    }
    next.iter()
        .filter_map(|number| group.members.get(number))
        .map(|member| member.instance.clone())
        .collect()
}
