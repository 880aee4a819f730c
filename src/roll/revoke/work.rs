//! The work on the instances: each goes its way as fast as it can, all of them side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::run::{Chosen, live};
use crate::rack::{Instance, KeyAccess, KeyAnswer, KeyDeed, KeyProof, KeySwap, PortError, Through};
use crate::roll::event::{EventKind, InstanceReport};
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::Outcome;
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};

/// How often there may be instances that were not there before: those that start meanwhile let
/// the old key in, too.
const ROUNDS: u32 = 4;
/// How long an instance that is starting is waited for: it boots, and then its agent says so.
const STARTING: Duration = Duration::from_secs(90);
/// How long after a look it is looked for again.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// What EC2 says of an instance that is starting.
const PENDING: &str = "pending";

/// What came of all of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Those where the new key is in and the old one out, and how that is known.
    pub(super) done: BTreeMap<String, KeyProof>,
    /// Those that may still let the old one in, and why.
    pub(super) failed: Vec<(Instance, String)>,
    /// The groups and fleets that they are of.
    pub(super) owners: BTreeSet<String>,
}

/// Where an instance is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Add,
    ProveNew,
    /// It is tagged: `instances ssh` takes the new key from here on.
    Name,
    Remove,
    ProveOld,
}

impl Stop {
    const ALL: [Self; 5] = [
        Self::Add,
        Self::ProveNew,
        Self::Name,
        Self::Remove,
        Self::ProveOld,
    ];

    fn of(deed: KeyDeed) -> Self {
        match deed {
            KeyDeed::Add => Self::Add,
            KeyDeed::ProveNew => Self::ProveNew,
            KeyDeed::Remove => Self::Remove,
            KeyDeed::ProveOld => Self::ProveOld,
        }
    }

    fn next(self) -> Option<Self> {
        let after = Self::ALL.into_iter().find(|stop| *stop > self);
        after.filter(|_| self != Self::ProveOld)
    }

    fn deed(self) -> Option<KeyDeed> {
        match self {
            Self::Add => Some(KeyDeed::Add),
            Self::ProveNew => Some(KeyDeed::ProveNew),
            Self::Name => None,
            Self::Remove => Some(KeyDeed::Remove),
            Self::ProveOld => Some(KeyDeed::ProveOld),
        }
    }

    /// What it does to the instance; a proof does nothing.
    fn effect(self) -> Option<Effect> {
        match self {
            Self::Add => Some(Effect::AdmitKey),
            Self::Name => Some(Effect::NameKey),
            Self::Remove => Some(Effect::ExcludeKey),
            Self::ProveNew | Self::ProveOld => None,
        }
    }
}

/// What has become known of an instance, with the place of its way.
type Known = (Instance, usize, Result<(), String>);

/// The instances that are being worked on.
struct Work {
    ways: Vec<Arc<dyn KeyAccess>>,
    swap: KeySwap,
    tell: UnboundedSender<KeyAnswer>,
    heard: UnboundedReceiver<KeyAnswer>,
    /// Dropping it stops everything that is under way.
    tasks: JoinSet<()>,
    /// Those that can go on, by what comes next for them and by their way.
    ready: BTreeMap<(Stop, usize), Vec<Instance>>,
    /// Those that are waited for, by id.
    under_way: BTreeMap<String, (Instance, usize)>,
    /// Why a way before has failed for an instance, by id.
    before: BTreeMap<String, String>,
    /// Those that were starting when they were first seen, by id.
    starting: BTreeSet<String>,
    /// Whether some of them are not reached yet.
    is_awaiting: bool,
    /// Whether they have had the time that it takes.
    is_late: bool,
    /// Those that are done, by the way that was taken.
    done_by: BTreeMap<usize, Vec<String>>,
    tally: Tally,
}

