//! A console with a rack of the sandbox, and people who ask it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use convox::clock::Clock;
use convox::console::{
    FoundGateway, FoundRack, Issuer, KeySource, RackFinder, Service, ServiceOptions, Vault,
    add_person, initialize, router, seal_rack_key,
};
use convox::ids::Entropy;
use convox::keys::{Grace, IdKind, NewSecret, SecretFormat, new_id};
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rack::remote::{Endpoint, Proxies, RemoteGateway, RemoteOptions, Trust};
use convox::rack::{PortError, Rack};
use convox::sandbox::{Sandbox, Scenario};
use convox::store::{
    Actor, Audited, NewApi, NewKey, NewRack, Page, RackKind, RackRecord, RerollRequest, Role,
    Sealed, Store, SuccessorSecret,
};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::databases::new_database;
use crate::sandbox_api::Probe;

/// How much faster than the machine's the racks' time goes: a roll takes about a second.
const SPEED: f64 = 600.0;

/// Runs a test of a console on every database that there is.
pub async fn on_both(scenario: &str, test: impl AsyncFn(&Console)) {
    on_both_at(&Clock::system, scenario, test).await;
}

/// Runs a test of a console whose server has a time of its own on every database that there is.
pub async fn on_both_at(clock: &dyn Fn() -> Clock, scenario: &str, test: impl AsyncFn(&Console)) {
    on_stores(async |books: &Books| {
        test(&Console::on(books.clone(), scenario, clock()).await).await;
    })
    .await;
}

/// Runs a test of a console on every database that there is, whose racks are those of a scenario.
pub async fn on_both_with(scenario: &Scenario, test: impl AsyncFn(&Console)) {
    on_stores(async |books: &Books| {
        let racks = Racks::of(scenario).await;
        test(&Console::with(books.clone(), racks, Clock::system()).await).await;
    })
    .await;
}

/// Runs a test of a console on SQLite, whose racks are those of a scenario.
pub async fn on_sqlite_with(scenario: &Scenario, test: impl AsyncFnOnce(&Console)) {
    let racks = Racks::of(scenario).await;
    let clock = Clock::system();
    test(&Console::with(Books::on_sqlite().await, racks, clock).await).await;
}

/// Runs a test on every database that there is, which no server serves.
pub async fn on_stores(test: impl AsyncFn(&Books)) {
    test(&Books::on_sqlite().await).await;
    match std::env::var("CONVOX_TEST_DATABASE_URL") {
        Ok(url) => test(&Books::on_postgres(&url).await).await,
        Err(_) => {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                eprintln!(
                    "skipped: PostgreSQL, `.ci/postgres cargo test --test console` runs it too"
                );
            });
        }
    }
}

/// Reads one of the scenarios that there are.
pub fn scenario(name: &str) -> Scenario {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    Scenario::load(&dir.join(format!("{name}.yaml"))).unwrap()
}

/// The account that racks are in.
#[derive(Clone)]
pub struct Racks {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub rack: Rack,
}

impl Racks {
    pub async fn new(name: &str) -> Self {
        Self::of(&scenario(name)).await
    }

    async fn of(scenario: &Scenario) -> Self {
        let start = "2026-11-22T02:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start, SPEED);
        let sandbox = Sandbox::new(scenario, clock.clone()).unwrap();
        let transport = Transport::InProcess(sandbox.in_process());
        let account = Account::connect(&Access::new(transport, clock.clone())).await;
        let rack = account
            .unwrap()
            .rack(&Target::rack("prod"), &Entropy::system().unwrap());
        let mut rack = rack.unwrap();
        rack.probe = Some(Arc::new(Probe(sandbox.clone())));
        Self {
            sandbox,
            clock,
            rack,
        }
    }

    /// Returns the key pairs that instances were started with.
    pub async fn keys_of_instances(&self) -> BTreeSet<Option<String>> {
        let instances = self.rack.system.instances().await.unwrap();
        instances.into_iter().map(|it| it.key_name).collect()
    }
}

