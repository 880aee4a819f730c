//! The key service: what every operation works with.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, OnceCell, Semaphore};
use zeroize::Zeroizing;

use super::background;
use super::connection::ConnectionOptions;
use super::counter::{self, Counter};
use super::memory::{KeyMemory, KnownRoot};
use super::racks::{FoundGateway, FoundRack, RackFinder};
use super::rolls;
use super::shells::Shells;
use super::v2::Admission;
use super::vault::{Vault, VaultError};
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::keys::{Code, Hash, KeyFacts, Want, Windows};
use crate::rack::PortError;
use crate::store::{Actor, Audited, ConsoleHome, Memory, RackRecord, Sealed, Store, StoreError};
use crate::webhook::Sender;

/// How many websockets are open at most.
const SOCKETS: usize = 1000;
/// How many questions about verifications are worked on at once.
const ASKING: usize = 2;

/// How a service is set up.
#[derive(Debug, Clone, Copy)]
pub struct ServiceOptions {
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// For how long a question about verifications is worked on.
    pub analytics_time: Duration,
    /// How many rows are answered to one at most.
    pub analytics_rows: i64,
    /// For how long a request may take, its body included.
    pub request_time: Duration,
    /// How many requests the root keys of a workspace may make together, in how many
    /// milliseconds, where the workspace has no limit of its own.
    pub requests: Option<(i64, i64)>,
    /// How much memory is set aside for what is known of keys, in bytes.
    pub memory: usize,
    /// What is granted to a connection.
    pub connection: ConnectionOptions,
    /// Whether notices may go to the server's own machine.
    pub loopback_webhooks: bool,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            largest_body: 10 * 1024 * 1024,
            analytics_time: Duration::from_secs(10),
            analytics_rows: 10_000,
            request_time: Duration::from_mins(1),
            requests: None,
            memory: 128 * 1024 * 1024,
            connection: ConnectionOptions::default(),
            loopback_webhooks: false,
        }
    }
}

/// How many namespaces of rate limits are remembered at most.
const NAMESPACES: usize = 10_000;

/// Takes what went wrong, a line at a time.
type Log = Box<dyn Fn(&str) + Send + Sync>;

/// The key service. Clones share it.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    vault: Vault,
    memory: Arc<KeyMemory>,
    windows: Windows,
    counter: Counter,
    /// Whoever adds counts up holds it, so that nobody passes over what somebody is about to add.
    adding: tokio::sync::Mutex<()>,
    /// Who may ask about verifications just now, so that others find the database free.
    asking: Arc<Semaphore>,
    /// By workspace and name. None is ever deleted, so that what is remembered stays true.
    namespaces: Cache<(String, String), String>,
    options: ServiceOptions,
    log: OnceLock<Log>,
    /// How many more websockets may be opened.
    sockets: Arc<Semaphore>,
    /// Where people's keys are.
    home: OnceCell<ConsoleHome>,
    /// How racks are reached, once that is known.
    finder: OnceLock<Box<dyn RackFinder>>,
    /// How instances are logged in to, if they are.
    shells: OnceLock<Shells>,
    /// What sends notices, once there are any.
    sender: OnceLock<Option<Sender>>,
}

impl Service {
    /// Makes a service of a store that is ready, and begins to heed what others change in it.
    ///
    /// # Errors
    /// When the store's schema is not the one that this program knows.
    pub async fn new(
        store: Store,
        clock: Clock,
        entropy: Entropy,
        vault: Vault,
        options: ServiceOptions,
    ) -> Result<Self, StoreError> {
        store.check().await?;
        let memory = Arc::new(KeyMemory::new(options.memory));
        let listens: Arc<dyn Memory> = Arc::clone(&memory) as _;
        store.remember_in(listens).await?;
        let service = Self(Arc::new(Inner {
            store,
            clock,
            vault,
            memory,
            windows: Windows::default(),
            counter: Counter::new(entropy.clone()),
            adding: tokio::sync::Mutex::default(),
            entropy,
            asking: Arc::new(Semaphore::new(ASKING)),
            namespaces: Cache::new(NAMESPACES),
            options,
            log: OnceLock::new(),
            sockets: Arc::new(Semaphore::new(SOCKETS)),
            home: OnceCell::new(),
            finder: OnceLock::new(),
            shells: OnceLock::new(),
            sender: OnceLock::new(),
        }));
        background::start(&service);
        Ok(service)
    }