impl Work {
    fn new(ways: Vec<Arc<dyn KeyAccess>>, swap: KeySwap) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        Self {
            ways,
            swap,
            tell,
            heard,
            tasks: JoinSet::new(),
            ready: BTreeMap::new(),
            under_way: BTreeMap::new(),
            before: BTreeMap::new(),
            starting: BTreeSet::new(),
            is_awaiting: false,
            is_late: false,
            done_by: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    fn through(&self, way: usize) -> Option<Through> {
        self.ways.get(way).map(|way| way.through())
    }

    /// Has a way do something on instances, and listens for what comes of it.
    fn start(&mut self, deed: KeyDeed, way: usize, instances: Vec<Instance>) {
        for instance in &instances {
            let waited_for = (instance.clone(), way);
            self.under_way.insert(instance.id.clone(), waited_for);
        }
        if let Some(access) = self.ways.get(way).map(Arc::clone) {
            let (swap, tell) = (self.swap.clone(), self.tell.clone());
            self.tasks.spawn(async move {
                access.carry_out(deed, &swap, &instances, &tell).await;
            });
        }
    }

    /// Waits until something is known, and takes all that is known by then.
    async fn hear(&mut self) -> Vec<KeyAnswer> {
        let mut answers = Vec::new();
        loop {
            while let Ok(answer) = self.heard.try_recv() {
                answers.push(answer);
            }
            // With nobody at work there is nobody to wait for: one may have ended without an
            // answer for each, whose last answer was heard before.
            if !answers.is_empty() || self.tasks.is_empty() {
                return answers;
            }
            tokio::select! {
                biased;
                answer = self.heard.recv() => answers.extend(answer),
                _ = self.tasks.join_next() => {}
            }
        }
    }
}

impl Run<'_> {
    /// Puts the new key in the place of the old one on every live instance, those that start
    /// meanwhile included.
    ///
    /// # Errors
    /// When the journal cannot be written, the instances cannot be listed, or somebody asks to
    /// stop.
    pub(super) async fn swap_everywhere(
        &mut self,
        swap: &KeySwap,
        mut looked: Option<(Vec<Instance>, Chosen)>,
    ) -> Result<Tally, Trouble> {
        let mut work = Work::new(self.ways(), swap.clone());
        self.begin(Step::Admit);
        let (began, mut rounds) = (self.clock.now(), ROUNDS);
        loop {
            let (live, chosen) = match looked.take() {
                Some((live, chosen)) => (live, Some(chosen)),
                None => (self.live_now().await?, None),
            };
            let is_live = |id: &str| live.iter().any(|it| it.id == id);
            work.tally.failed.retain(|(it, _)| is_live(&it.id));
            work.tally.done.retain(|id, _| is_live(id));
            let owners = live.iter().filter_map(|it| it.owner.clone());
            work.tally.owners.extend(owners);
            let mut fresh = live;
            fresh.retain(|it| !work.has(&it.id));
            if fresh.is_empty() {
                break;
            }
            if fresh.iter().any(|it| !work.starting.contains(&it.id)) {
                if rounds == 0 {
                    break;
                }
                rounds -= 1;
            }
            let starting = fresh.iter().filter(|it| it.state == PENDING);
            work.starting.extend(starting.map(|it| it.id.clone()));
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            work.is_late = passed.unwrap_or_default() >= STARTING;
            self.choose(&mut work, &fresh, chosen).await?;
            self.finish_round(&mut work).await?;
            if std::mem::take(&mut work.is_awaiting) && !self.pause(BETWEEN_LOOKS).await {
                return Err(stopped());
            }
        }
        self.tell_who_is_unvouched(&work);
        Ok(work.tally)
    }

    /// Names the instances that a login was taken for a proof of, and that may be other machines.
    fn tell_who_is_unvouched(&mut self, work: &Work) {
        let done = work.done_by.iter();
        let asked = done.filter_map(|(way, ids)| Some(work.ways.get(*way)?.unvouched(ids)));
        let mut ids: Vec<String> = asked.flatten().collect();
        ids.sort();
        if !ids.is_empty() {
            self.warn(format!(
                "no console has told the host keys of {}: who answered there may be another machine",
                ids.join(", ")
            ));
        }
    }

    async fn live_now(&mut self) -> Result<Vec<Instance>, PortError> {
        let plan = self.plan.clone();
        self.patiently(async |rack| live(rack, &plan).await).await
    }

    /// Finds a way to each instance that is new to us; those without one are named.
    async fn choose(
        &mut self,
        work: &mut Work,
        fresh: &[Instance],
        chosen: Option<Chosen>,
    ) -> Result<(), PortError> {
        let ways = work.ways.clone();
        let chosen = match chosen {
            Some(chosen) => chosen,
            None => {
                self.patiently(async |_| Chosen::of(&ways, fresh).await)
                    .await?
            }
        };
        for instance in fresh {
            let Some(why) = chosen.unreached.get(&instance.id) else {
                continue;
            };
            if work.starting.contains(&instance.id) && !work.is_late {
                work.is_awaiting = true;
            } else {
                self.failed(work, instance.clone(), None, why.clone());
            }
        }
        for (way, instances) in chosen.by_way {
            work.ready.insert((Stop::Add, way), instances);
        }
        Ok(())
    }