#[async_trait]
impl RackFinder for Racks {
    async fn find(&self, _: &RackRecord) -> Result<FoundRack, PortError> {
        Ok(FoundRack {
            rack: self.rack.clone(),
            clock: self.clock.clone(),
        })
    }

    async fn gateway(&self, rack: &RackRecord) -> Result<FoundGateway, PortError> {
        let host = rack.settings["host"].as_str().unwrap();
        let endpoint = Endpoint::of_host(host, "".into(), false)?;
        let options = RemoteOptions {
            proxies: Proxies::none(),
            ..RemoteOptions::default()
        };
        let gateway = RemoteGateway::new(endpoint, &Trust::new(), Clock::system(), options)?;
        Ok(FoundGateway {
            gateway: Arc::new(gateway),
            clock: self.clock.clone(),
        })
    }
}

/// A database with the organization `acme` and its rack `prod`.
#[derive(Clone)]
pub struct Books {
    pub store: Store,
    pub acme: String,
    pub rack: String,
    pub entropy: Entropy,
    directory: Arc<tempfile::TempDir>,
    /// Where it is, if several servers may serve it.
    url: Option<String>,
    /// What its servers have logged.
    log: Arc<Mutex<String>>,
}

/// A console on loopback, whose rack `prod` is the sandbox's.
pub struct Console {
    pub address: String,
    pub racks: Racks,
    /// The server's time, which is not that of the racks.
    pub clock: Clock,
    pub service: Service,
    books: Books,
}

impl Deref for Console {
    type Target = Books;

    fn deref(&self) -> &Books {
        &self.books
    }
}

/// An answer, as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
    pub request_id: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.content_type, "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns status and text.
    pub fn told(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

impl Books {
    async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.db");
        let store = Store::sqlite(&path, Entropy::system().unwrap()).await;
        Self::on(store.unwrap(), directory, None).await
    }

    async fn on_postgres(url: &str) -> Self {
        let url = new_database(url).await;
        let entropy = Entropy::system().unwrap();
        let store = Store::postgres(&url, Clock::system(), entropy).await;
        Self::on(store.unwrap(), tempfile::tempdir().unwrap(), Some(url)).await
    }

    async fn on(store: Store, directory: tempfile::TempDir, url: Option<String>) -> Self {
        store.migrate().await.unwrap();
        let entropy = Entropy::system().unwrap();
        let source = KeySource::file(directory.path().join("master.key"));
        let made = initialize(&store, "acme", 1, &entropy, &source).await;
        let mut books = Self {
            store,
            acme: made.unwrap().unwrap().workspace,
            rack: String::new(),
            entropy,
            directory: Arc::new(directory),
            url,
            log: Arc::default(),
        };
        books.rack = books.add_rack(&books.acme, "prod").await;
        books
    }

    /// Returns the directory of the master key.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Makes another organization.
    pub async fn organization(&self, name: &str) -> String {
        let made = self.store.create_workspace(name, 1).await;
        made.unwrap().id
    }

    /// Lets the console know a rack, and returns its id.
    pub async fn add_rack(&self, workspace: &str, name: &str) -> String {
        let by = self.by(workspace, 1);
        let id = self.store.new_rack_id(1);
        let new = NewRack {
            id: id.clone(),
            name: name.to_owned(),
            kind: RackKind::Sandbox,
            settings: json!({}),
            password: None,
        };
        self.store.create_rack(new, by).await.unwrap();
        id
    }

    /// Lets the console know a rack that is reached over its API, and returns its id.
    pub async fn add_api_rack(&self, name: &str, host: &str, password: &str) -> String {
        let id = self.store.new_rack_id(1);
        let source = KeySource::file(self.directory().join("master.key"));
        let vault = Vault::of(&self.store, source).await.unwrap();
        let new = NewRack {
            id: id.clone(),
            name: name.to_owned(),
            kind: RackKind::Api,
            settings: json!({ "host": host }),
            password: Some(seal_rack_key(&vault, &id, &password.into(), &self.entropy)),
        };
        let by = self.by(&self.acme, 1);
        self.store.create_rack(new, by).await.unwrap();
        id
    }

    /// Seals a text, as a server would.
    pub async fn sealed(&self, text: &str) -> Sealed {
        self.vault().await.seal(text, "a test", &self.entropy)
    }

    /// Returns where the master keys are.
    pub fn key_source(&self) -> KeySource {
        KeySource::file(self.directory().join("master.key"))
    }

    /// Returns what a server seals with.
    pub async fn vault(&self) -> Vault {
        Vault::of(&self.store, self.key_source()).await.unwrap()
    }

    /// Opens the database for another server; none where there may be only one.
    pub async fn for_another(&self) -> Option<Self> {
        let url = self.url.as_ref()?;
        let store = Store::postgres(url, Clock::system(), self.entropy.clone()).await;
        Some(Self {
            store: store.unwrap(),
            ..self.clone()
        })
    }

    /// Starts a server of this database, and of no racks.
    pub async fn service_of(&self, clock: &Clock, options: ServiceOptions) -> Service {
        let (store, entropy) = (self.store.clone(), self.entropy.clone());
        let vault = self.vault().await;
        let service = Service::new(store, clock.clone(), entropy, vault, options);
        let service = service.await.unwrap();
        let log = self.log.clone();
        service.log_to(move |line| {
            eprintln!("console: {line}");
            log.lock().unwrap().push_str(line);
        });
        service
    }

    /// Starts a server of this database, and of racks.
    pub async fn service(&self, racks: impl RackFinder + 'static, clock: &Clock) -> Service {
        let options = ServiceOptions {
            loopback_webhooks: true,
            ..ServiceOptions::default()
        };
        let service = self.service_of(clock, options).await;
        service.find_racks_by(Box::new(racks));
        service
    }

    /// Says who changes something in an organization at `at`.
    pub fn by(&self, workspace: &str, at: i64) -> Audited {
        Audited::new(workspace, Actor::Operator, at, &self.entropy)
    }
}

