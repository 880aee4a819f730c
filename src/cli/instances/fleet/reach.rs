//! Which racks are meant, and how each of them is reached: one connection for each account and
//! region, and one budget of calls with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::args::{Wanted, WantedRack};
use crate::cli::context::Context;
use crate::cli::find::{access, open_sandbox, target};
use crate::cli::reach::{Way, decide};
use crate::clock::Clock;
use crate::config::{Config, RackSettings, nearest};
use crate::console::schedule::Glob;
use crate::ids::Entropy;
use crate::rack::aws::{Access, Account, Budgets, CALLS_PER_SECOND, Identity, Transport};
use crate::rack::{PortError, Rack};
use crate::roll::{Engine, EngineSource, FleetRack, Journals, RackHome, RackPlace, Refusal, Stop};
use crate::sandbox::Sandbox;
use crate::ui::{CliError, FleetView};

/// Where calls go: region, profile, role.
type Route = [Option<String>; 3];

/// How the racks of a fleet are reached.
pub(super) struct Reacher {
    config: Config,
    clock: Clock,
    entropy: Entropy,
    journals: Journals,
    budgets: Budgets,
    sandbox: Option<Sandbox>,
    accounts: RefCell<BTreeMap<Route, Reached>>,
    context: Context,
    view: FleetView,
    stop: Stop,
}

/// A connection, and where it leads if anybody says so.
#[derive(Clone)]
struct Reached {
    account: Account,
    home: Option<RackHome>,
}

/// A rack that was found, and what tells it from others.
struct Found {
    rack: FleetRack,
    settings: RackSettings,
    route: Route,
}

impl Reacher {
    /// Gets ready to reach racks, each of which tells `view` what happens, with so many calls of
    /// each API a second if that is said.
    pub(super) async fn open(
        context: &Context,
        view: FleetView,
        stop: Stop,
        calls_per_second: Option<u32>,
    ) -> Result<Self, CliError> {
        if let Way::Api(_) = decide(context, None)?.way {
            return Err(
                CliError::usage("a fleet is rolled in its accounts, and a host is chosen")
                    .hint("`--via aws` goes to AWS"),
            );
        }
        let (sandbox, clock, config) = if context.global().sandbox {
            let (sandbox, clock) = open_sandbox(context)?;
            (Some(sandbox), clock, Config::default())
        } else {
            let config = Config::load(context.environment())?;
            (None, Clock::system(), config)
        };
        Ok(Self {
            config,
            entropy: context.entropy()?,
            journals: Journals::new(context.journals_dir()?),
            budgets: Budgets::new(
                clock.clone(),
                calls_per_second.map_or(CALLS_PER_SECOND, f64::from),
            ),
            clock,
            sandbox,
            accounts: RefCell::default(),
            context: context.clone(),
            view,
            stop,
        })
    }

    /// Returns the clock of the place where the racks are.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the source of chance.
    pub(super) fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    /// Finds the racks that are meant; nobody's stack is in the answer twice.
    ///
    /// # Errors
    /// One that is named is not there, or a pattern stands for none.
    pub(super) async fn find(&self, wanted: &Wanted) -> Result<Vec<FleetRack>, CliError> {
        let mut known: BTreeMap<RackPlace, Vec<String>> = BTreeMap::new();
        for rack in wanted.racks.iter().filter(|rack| !rack.anywhere) {
            self.list(&rack.place, &mut known).await?;
        }
        let racks = wanted.racks.iter();
        let racks: Vec<_> = racks.map(|it| placed(it, &wanted.racks, &known)).collect();
        let mut found: Vec<Found> = Vec::new();
        let mut missing = Vec::new();
        for rack in &racks {
            self.list(&rack.place, &mut known).await?;
            let names = &known[&rack.place];
            let glob = Glob::new(&rack.name);
            if !glob.is_pattern() {
                match self.named(rack, names).await? {
                    Some(one) => found.push(one),
                    None => missing.push(rack),
                }
                continue;
            }
            let fitting: Vec<_> = names.iter().filter(|name| glob.fits(name)).collect();
            if fitting.is_empty() {
                missing.push(rack);
            }
            for name in fitting {
                found.push(self.found(rack, name).await?);
            }
        }
        if !missing.is_empty() {
            return Err(not_there(&missing, &known));
        }
        once(found)
    }