    async fn finish_round(&mut self, work: &mut Work) -> Result<(), Trouble> {
        loop {
            while let Some(((stop, way), instances)) = work.ready.pop_first() {
                self.go_to(work, stop, way, instances).await?;
            }
            if work.under_way.is_empty() {
                return Ok(());
            }
            let stop = self.stop.clone();
            let answers = tokio::select! {
                answers = work.hear() => answers,
                () = stop.requested() => return Err(stopped()),
            };
            if answers.is_empty() {
                let nobody = std::mem::take(&mut work.under_way);
                for (instance, way) in nobody.into_values() {
                    let through = work.through(way);
                    self.failed(work, instance, through, "nobody answered for it".to_owned());
                }
            }
            self.take_in(work, answers).await?;
        }
    }

    /// Starts what comes next for instances, with a line in the journal if it changes them.
    async fn go_to(
        &mut self,
        work: &mut Work,
        stop: Stop,
        way: usize,
        instances: Vec<Instance>,
    ) -> Result<(), Trouble> {
        if let Some(effect) = stop.effect() {
            let ids = instances.iter().map(|it| it.id.clone()).collect();
            self.record(Entry::Asked {
                effect,
                instances: ids,
            })
            .await?;
        }
        match stop.deed() {
            Some(deed) => work.start(deed, way, instances),
            None => self.name_key(work, way, instances).await?,
        }
        Ok(())
    }

    /// Tags instances as opened by the new key. They come together while the call before is
    /// under way, so there are few calls.
    async fn name_key(
        &mut self,
        work: &mut Work,
        way: usize,
        instances: Vec<Instance>,
    ) -> Result<(), Trouble> {
        let ids: Vec<String> = instances.iter().map(|it| it.id.clone()).collect();
        let name = self.plan.new_key.clone();
        let (tagged, stored) = self
            .patiently(async |rack| {
                let (tagged, stored) =
                    tokio::join!(rack.fleet.set_key(&ids, &name), rack.keys.get(&name));
                match tagged {
                    Err(error) if error.is_transient() => Err(error),
                    tagged => Ok((tagged, stored?)),
                }
            })
            .await?;
        // Nobody else may have let go of it meanwhile: then the old line has to stay.
        let is_kept = self
            .public_line(&name, stored)
            .is_ok_and(|line| line == work.swap.new);
        if !is_kept {
            return Err(Trouble::new(format!(
                "the private key of {name} is not kept any more: no old line is taken out"
            )));
        }
        let failed = match &tagged {
            Ok(()) => BTreeMap::new(),
            // One that is gone keeps all others from being tagged.
            Err(PortError::NotFound { .. }) if ids.len() > 1 => self.name_each(&ids).await?,
            Err(error) => ids.into_iter().map(|id| (id, error.to_string())).collect(),
        };
        self.answered(Effect::NameKey, &instances, failed.clone())
            .await?;
        for mut instance in instances {
            if let Some(why) = failed.get(&instance.id) {
                let why = format!("it cannot be tagged as opened by {name}: {why}");
                let through = work.through(way);
                self.failed(work, instance, through, why);
                continue;
            }
            instance.opened_by = Some(name.clone());
            let ready = work.ready.entry((Stop::Remove, way)).or_default();
            ready.push(instance);
        }
        Ok(())
    }

    /// Tags instances one by one; returns why some are not tagged.
    async fn name_each(&mut self, ids: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        let name = self.plan.new_key.clone();
        self.patiently(async |rack| {
            let each = ids.iter().map(std::slice::from_ref);
            let tagged = join_all(each.map(|id| rack.fleet.set_key(id, &name))).await;
            let mut failed = BTreeMap::new();
            for (id, tagged) in ids.iter().zip(tagged) {
                match tagged {
                    Err(error) if error.is_transient() => return Err(error),
                    Err(error) => drop(failed.insert(id.clone(), error.to_string())),
                    Ok(()) => {}
                }
            }
            Ok(failed)
        })
        .await
    }