impl Console {
    async fn on(books: Books, scenario: &str, clock: Clock) -> Self {
        Self::with(books, Racks::new(scenario).await, clock).await
    }

    async fn with(books: Books, racks: Racks, clock: Clock) -> Self {
        let service = books.service(racks.clone(), &clock).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = router(&service);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            racks,
            clock,
            service,
            books,
        }
    }

    /// Returns the database, which other servers may serve too.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Adds somebody to an organization, and returns them with their account key.
    pub async fn person(&self, name: &str, role: Role, workspace: &str) -> Person<'_> {
        let by = Issuer {
            actor: &Actor::Operator,
            now: 1,
            entropy: &self.entropy,
        };
        let (person, key) = add_person(&self.store, name, role, by, workspace)
            .await
            .unwrap();
        Person {
            console: self,
            id: person.id,
            key: key.secret.expose_secret().to_owned(),
            rack: None,
        }
    }

    /// Adds somebody to `acme` who asks about its rack.
    pub async fn operator(&self) -> Person<'_> {
        let acme = self.acme.clone();
        let person = self.person("ada", Role::Operator, &acme).await;
        person.of("acme/prod")
    }

    /// Makes a key for somebody in an API of the key service that is not the console's own.
    pub async fn key_issued_to(&self, person: &str) -> String {
        let (id, secret, format) = self.minted("convox");
        let text = secret.text.expose_secret().to_owned();
        self.make_key((id, secret, format), None, Some(person))
            .await;
        text
    }

    /// Makes a key of that name, and returns its id and the one of its API, which is `acme`'s.
    pub async fn key_called(&self, name: &str) -> (String, String) {
        let minted = self.minted("ord");
        let id = minted.0.clone();
        let api = self.make_key(minted, Some(name), None).await;
        (id, api)
    }

    /// Makes the id and the secret of a key.
    pub fn minted(&self, prefix: &str) -> (String, NewSecret, SecretFormat) {
        let format = SecretFormat::new(Some(prefix), 32).unwrap();
        let id = new_id(IdKind::Key, 1, &self.entropy);
        (id, format.mint(&self.entropy), format)
    }

    /// Words a request to have a new key take the place of another.
    pub fn reroll(&self, key: &str, grace: Grace, prefix: &str) -> RerollRequest {
        let (successor, secret, format) = self.minted(prefix);
        let made = SuccessorSecret {
            secret,
            format,
            sealed: None,
            once: None,
        };
        RerollRequest {
            key: key.to_owned(),
            grace,
            successor,
            make: Arc::new(move |_, _| Ok(made.clone())),
            is_repeatable: false,
        }
    }

    async fn make_key(
        &self,
        (id, secret, format): (String, NewSecret, SecretFormat),
        name: Option<&str>,
        person: Option<&str>,
    ) -> String {
        let new = NewApi {
            name: "orders".to_owned(),
            ..NewApi::default()
        };
        let api = self.store.create_api(new, self.by(&self.acme, 1)).await;
        let api = api.unwrap().id;
        let new = NewKey {
            id,
            api: api.clone(),
            secret,
            format,
            name: name.map(str::to_owned),
            external_id: person.map(str::to_owned),
            meta: None,
            roles: Vec::new(),
            permissions: Vec::new(),
            expires: None,
            credits: None,
            ratelimits: Vec::new(),
            enabled: true,
            sealed: None,
        };
        let made = self.store.create_key(new, self.by(&self.acme, 1), None);
        made.await.unwrap();
        api
    }

    /// Returns the id of somebody's first account key.
    pub async fn account_key(&self, person: &Person<'_>) -> String {
        let home = self.store.console_home(1).await.unwrap();
        let page = Page {
            cursor: None,
            limit: 1,
            search: None,
        };
        let whose = Some(person.id.clone());
        let keys = self
            .store
            .keys_of_api(&home.workspace, &home.api, whose, page);
        keys.await.unwrap().items[0].id.clone()
    }

    /// Returns what the server has logged.
    pub fn logged(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Returns the descriptions in the audit log, oldest first, with who did it.
    pub async fn audited(&self) -> Vec<(String, String)> {
        let events = self.store.audit_events(&self.acme, None, 1000).await;
        let events = events.unwrap().into_iter();
        events
            .map(|event| (event.actor, event.description))
            .collect()
    }

    /// Waits until the only roll of the rack has ended, and returns its report.
    pub async fn ended(&self) -> Value {
        self.ended_of(&self.rack).await
    }

    /// The same of another rack, by its id; one that is left until it is tried again has ended.
    pub async fn ended_of(&self, rack: &str) -> Value {
        for _ in 0..6000 {
            let roll = self.store.rolls(rack, 1).await.unwrap().pop();
            if let Some(report) = roll.and_then(|roll| roll.report) {
                return serde_json::from_str(&report).unwrap();
            }
            self.racks.clock.sleep(Duration::from_secs(5)).await;
        }
        panic!("the roll does not end");
    }
}

