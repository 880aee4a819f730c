//! Finds rolls: by their journals here, and elsewhere by what the rack remembers of them.

use std::collections::BTreeMap;

use super::api::{self, ApiKeyRequest, NewKey};
use super::care::Care;
use super::engine::{Engine, RollSummary, since};
use super::event::{EVENT_VERSION, Event, EventKind};
use super::forward::{
    TAG_KEEP_OLD, TAG_KEY_TYPE, TAG_PROTECTED, TAG_RACK, TAG_REPLACES, TAG_ROLL, TAG_STACK,
    TAG_STRATEGY, TAG_SURGE,
};
use super::gate::TAG_GATED;
use super::journal::{Entry, JournalKeeper, Line};
use super::observe::{Depth, observe};
use super::plan::{Advice, Plan, RollOptions};
use super::preflight::{self, Refusal};
use super::revoke::TAG_REVOKES;
use super::strategy::Strategy;
use super::tail::EventTail;
use super::tracker::Tracker;
use crate::ids::RollId;
use crate::rack::{KeyPair, KeyType};

/// A roll that can be taken up again.
pub(super) struct Found {
    pub(super) plan: Plan,
    pub(super) lines: Vec<Line>,
    pub(super) from_journal: bool,
}

impl Engine {
    /// Lists the rolls that this machine or the rack's key pairs know of, oldest first.
    ///
    /// # Errors
    /// When neither can be read.
    pub async fn rolls(&mut self) -> Result<Vec<RollSummary>, Refusal> {
        let mut rolls = BTreeMap::new();
        let tags = BTreeMap::from([(TAG_RACK.to_owned(), self.rack.name.clone())]);
        for pair in self.rack.key_pairs.tagged(&tags).await? {
            let id = pair
                .tags
                .get(TAG_ROLL)
                .and_then(|id| id.parse::<RollId>().ok());
            if let Some(id) = id {
                rolls.insert(id.clone(), summary_of_pair(id, &self.rack.name, &pair));
            }
        }
        for (id, summary) in self.rolls_of_the_api_key().await? {
            rolls.insert(id, summary);
        }
        for summary in journaled_rolls(self.desk.journals.as_ref()).await? {
            rolls.insert(summary.id.clone(), summary);
        }
        Ok(rolls.into_values().collect())
    }

    /// Returns what the rack itself remembers of a roll: for a machine without its journal.
    ///
    /// # Errors
    /// When no such roll is known.
    pub async fn remembered(&mut self, id: &RollId) -> Result<Vec<Event>, Refusal> {
        let found = self.find(id).await?;
        let mut tail = EventTail::new(&found.plan.stack_id, since(id));
        let groups = found.plan.groups.iter();
        let groups = groups.map(|group| (group.logical_id.clone(), group.instances));
        let mut tracker = Tracker::new(&found.plan.stack_id, id.as_str(), groups).strictly();
        let mut events = Vec::new();
        let mut tell = |at, kind| {
            let seq = u64::try_from(events.len())
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            let (v, roll) = (EVENT_VERSION, id.clone());
            events.push(Event {
                v,
                seq,
                at,
                roll,
                kind,
            });
        };
        tell(id.made_at(), EventKind::Planned(Box::new(found.plan)));
        for event in tail.poll(self.rack.stacks.as_ref()).await?.events {
            if tracker.observe(&event).ours {
                tell(event.at, EventKind::Stack(event));
            }
        }
        Ok(events)
    }

    /// Lists the rolls of the API key that the key store knows of.
    async fn rolls_of_the_api_key(&self) -> Result<Vec<(RollId, RollSummary)>, Refusal> {
        let rack = &self.rack.name;
        let names = match self.rack.keys.list(&api::name_of(rack, "")).await {
            Ok(names) => names,
            Err(error) if error.is_transient() => return Err(error.into()),
            // A store that cannot be listed, or that the stack does not have, has none to show.
            Err(_) => Vec::new(),
        };
        let summaries = names.into_iter().filter_map(|name| {
            let id = api::roll_of(rack, &name)?;
            let summary = RollSummary {
                rack: rack.clone(),
                api: true,
                started_at: id.made_at(),
                state: "known by its new key".to_owned(),
                outcome: None,
                old_key: None,
                new_key: name,
                local: false,
                id: id.clone(),
            };
            Some((id, summary))
        });
        Ok(summaries.collect())
    }

    /// Finds a roll of the API key by what the key store keeps for it.
    async fn find_by_value(&mut self, id: &RollId) -> Result<Found, Refusal> {
        let name = api::name_of(&self.rack.name, id.as_str());
        let stored = self
            .patiently(id, async |rack| Ok(rack.keys.get(&name).await?))
            .await?;
        let stored = stored.ok_or_else(|| unknown(id))?;
        let new = NewKey::of_stored(&stored, &name)?;
        let mut rack = self.rack.clone();
        rack.stack.clone_from(&new.stack);
        let access = self.api.clone();
        let observed = self
            .patiently(id, async |_| api::observe(&rack, id, &access, &new).await)
            .await?;
        let request = ApiKeyRequest {
            set: new.set,
            ..ApiKeyRequest::default()
        };
        Ok(Found {
            plan: api::draft(&rack, id.clone(), &request, &observed),
            lines: Vec::new(),
            from_journal: false,
        })
    }

