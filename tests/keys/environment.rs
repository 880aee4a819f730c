//! A server on a database of its own, and somebody who asks it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use convox::clock::Clock;
use convox::console::{KeySource, Service, ServiceOptions, Vault, initialize, router};
use convox::ids::Entropy;
use convox::store::Store;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use crate::databases::{execute, execute_on_file, new_database};

/// Runs a test on every database that there is.
pub async fn on_both(test: impl AsyncFn(&Server)) {
    let server = Server::on_sqlite().await;
    test(&server).await;
    match std::env::var("CONVOX_TEST_DATABASE_URL") {
        Ok(url) => test(&Server::on_postgres(&url).await).await,
        Err(_) => {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                eprintln!("skipped: PostgreSQL, `.ci/postgres cargo test --test keys` runs it too");
            });
        }
    }
}

/// A server on loopback.
pub struct Server {
    pub address: String,
    pub root: String,
    pub clock: Clock,
    pub service: Service,
    /// Where its database is, if that is PostgreSQL.
    pub url: Option<String>,
    client: reqwest::Client,
    /// What the server has told whoever reads its log.
    pub log: Arc<Mutex<Vec<String>>>,
    /// Where its database is, if that is SQLite, and its master key.
    pub directory: Arc<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Value,
}

impl Answer {
    /// Returns the data of a success.
    pub fn data(self) -> Value {
        assert_eq!(self.status, 200, "{:#}", self.body);
        self.body["data"].clone()
    }

    /// Returns the last part of the kind of an error.
    pub fn kind(&self) -> &str {
        let kind = self.body["error"]["type"].as_str().unwrap_or("no error");
        kind.rsplit('/').next().unwrap()
    }

    /// Returns what an error says.
    pub fn detail(&self) -> &str {
        self.body["error"]["detail"].as_str().unwrap_or("no error")
    }
}