    /// Puts the racks of a place with those that are known, once.
    async fn list(
        &self,
        place: &RackPlace,
        known: &mut BTreeMap<RackPlace, Vec<String>>,
    ) -> Result<(), CliError> {
        if !known.contains_key(place) {
            let names = self.known(place).await?;
            known.insert(place.clone(), names);
        }
        Ok(())
    }

    /// Lists the racks of a place: those of its account, by the names that `config.yaml` gives
    /// their stacks; in the place that nobody named, those of `config.yaml` too.
    async fn known(&self, place: &RackPlace) -> Result<Vec<String>, CliError> {
        let mut names = BTreeSet::new();
        let mut described = BTreeSet::new();
        if *place == RackPlace::default() {
            for name in self.config.rack_names() {
                let settings = self
                    .config
                    .resolve(Some(&name), self.context.environment())?;
                described.insert(settings.stack);
                names.insert(name);
            }
        }
        let account = match self.reach(&self.access(None, place)).await {
            // Every rack says for itself where it is.
            Err(PortError::NoRegion) if !names.is_empty() => return Ok(Vec::from_iter(names)),
            reached => reached?.account,
        };
        let stacks = account.stacks().racks().await?;
        names.extend(stacks.into_iter().filter(|it| !described.contains(it)));
        Ok(Vec::from_iter(names))
    }