    /// Takes in what has become known: those that did well go on.
    async fn take_in(&mut self, work: &mut Work, answers: Vec<KeyAnswer>) -> Result<(), Trouble> {
        let mut by_stop: BTreeMap<Stop, Vec<Known>> = BTreeMap::new();
        for answer in answers {
            if let Some((instance, way)) = work.under_way.remove(&answer.instance) {
                let stop = Stop::of(answer.deed);
                let known = by_stop.entry(stop).or_default();
                known.push((instance, way, answer.result));
            }
        }
        for (stop, known) in by_stop {
            if let Some(effect) = stop.effect() {
                let instances: Vec<_> = known.iter().map(|(it, _, _)| it.clone()).collect();
                let failed = known.iter().filter_map(|(it, _, result)| {
                    let why = result.clone().err()?;
                    Some((it.id.clone(), why))
                });
                self.answered(effect, &instances, failed.collect()).await?;
            }
            let mut others: BTreeMap<usize, Vec<(Instance, String)>> = BTreeMap::new();
            for (instance, way, result) in known {
                match (result, stop.next()) {
                    (Err(why), _) if stop == Stop::Add => {
                        others.entry(way).or_default().push((instance, why));
                    }
                    (Err(why), _) => {
                        let through = work.through(way);
                        self.failed(work, instance, through, why);
                    }
                    (Ok(()), Some(next)) => {
                        work.ready.entry((next, way)).or_default().push(instance);
                    }
                    (Ok(()), None) => self.is_done(work, &instance, way),
                }
            }
            for (way, left) in others {
                self.try_another(work, way, left).await;
            }
        }
        Ok(())
    }

    /// Sends instances on which a way could not let the new key in to the next that reaches them.
    async fn try_another(&mut self, work: &mut Work, way: usize, left: Vec<(Instance, String)>) {
        let mut left = left;
        let next: Vec<_> = work.ways.iter().cloned().enumerate().collect();
        for (place, access) in next.into_iter().skip(way + 1) {
            if left.is_empty() {
                return;
            }
            let instances: Vec<Instance> = left.iter().map(|(it, _)| it.clone()).collect();
            let unreached = match access.unreached(&instances).await {
                Ok(unreached) => unreached,
                Err(error) => {
                    let ids = instances.iter().map(|it| it.id.clone());
                    ids.map(|id| (id, error.to_string())).collect()
                }
            };
            let mut off = Vec::new();
            for (instance, why) in left {
                match unreached.get(&instance.id) {
                    Some(further) => off.push((instance, format!("{why}; {further}"))),
                    None => {
                        work.before.insert(instance.id.clone(), why);
                        let ready = work.ready.entry((Stop::Add, place)).or_default();
                        ready.push(instance);
                    }
                }
            }
            left = off;
        }
        for (instance, why) in left {
            let through = work.through(way);
            self.failed(work, instance, through, why);
        }
    }

    async fn answered(
        &mut self,
        effect: Effect,
        instances: &[Instance],
        failed: BTreeMap<String, String>,
    ) -> Result<(), Trouble> {
        let done = instances.iter().map(|it| it.id.clone());
        let done = done.filter(|id| !failed.contains_key(id)).collect();
        let entry = Entry::Answered {
            effect,
            done,
            failed,
        };
        Ok(self.record(entry).await?)
    }

    fn is_done(&mut self, work: &mut Work, instance: &Instance, way: usize) {
        let through = work.through(way);
        let proof = through.map(Through::proof);
        let known = proof.map(|proof| (instance.id.clone(), proof));
        work.tally.done.extend(known);
        let done = work.done_by.entry(way).or_default();
        done.push(instance.id.clone());
        self.emit(EventKind::Instance(InstanceReport {
            instance: instance.id.clone(),
            through,
            proof,
            error: None,
        }));
    }

    fn failed(
        &mut self,
        work: &mut Work,
        instance: Instance,
        through: Option<Through>,
        why: String,
    ) {
        let why = match work.before.get(&instance.id) {
            Some(before) => format!("{before}; {why}"),
            None => why,
        };
        self.emit(EventKind::Instance(InstanceReport {
            instance: instance.id.clone(),
            through,
            proof: None,
            error: Some(why.clone()),
        }));
        work.tally.failed.push((instance, why));
    }
}

impl Work {
    fn has(&self, id: &str) -> bool {
        self.tally.done.contains_key(id) || self.tally.failed.iter().any(|(it, _)| it.id == id)
    }
}

fn stopped() -> Trouble {
    Trouble::new("stopped before every instance had the new key").outcome(Outcome::Unproven)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack::PublicLine;

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_once_nobody_is_at_work() {
        let line = |name| PublicLine::read(name, "ssh-ed25519 KEY").unwrap();
        let swap = KeySwap {
            user: "ec2-user".to_owned(),
            new: line("new"),
            old: line("old"),
            kept: None,
        };
        let mut work = Work::new(Vec::new(), swap);
        let minute = Duration::from_secs(60);
        let answers = tokio::time::timeout(minute, work.hear()).await;
        assert!(answers.unwrap().is_empty());
    }
}