impl Server {
    async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.db");
        let entropy = Entropy::system().unwrap();
        let store = Store::sqlite(&path, entropy).await.unwrap();
        Self::on(store, Clock::system(), directory, ServiceOptions::default()).await
    }

    /// Starts a server on SQLite that is set up in another way.
    pub async fn with(options: ServiceOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.db");
        let store = Store::sqlite(&path, Entropy::system().unwrap())
            .await
            .unwrap();
        Self::on(store, Clock::system(), directory, options).await
    }

    /// Starts a server on a PostgreSQL database that is made for it.
    pub async fn on_postgres(url: &str) -> Self {
        let url = new_database(url).await;
        let (clock, entropy) = (Clock::system(), Entropy::system().unwrap());
        let store = Store::postgres(&url, clock.clone(), entropy).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self::on(store, clock, directory, ServiceOptions::default()).await;
        server.url = Some(url);
        server
    }

    /// Starts a server whose clock only moves when it is set forward, on PostgreSQL where there is
    /// a URL, and else on SQLite.
    pub async fn standing_still(url: Option<&str>) -> Self {
        /// So slow that it stands: a clock must have a speed.
        const SPEED: f64 = 1e-9;
        Self::at_speed(SPEED, url).await
    }

    /// Starts a server whose clock runs `speed` times as fast as the machine's, on PostgreSQL where
    /// there is a URL, and else on SQLite.
    pub async fn at_speed(speed: f64, url: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let entropy = Entropy::system().unwrap();
        let store = match url {
            // What the database's servers agree on takes time of its own.
            Some(url) => Store::postgres(&new_database(url).await, Clock::system(), entropy).await,
            None => Store::sqlite(&directory.path().join("console.db"), entropy).await,
        };
        let base = "2026-01-28T10:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(base, speed);
        Self::on(store.unwrap(), clock, directory, ServiceOptions::default()).await
    }

    /// Starts another server on the same PostgreSQL database, with a clock of its own.
    pub async fn beside(&self) -> Self {
        let url = self.url.clone().unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system().unwrap());
        let store = Store::postgres(&url, clock.clone(), entropy).await.unwrap();
        let (root, directory) = (self.root.clone(), Arc::clone(&self.directory));
        let mut server =
            Self::serving(store, clock, root, directory, ServiceOptions::default()).await;
        server.url = Some(url);
        server
    }

    /// Starts another server on the same PostgreSQL database, with a master key file of its own.
    pub async fn on_another_host(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(self.key_file(), key_file(&directory)).unwrap();
        let url = self.url.clone().unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system().unwrap());
        let store = Store::postgres(&url, clock.clone(), entropy).await.unwrap();
        let (root, directory) = (self.root.clone(), Arc::new(directory));
        Self::serving(store, clock, root, directory, ServiceOptions::default()).await
    }

    /// Returns the file of the server's master keys.
    pub fn key_file(&self) -> PathBuf {
        key_file(&self.directory)
    }

    /// Says where the server's master keys are.
    pub fn key_source(&self) -> KeySource {
        KeySource::file(self.key_file())
    }

    async fn on(
        store: Store,
        clock: Clock,
        directory: tempfile::TempDir,
        options: ServiceOptions,
    ) -> Self {
        store.migrate().await.unwrap();
        let entropy = Entropy::system().unwrap();
        let now = clock.now().as_millisecond();
        let source = KeySource::file(key_file(&directory));
        let made = initialize(&store, "test", now, &entropy, &source);
        let made = made.await.unwrap();
        let root = made.unwrap().root_key.expose_secret().to_owned();
        Self::serving(store, clock, root, Arc::new(directory), options).await
    }

    async fn serving(
        store: Store,
        clock: Clock,
        root: String,
        directory: Arc<tempfile::TempDir>,
        options: ServiceOptions,
    ) -> Self {
        let entropy = Entropy::system().unwrap();
        let source = KeySource::file(key_file(&directory));
        let vault = Vault::of(&store, source).await.unwrap();
        let service = Service::new(store, clock.clone(), entropy, vault, options)
            .await
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log);
        service.log_to(move |line| {
            eprintln!("server: {line}");
            written.lock().unwrap().push(line.to_owned());
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = router(&service);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            address,
            root,
            clock,
            service,
            url: None,
            client,
            log,
            directory,
        }
    }

    /// Sends a request with the first root key.
    pub async fn post(&self, operation: &str, body: Value) -> Answer {
        let root = self.root.clone();
        self.post_as(&root, operation, body, &[]).await
    }

    /// Sends a request with another root key, and further headers.
    pub async fn post_as(
        &self,
        root: &str,
        operation: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bearer = format!("Bearer {root}");
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        self.send(operation, body.to_string(), &all).await
    }

    /// Sends a request with the first root key, from a task of its own if need be.
    pub fn request(
        &self,
        operation: &str,
        body: Value,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let request = self.client.post(format!("{}/v2/{operation}", self.address));
        answered(request.bearer_auth(&self.root).body(body.to_string()))
    }

    /// Sends anything.
    pub async fn send(&self, operation: &str, body: String, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .client
            .post(format!("{}/v2/{operation}", self.address))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request).await
    }

    /// Makes an API and returns its id.
    pub async fn api(&self) -> String {
        let made = self.post("apis.createApi", json!({ "name": "orders" }));
        text(&made.await.data()["apiId"])
    }

    /// Makes a key and returns its id and its secret.
    pub async fn key(&self, api: &str, mut with: Value) -> (String, String) {
        with["apiId"] = json!(api);
        let made = self.post("keys.createKey", with).await.data();
        (text(&made["keyId"]), text(&made["key"]))
    }

    /// Verifies a key and returns the word for how it ended.
    pub async fn verify(&self, key: &str) -> String {
        let verified = self.post("keys.verifyKey", json!({ "key": key }));
        text(&verified.await.data()["code"])
    }

    /// Shows a key.
    pub async fn get(&self, id: &str) -> Value {
        let shown = self.post("keys.getKey", json!({ "keyId": id }));
        shown.await.data()
    }

    /// Rerolls a key and returns the new one's id and secret.
    pub async fn reroll(&self, id: &str, expiration: Value) -> (String, String) {
        let body = json!({ "keyId": id, "expiration": expiration });
        let made = self.post("keys.rerollKey", body).await.data();
        (text(&made["keyId"]), text(&made["key"]))
    }

    /// Sets the server's clock forward.
    pub fn wait(&self, span: Duration) {
        self.clock.set_forward(span);
    }

    /// Sets the server's clock into the middle of an hour, so that none ends during a test.
    pub fn wait_for_half_past(&self) {
        const HOUR: i64 = 3_600_000;
        let left = HOUR - self.now().rem_euclid(HOUR) + HOUR / 2;
        self.wait(Duration::from_millis(left.try_into().unwrap()));
    }

    /// Says what time it is for the server, in Unix ms.
    pub fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Makes a root key that may do only what it is told.
    pub async fn root_with(&self, permissions: &[&str]) -> String {
        let store = self.service.store();
        let workspace = store.workspaces().await.unwrap().remove(0);
        self.root_of(&workspace.id, permissions).await
    }

    /// Makes a root key of a workspace that may do only what it is told.
    pub async fn root_of(&self, workspace: &str, permissions: &[&str]) -> String {
        use convox::keys::{IdKind, SecretFormat, new_id};
        use convox::store::{Actor, Audited, NewRootKey};
        let entropy = Entropy::system().unwrap();
        let store = self.service.store();
        let secret = SecretFormat::new(Some("root"), 32).unwrap().mint(&entropy);
        let text = secret.text.expose_secret().to_owned();
        let new = NewRootKey {
            id: new_id(IdKind::Key, self.now(), &entropy),
            secret,
            name: None,
            permissions: permissions.iter().map(ToString::to_string).collect(),
            expires: None,
        };
        let by = Audited::new(workspace, Actor::Operator, self.now(), &entropy);
        store.create_root_key(new, by).await.unwrap();
        text
    }
}

/// Sends a request and reads the answer.
async fn answered(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let kind = response.headers().get("content-type");
    Answer {
        status: response.status().as_u16(),
        content_type: kind.map_or("", |kind| kind.to_str().unwrap()).to_owned(),
        body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
    }
}

fn key_file(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("master.key")
}

/// Reads a string.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}
