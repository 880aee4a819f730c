//! Instance refreshes: the group itself replaces its members, some at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::world::{self, World};
use super::groups::{Group, no_such_group};
use super::members::{self, Lifecycle, Member};
use super::spec::WantedVersion;
use super::wishes::{RefreshWishes, Stance};
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
    /// The members that have to go and have not been touched.
    left: BTreeSet<u64>,
    /// The members that are on the way out.
    going: BTreeSet<u64>,
    /// How many had to go.
    total: usize,
    /// When it last got on.
    progressed: Timestamp,
    /// How many of its checkpoints it has come to.
    #[serde(default)]
    passed: usize,
    /// Until when it pauses, at a checkpoint or at the very end.
    #[serde(default)]
    paused_until: Option<Timestamp>,
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

    /// Returns what it starts members from, where that is not the group's own: Auto Scaling makes
    /// the desired configuration the group's own once the refresh is successful, and not before
    /// (API reference, `StartInstanceRefresh`).
    pub(super) fn starts_from(&self) -> Option<&WantedVersion> {
        let goes_forward = matches!(self.status.as_str(), "Pending" | "InProgress" | "Baking");
        let wanted = self.wishes.launch_template.as_ref();
        wanted.filter(|_| goes_forward)
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
        if let Some(wanted) = &wishes.launch_template {
            self.check_template(wanted)?;
            // What could not be started before may be now.
            self.set_template(name, None, |_| Ok(()))?;
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
            left: BTreeSet::new(),
            going: BTreeSet::new(),
            total: 0,
            progressed: self.now,
            passed: 0,
            paused_until: None,
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

    /// Returns why a refresh has the status that it has.
    #[must_use]
    pub fn refresh_reason(&self, id: &str) -> Option<String> {
        self.autoscaling.refreshes.get(id)?.reason.clone()
    }

    /// Cancels the refresh that is under way and returns its id; what it began comes to its end.
    ///
    /// # Errors
    /// When none is under way.
    pub fn cancel_refresh(&mut self, group: &str) -> Result<String, AwsError> {
        let refresh = self.active_refresh(group)?;
        refresh.left.clear();
        refresh.paused_until = None;
        "Cancelling".clone_into(&mut refresh.status);
        Ok(refresh.id.clone())
    }

    /// Ends the refresh that is under way, as CloudFormation does before it goes back; tells
    /// whether there was one.
    pub fn abort_refresh(&mut self, name: &str) -> bool {
        let now = self.now;
        let Ok(refresh) = self.active_refresh(name) else {
            return false;
        };
        "Cancelled".clone_into(&mut refresh.status);
        refresh.reason = Some("Cancelled due to a stack rollback.".to_owned());
        refresh.ended = Some(now);
        if let Some(group) = self.autoscaling.groups.get_mut(name) {
            group.refresh = None;
            group.surge = 0;
        }
        true
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
        self.turn_back(&id);
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

    /// Replaces what was replaced by what the group is made from, which is what it was before.
    fn turn_back(&mut self, id: &str) {
        let Some(mut refresh) = self.autoscaling.refreshes.remove(id) else {
            return;
        };
        refresh.wishes.skip_matching = true;
        refresh.progressed = self.now;
        refresh.paused_until = None;
        "RollbackInProgress".clone_into(&mut refresh.status);
        self.choose_members(&mut refresh);
        self.autoscaling.refreshes.insert(id.to_owned(), refresh);
    }

    /// Notes which members have to go.
    fn choose_members(&self, refresh: &mut Refresh) {
        let Some(group) = self.autoscaling.groups.get(&refresh.group) else {
            return;
        };
        let own = group.launch_template.as_ref();
        let wanted = refresh.starts_from().or(own);
        let wanted = wanted.and_then(|wanted| self.resolve(wanted));
        refresh.left = group
            .members
            .iter()
            .filter(|(number, member)| {
                let matches = member.starts_as(group, wanted.as_ref());
                let stays = refresh.wishes.skip_matching && matches
                    || stance_of(&refresh.wishes, member) == Some(Stance::Ignore);
                !(group.leaving.contains(number) || stays)
            })
            .map(|(number, _)| *number)
            .collect();
        refresh.total = refresh.left.len();
    }
}

/// Says what becomes of a member that somebody has set apart; `None` of any other.
fn stance_of(wishes: &RefreshWishes, member: &Member) -> Option<Stance> {
    match member.lifecycle {
        Lifecycle::Standby => Some(wishes.standby),
        _ if member.protected => Some(wishes.protected),
        _ => None,
    }
}

/// Tells whether a member serves and has warmed up.
fn is_healthy(member: &Member, warmup: Duration, now: Timestamp) -> bool {
    member.lifecycle == Lifecycle::InService
        && member
            .in_service_since
            .is_some_and(|since| since.saturating_add(warmup).is_ok_and(|warm| warm <= now))
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
    let (mut leaving, mut surge) = (Vec::new(), 0);
    let mut failed = world.alarm_of(&refresh.wishes.alarms).map(|name| {
        format!("The instance refresh failed: CloudWatch alarm {name} is in ALARM state.")
    });
    match world.autoscaling.groups.get(&refresh.group) {
        _ if failed.is_some() => {}
        None => failed = Some("The Auto Scaling group was deleted.".to_owned()),
        Some(group) => {
            (leaving, surge) = step(&mut refresh, group, now);
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
        && matches!(refresh.status.as_str(), "InProgress" | "Baking");
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
    let desired = refresh.wishes.launch_template.clone();
    let desired = desired.filter(|_| refresh.status == "Successful");
    if let Some(group) = world.autoscaling.groups.get_mut(&group) {
        group.surge = if over { 0 } else { surge };
        if desired.is_some() {
            group.launch_template = desired;
            group.launch_configuration = None;
        }
    }
    world.autoscaling.refreshes.insert(id.to_owned(), refresh);
    for instance in leaving {
        members::leave(world, &instance, "in response to an instance refresh");
    }
    super::groups::reconcile(world, &group);
    if turns_back {
        world.turn_back(id);
    }
    if over {
        if let Some(group) = world.autoscaling.groups.get_mut(&group) {
            group.refresh = None;
        }
        return;
    }
    world.schedule(TICK, world::Due::AutoScaling(Due::Refresh(id.to_owned())));
}

/// Looks at the group once: says who goes next and how many members there may be above what is
/// wanted, and whether all is done.
fn step(refresh: &mut Refresh, group: &Group, now: Timestamp) -> (Vec<String>, u32) {
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
    if refresh.paused_until.is_some_and(|until| now < until) {
        refresh.progressed = now;
        return (Vec::new(), 0);
    }
    refresh.paused_until = None;
    if refresh.status == "Baking" {
        refresh.end("Successful", now);
        return (Vec::new(), 0);
    }

    let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
    let members = || group.members.iter();
    let healthy = members()
        .filter(|(_, member)| is_healthy(member, warmup, now))
        .count();
    let is_new = |number: &u64| !refresh.left.contains(number) && !refresh.going.contains(number);
    let fresh = members()
        .filter(|(number, member)| is_new(number) && is_healthy(member, warmup, now))
        .count();
    let missing = wanted.saturating_sub(healthy);
    // So many of the old ones stay for now.
    let stay = refresh
        .left
        .len()
        .min(wanted.saturating_sub(refresh.goal(wanted)));
    let spare = healthy.saturating_sub(refresh.wishes.least(wanted));
    let may_go = |number: &&u64| {
        let member = group.members.get(number);
        member.and_then(|it| stance_of(&refresh.wishes, it)) != Some(Stance::Wait)
    };
    let next: Vec<u64> = refresh
        .left
        .iter()
        .filter(may_go)
        .copied()
        .take(spare.min(refresh.left.len() - stay))
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
    let to_go = refresh.left.len() - stay.min(refresh.left.len());
    if to_go == 0 && refresh.going.is_empty() && missing == 0 {
        refresh.arrive(fresh, wanted, now);
    }
    let surge = refresh.wishes.may_add(wanted).min(to_go);
    let goes = next.iter().filter_map(|number| group.members.get(number));
    let goes = goes.map(|member| member.instance.clone()).collect();
    (goes, u32::try_from(surge).unwrap_or(u32::MAX))
}

impl Refresh {
    /// Returns how many members must be new at the checkpoint that is next.
    fn goal(&self, wanted: usize) -> usize {
        let next = self.wishes.checkpoints.get(self.passed);
        let percent = next.filter(|_| self.status == "InProgress");
        let percent = usize::try_from(percent.copied().unwrap_or(100)).unwrap_or(100);
        (wanted * percent).div_ceil(100)
    }

    /// Comes to a checkpoint, or to the end. One that is overtaken is passed over.
    fn arrive(&mut self, fresh: usize, wanted: usize, now: Timestamp) {
        match self.status.as_str() {
            "Cancelling" => return self.end("Cancelled", now),
            "RollbackInProgress" => return self.end("RollbackSuccessful", now),
            _ => {}
        }
        let percent = (fresh * 100).checked_div(wanted).unwrap_or(100);
        let reached = |at: &&u32| usize::try_from(**at).is_ok_and(|at| at <= percent);
        let reached = self.wishes.checkpoints.iter().take_while(reached).count();
        self.passed = reached.max(self.passed + 1);
        let pause = if self.passed < self.wishes.checkpoints.len() {
            self.wishes.checkpoint_delay_secs
        } else if self.wishes.bake_secs > 0 {
            "Baking".clone_into(&mut self.status);
            self.wishes.bake_secs
        } else {
            return self.end("Successful", now);
        };
        self.paused_until = now.saturating_add(Duration::from_secs(pause)).ok();
        self.progressed = now;
    }

    fn end(&mut self, status: &str, now: Timestamp) {
        status.clone_into(&mut self.status);
        if status != "Cancelled" && self.left.is_empty() {
            self.percent = 100;
        }
        self.ended = Some(now);
    }
}