    /// Finds a rack by its name, if its stack is there.
    async fn named(&self, rack: &WantedRack, known: &[String]) -> Result<Option<Found>, CliError> {
        let found = self.found(rack, &rack.name).await?;
        let is_described = self.config.describes(&rack.name);
        if known.contains(&rack.name) && !is_described {
            return Ok(Some(found));
        }
        let access = self.access(Some(&found.settings), &rack.place);
        let account = self.reach(&access).await?.account;
        match account.stacks().describe(&found.settings.stack).await {
            Ok(_) => Ok(Some(found)),
            Err(PortError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn found(&self, rack: &WantedRack, name: &str) -> Result<Found, CliError> {
        let settings = self
            .config
            .resolve(Some(name), self.context.environment())?;
        let access = self.access(Some(&settings), &rack.place);
        // One that cannot be reached is told when its turn comes.
        let home = self.reach(&access).await.ok().and_then(|it| it.home);
        Ok(Found {
            rack: FleetRack {
                name: name.to_owned(),
                rack: None,
                wave: rack.wave,
                canary: rack.canary,
                place: rack.place.clone(),
                home,
            },
            settings,
            route: route(&access),
        })
    }

    /// Says how an account is reached. What the list of racks says of a place holds above all.
    fn access(&self, settings: Option<&RackSettings>, place: &RackPlace) -> Access {
        let mut access = match &self.sandbox {
            Some(sandbox) => {
                let transport = Transport::InProcess(sandbox.in_process());
                Access::new(transport, self.clock.clone())
            }
            None => access(&self.context, settings, &self.clock),
        };
        for (said, field) in [
            (&place.region, &mut access.region),
            (&place.profile, &mut access.profile),
            (&place.role_arn, &mut access.assume_role),
        ] {
            if said.is_some() {
                field.clone_from(said);
            }
        }
        access
    }

    /// Returns the connection that all racks share that are reached in the same way. Whoever
    /// calls the same account and region shares a budget besides, by whichever way.
    async fn reach(&self, access: &Access) -> Result<Reached, PortError> {
        let route = route(access);
        let known = self.accounts.borrow().get(&route).cloned();
        if let Some(reached) = known {
            return Ok(reached);
        }
        let bare = Account::connect(access).await?;
        let (budget, home) = match bare.identity().await {
            Ok(Identity { account, .. }) => {
                let region = bare.region().to_owned();
                let budget = self.budgets.of_account(&account, &region);
                (budget, Some(RackHome { account, region }))
            }
            Err(error) if error.is_transient() => (self.budgets.of(access), None),
            Err(error) => return Err(error),
        };
        let mut access = access.clone();
        access.budget = Some(budget);
        let account = Account::connect(&access).await?;
        let reached = Reached { account, home };
        if reached.home.is_none() {
            // Whoever comes next asks again.
            return Ok(reached);
        }
        let mut accounts = self.accounts.borrow_mut();
        Ok(accounts.entry(route).or_insert(reached).clone())
    }

    async fn rack(&self, rack: &FleetRack) -> Result<(Rack, Option<RackHome>), CliError> {
        let environment = self.context.environment();
        let settings = self.config.resolve(Some(rack.rack()), environment)?;
        let access = self.access(Some(&settings), &rack.place);
        let Reached { account, home } = self.reach(&access).await?;
        Ok((account.rack(&target(settings), &self.entropy)?, home))
    }
}

impl EngineSource for Reacher {
    async fn engine(&self, rack: &FleetRack) -> Result<Engine, Refusal> {
        let (found, home) = self.rack(rack).await.map_err(|error| {
            let hint = error.hints().first().cloned();
            Refusal::unreachable(error.message(), hint)
        })?;
        rack.check_home(home.as_ref())?;
        Ok(Engine::new(
            found,
            self.clock.clone(),
            self.entropy.clone(),
            self.journals.clone(),
            self.view.of_rack(&rack.name),
            self.stop.clone(),
        ))
    }
}

fn route(access: &Access) -> Route {
    [
        access.region.clone(),
        access.profile.clone(),
        access.assume_role.clone(),
    ]
}

/// Says where a rack is that is named without a place: where a pattern of another finds it.
fn placed(
    rack: &WantedRack,
    all: &[WantedRack],
    known: &BTreeMap<RackPlace, Vec<String>>,
) -> WantedRack {
    let finds = |other: &&WantedRack| {
        let has_name = Glob::new(&other.name).fits(&rack.name);
        let names = known.get(&other.place);
        has_name && names.is_some_and(|names| names.contains(&rack.name))
    };
    let mut rack = rack.clone();
    if rack.anywhere
        && let Some(other) = all.iter().filter(|it| !it.anywhere).find(finds)
    {
        rack.place = other.place.clone();
    }
    rack
}

/// Leaves out racks that were found before, and tells racks of one name in several places apart.
fn once(found: Vec<Found>) -> Result<Vec<FleetRack>, CliError> {
    // The same account and region may be reached in several ways.
    let mut stacks: BTreeMap<(Result<RackHome, Route>, String), String> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut racks = Vec::new();
    for Found {
        mut rack,
        settings,
        route,
    } in found
    {
        let home = rack.home.clone().ok_or_else(|| route.clone());
        let stack = (home, settings.stack);
        match stacks.get(&stack) {
            Some(before) if *before == rack.name => continue,
            Some(before) => {
                let message = format!("{before} and {} are the same stack", rack.name);
                return Err(CliError::usage(message).hint("name one of them"));
            }
            None => {}
        }
        stacks.insert(stack, rack.name.clone());
        if !taken.insert(rack.name.clone()) {
            let mut place: Vec<_> = route.into_iter().flatten().collect();
            if let (true, Some(home)) = (place.is_empty(), &rack.home) {
                place.extend([home.account.clone(), home.region.clone()]);
            }
            let called = format!("{}@{}", rack.name, place.join("/"));
            rack.rack = Some(std::mem::replace(&mut rack.name, called));
            taken.insert(rack.name.clone());
        }
        racks.push(rack);
    }
    Ok(racks)
}

fn not_there(missing: &[&WantedRack], known: &BTreeMap<RackPlace, Vec<String>>) -> CliError {
    let names: Vec<_> = missing.iter().map(|rack| rack.name.as_str()).collect();
    let error = CliError::failed(format!("no rack is called {}", names.join(", ")));
    let Some(first) = missing.first() else {
        return error;
    };
    let near = nearest(&first.name, &known[&first.place]);
    if near.is_empty() {
        error.hint("`convox racks` lists those that there are; nothing has begun")
    } else {
        error.hint(format!("was {} meant? nothing has begun", near.join(", ")))
    }
}