    /// Returns what is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Has what goes wrong in the server told to `log` from now on, a line at a time. No line
    /// holds a secret.
    pub fn log_to(&self, log: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.0.log.set(Box::new(log));
    }

    /// Has racks found by `finder` from now on; until then there are none. What is left of their
    /// rolls is taken up, and those that are due begin.
    pub fn find_racks_by(&self, finder: Box<dyn RackFinder>) {
        if self.0.finder.set(finder).is_ok() {
            rolls::take_up_for_ever(self);
            background::start_with_racks(self);
        }
    }

    /// Opens shells on instances with the system's `ssh` from now on; until then there are none.
    pub fn open_shells_with(&self, shells: Shells) {
        let _ = self.0.shells.set(shells);
    }

    /// Returns how instances are logged in to.
    pub(super) fn shells(&self) -> Option<&Shells> {
        self.0.shells.get()
    }

    /// Returns the gate in front of websockets.
    pub(super) fn sockets(&self) -> &Arc<Semaphore> {
        &self.0.sockets
    }

    /// Finds a rack as it is reached.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn find_rack(&self, rack: &RackRecord) -> Result<FoundRack, PortError> {
        self.finder()?.find(rack).await
    }

    /// Finds the API of a rack that is reached over it.
    ///
    /// # Errors
    /// As [`Self::find_rack`]'s.
    pub(super) async fn gateway(&self, rack: &RackRecord) -> Result<FoundGateway, PortError> {
        self.finder()?.gateway(rack).await
    }

    fn finder(&self) -> Result<&dyn RackFinder, PortError> {
        let finder = self.0.finder.get().ok_or_else(|| PortError::NotFound {
            what: "a way to racks".to_owned(),
        })?;
        Ok(finder.as_ref())
    }

    /// Returns where people's keys are.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn home(&self) -> Result<&ConsoleHome, StoreError> {
        let make = || self.0.store.console_home(self.now());
        self.0.home.get_or_try_init(make).await
    }

    /// Returns what sends notices, if anything can be sent from here.
    pub(super) fn sender(&self) -> Option<&Sender> {
        self.0.sender.get_or_init(Sender::new).as_ref()
    }

    /// Tells whoever reads the log what went wrong.
    pub(super) fn log(&self, line: &str) {
        if let Some(log) = self.0.log.get() {
            log(line);
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    pub(super) fn windows(&self) -> &Windows {
        &self.0.windows
    }

    pub(super) fn options(&self) -> &ServiceOptions {
        &self.0.options
    }

    /// Says what time it is, in Unix ms.
    pub(super) fn now(&self) -> i64 {
        self.0.clock.now().as_millisecond()
    }

    pub(super) async fn key(&self, secret: &SecretString) -> Result<Option<KeyFacts>, StoreError> {
        let hash = Hash::of(secret.expose_secret());
        self.0.memory.key(&self.0.store, hash).await
    }

    pub(super) async fn root(
        &self,
        secret: &SecretString,
    ) -> Result<Option<Arc<KnownRoot>>, StoreError> {
        let hash = Hash::of(secret.expose_secret());
        self.0.memory.root(&self.0.store, hash).await
    }

    /// Reads keys from the store before anybody asks for them, as many as there is memory for.
    ///
    /// # Errors
    /// As the database's.
    pub async fn read_ahead(&self) -> Result<(), StoreError> {
        self.0.memory.read_ahead(&self.0.store).await
    }

    /// Returns how many secrets this server remembers.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.0.memory.len()
    }

    /// Counts a request against the limit of its workspace, if there is one.
    pub(super) fn admit(&self, root: &KnownRoot) -> Option<Admission> {
        let (limit, duration) = root.requests.or(self.0.options.requests)?;
        let want = Want {
            window: &format!("requests:{}", root.root.workspace),
            limit,
            duration: duration.max(1),
            cost: 1,
        };
        let now = self.now();
        let taken = self.0.windows.take(&[want], now).first().copied()?;
        Some(Admission::new(limit, taken, now))
    }

    /// Returns the id of a namespace of rate limits, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn namespace(
        &self,
        workspace: &str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let which = (workspace.to_owned(), name.to_owned());
        if let Some(id) = self.0.namespaces.get(&which) {
            return Ok(Some(id));
        }
        let found = self.0.store.namespace(workspace, name).await?;
        if let Some(id) = &found {
            self.0.namespaces.insert(which, id.clone());
        }
        Ok(found)
    }

    /// Seals a text for one purpose.
    pub(super) fn seal(&self, text: &str, about: &str) -> Sealed {
        self.0.vault.seal(text, about, &self.0.entropy)
    }

    /// Opens what was sealed for one purpose.
    ///
    /// # Errors
    /// When that cannot be done with any master key that is to be had.
    pub(super) async fn unseal(
        &self,
        sealed: &[u8],
        about: &str,
    ) -> Result<Zeroizing<String>, VaultError> {
        self.0.vault.open(&self.0.store, sealed, about).await
    }

    /// Gets the master keys that came since; a task does so every second.
    ///
    /// # Errors
    /// As the database's, KMS's or the file's.
    pub async fn refresh_master_keys(&self) -> Result<(), VaultError> {
        self.0.vault.refresh(&self.0.store).await
    }

    /// Counts a verification that used up `spent` credits.
    pub(super) fn count(&self, key: &KeyFacts, code: Code, tags: &[String], spent: i64, now: i64) {
        self.0.counter.count(key, code, tags, spent, now);
    }

    /// Notes that a root key was used.
    pub(super) fn used(&self, root: &KnownRoot) {
        self.0.counter.used(&root.root.id, self.now());
    }

    /// Returns the gate in front of questions about verifications.
    pub(super) fn asking(&self) -> &Arc<Semaphore> {
        &self.0.asking
    }

    /// Writes down all verifications that were counted before, and adds them to the views for as
    /// long as `span`; tasks do so twice a second.
    ///
    /// # Errors
    /// As the database's. What is not written down or not added up then is kept for the next time.
    pub async fn write_counts(&self, span: Duration) -> Result<(), StoreError> {
        self.write_down().await?;
        self.add_up(span).await
    }

    /// Writes down all verifications that were counted before.
    pub(super) async fn write_down(&self) -> Result<(), StoreError> {
        self.0.counter.write(&self.0.store, &self.0.clock).await
    }

    /// Returns what notifies once so many are counted that they had better be written down.
    pub(super) fn counted_enough(&self) -> Arc<Notify> {
        self.0.counter.enough()
    }

    /// Returns what notifies once there is something to add up.
    pub(super) fn counted_written(&self) -> Arc<Notify> {
        self.0.counter.written()
    }

    /// Adds what was written down to the views for as long as `span`.
    pub(super) async fn add_up(&self, span: Duration) -> Result<(), StoreError> {
        let Inner { store, clock, .. } = &*self.0;
        let _turn = self.0.adding.lock().await;
        let end = clock.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        counter::add_up(store, || clock.now() >= end).await
    }

    /// Says in the log how many single verifications are in no view but the sums, since there
    /// were more at once than memory is set aside for.
    pub(super) fn tell_dropped(&self) {
        let dropped = self.0.counter.take_dropped();
        if dropped > 0 {
            self.log(&format!(
                "{dropped} verifications are in the sums and not among the single ones: there were \
                 too many at once"
            ));
        }
    }

    /// Forgets and removes what is not kept any longer; a task does so every minute.
    ///
    /// # Errors
    /// As the database's.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.0.windows.purge(now);
        self.0.store.remove_old_answers(now).await?;
        self.0.store.remove_old_sessions(now).await?;
        self.0.store.remove_old_verifications(now).await
    }

    /// Returns a way to the service that does not keep it alive.
    pub(super) fn weakly(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    /// Says that the holder of a root key changes something now.
    pub(super) fn audited(&self, root: &KnownRoot) -> Audited {
        let actor = Actor::RootKey(root.root.id.clone());
        Audited::new(&root.root.workspace, actor, self.now(), &self.0.entropy)
    }
}