    /// Finds a roll by its journal here, or else by the tags of its key pair.
    pub(super) async fn find(&mut self, id: &RollId) -> Result<Found, Refusal> {
        if let Some((plan, lines)) = journaled(self.desk.journals.as_ref(), id).await? {
            if plan.is_far() {
                return Err(another_way(id));
            }
            return Ok(Found {
                plan,
                lines,
                from_journal: true,
            });
        }
        let tags = BTreeMap::from([(TAG_ROLL.to_owned(), id.to_string())]);
        let tagged = self
            .patiently(id, async |rack| Ok(rack.key_pairs.tagged(&tags).await?))
            .await?;
        let Some(pair) = tagged.into_iter().next() else {
            return self.find_by_value(id).await;
        };
        let tag = |name: &str| pair.tags.get(name).cloned();
        if let Some(old) = tag(TAG_REVOKES) {
            return self.found_revocation(id, pair, old).await;
        }
        let mut rack = self.rack.clone();
        // The name does not find a stack that has been deleted meanwhile.
        rack.stack = tag(TAG_STACK).unwrap_or(rack.stack);
        let observed = self
            .patiently(id, async |_| observe(&rack, id, Depth::Whole).await)
            .await?;
        let rsa = tag(TAG_KEY_TYPE).as_deref() == Some(KeyType::Rsa.as_str());
        let options = RollOptions {
            key_type: if rsa { KeyType::Rsa } else { KeyType::Ed25519 },
            keep_old: pair.tags.contains_key(TAG_KEEP_OLD),
            strategy: tag(TAG_STRATEGY)
                .and_then(|name| Strategy::named(&name))
                .unwrap_or_default(),
            surge: tag(TAG_SURGE)
                .and_then(|size| size.parse().ok())
                .unwrap_or_default(),
            ..RollOptions::DEFAULT
        };
        let mut plan = preflight::draft(&rack, id.clone(), options, &Care::default(), &observed);
        plan.gates.unknown = pair.tags.contains_key(TAG_GATED);
        // What the groups are made from now may be the roll's own doing already.
        if let Some(refresh) = &mut plan.refresh {
            refresh.before.clear();
        }
        plan.old_key = tag(TAG_REPLACES);
        // What is protected by now says nothing of what was before.
        let protected = tag(TAG_PROTECTED).unwrap_or_default();
        let protected: Vec<&str> = protected.split(',').collect();
        let groups = plan.groups.iter();
        plan.touches.protected = groups
            .filter(|group| protected.contains(&group.logical_id.as_str()))
            .map(|group| group.name.clone())
            .collect();
        plan.new_key = pair.name;
        Ok(Found {
            plan,
            lines: Vec::new(),
            from_journal: false,
        })
    }
}

/// Lists the rolls that have a journal, oldest first.
///
/// # Errors
/// When a journal cannot be read.
pub async fn journaled_rolls(journals: &dyn JournalKeeper) -> Result<Vec<RollSummary>, Refusal> {
    let mut rolls = Vec::new();
    for id in journals.all().await? {
        let lines = journals.lines(&id).await?.unwrap_or_default();
        rolls.extend(summary_of_journal(&lines));
    }
    Ok(rolls)
}

/// Finds a roll that has a journal, by its id.
pub(super) async fn journaled(
    journals: &dyn JournalKeeper,
    id: &RollId,
) -> Result<Option<(Plan, Vec<Line>)>, Refusal> {
    let Some(lines) = journals.lines(id).await? else {
        return Ok(None);
    };
    let plan = lines.iter().find_map(|line| match &line.entry {
        Entry::Opened(plan) => Some(plan.as_ref().clone()),
        _ => None,
    });
    Ok(plan.map(|plan| (plan, lines)))
}

fn another_way(id: &RollId) -> Refusal {
    Refusal::nothing_changed(Advice {
        code: "another-way".to_owned(),
        message: format!("roll {id} was begun over the rack's API"),
        hint: "`--via api` goes there".to_owned(),
    })
}

fn unknown(id: &RollId) -> Refusal {
    Refusal::nothing_changed(Advice {
        code: "no-such-roll".to_owned(),
        message: format!("no roll {id} is known, here or by the rack's key pairs"),
        hint: "list the rolls with `convox rolls list`".to_owned(),
    })
}

fn summary_of_pair(id: RollId, rack: &str, pair: &KeyPair) -> RollSummary {
    RollSummary {
        rack: rack.to_owned(),
        started_at: pair.created_at.unwrap_or_else(|| id.made_at()),
        state: "known by its key pair".to_owned(),
        outcome: None,
        old_key: pair.tags.get(TAG_REPLACES).cloned(),
        new_key: pair.name.clone(),
        local: false,
        api: false,
        id,
    }
}

fn summary_of_journal(lines: &[Line]) -> Option<RollSummary> {
    let (first, plan) = lines.iter().find_map(|line| match &line.entry {
        Entry::Opened(plan) => Some((line, plan)),
        _ => None,
    })?;
    let (state, outcome) = match &lines.last()?.entry {
        Entry::Closed(report) => (report.message.clone(), Some(report.outcome)),
        Entry::TurnedBack | Entry::Halted { .. } => ("on its way back".to_owned(), None),
        _ => ("under way or interrupted".to_owned(), None),
    };
    Some(RollSummary {
        id: plan.roll.clone(),
        rack: plan.rack.clone(),
        api: plan.is_api(),
        started_at: first.at,
        state,
        outcome,
        old_key: plan.old_key.clone(),
        new_key: plan.new_key.clone(),
        local: true,
    })
}