/// Somebody with an account key.
#[derive(Clone)]
pub struct Person<'c> {
    pub console: &'c Console,
    pub id: String,
    pub key: String,
    pub rack: Option<String>,
}

impl Person<'_> {
    /// The same, asking about a rack.
    pub fn of(mut self, rack: &str) -> Self {
        self.rack = Some(rack.to_owned());
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// Asks as the classic command line does, header by header.
    pub async fn ask(&self, method: Method, path: &str, form: Option<&str>) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let kind = match form {
            Some(_) => "application/x-www-form-urlencoded",
            None => "application/octet-stream",
        };
        let mut request = client
            .request(method, format!("{}{path}?", self.console.address))
            .header("User-Agent", "convox.go/dev")
            .header("Version", "dev")
            .header("Accept", "*/*")
            .header("Content-Type", kind)
            .header("Session", "")
            .basic_auth("convox", Some(&self.key));
        if let Some(rack) = &self.rack {
            request = request.header("Rack", rack);
        }
        let answer = request.body(form.unwrap_or_default().to_owned());
        let answer = answer.send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or_else(String::new, |it| it.to_str().unwrap().to_owned())
        };
        let (content_type, request_id) = (header("content-type"), header("request-id"));
        Answer {
            status: answer.status().as_u16(),
            content_type,
            request_id,
            body: answer.text().await.unwrap(),
        }
    }
}
