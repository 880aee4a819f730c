//! An AWS account: credentials, region, clients, and the racks in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};

use super::alarms::AwsAlarms;
use super::balancers::AwsBalancers;
use super::bucket::BucketStore;
use super::budget::{self, Budget, Labels};
use super::commands::RunCommand;
use super::data_keys::KmsDataKeys;
use super::error::Call;
use super::fleet::AwsFleet;
use super::key_pairs::AwsKeyPairs;
use super::parameters::ParameterStore;
use super::quotas::AwsQuotas;
use super::refreshes::AwsRefreshes;
use super::services::AwsServices;
use super::settings::SettingsStore;
use super::stacks::AwsStacks;
use super::system::AwsSystem;
use super::transport::{self, SdkClock, Trace, Tracer, Transport};
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::rack::directory::Directory;
use crate::rack::{DataKeys, KeyStore, PortError, Rack};

/// Where an in-process account is, unless something else is asked for.
const DEFAULT_REGION: &str = "us-east-1";

/// How often a call is attempted before its failure is told.
///
/// Few: the roll engine slows down when it is throttled, and knows better than
/// the SDK which calls can wait.
const ATTEMPTS: u32 = 3;

/// How to reach an AWS account.
#[derive(Clone)]
pub struct Access {
    /// The region; without one the environment, the profile or the machine tells.
    pub region: Option<String>,
    /// The profile of the shared AWS configuration files.
    pub profile: Option<String>,
    /// An address to call in place of every AWS service, such as an emulator's.
    pub endpoint_url: Option<String>,
    /// The ARN of a role to assume with the credentials found.
    pub assume_role: Option<String>,
    /// How requests leave.
    pub transport: Transport,
    /// The time, for signatures, for waiting between attempts and for time limits.
    pub clock: Clock,
    /// How often a call that may be repeated is attempted, at least once.
    pub attempts: u32,
    /// Is told of every attempt.
    pub trace: Option<Trace>,
    /// What calls may be made, together with those of others that share it.
    pub budget: Option<Budget>,
}

impl Access {
    /// Reaches the account that the environment names.
    #[must_use]
    pub fn new(transport: Transport, clock: Clock) -> Self {
        Self {
            region: None,
            profile: None,
            endpoint_url: None,
            assume_role: None,
            transport,
            clock,
            attempts: ATTEMPTS,
            trace: None,
            budget: None,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("endpoint_url", &self.endpoint_url)
            .field("assume_role", &self.assume_role)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// One rack of an account.
#[derive(Debug, Clone)]
pub struct Target {
    /// The rack's name.
    pub name: String,
    /// The stack's name or ARN.
    pub stack: String,
    /// The template parameter that names the key pair.
    pub key_parameter: String,
    /// Where private keys are kept.
    pub key_store: KeyStoreChoice,
    /// The user to log in as.
    pub ssh_user: String,
}

impl Target {
    /// Means a Convox rack: a stack of the same name, its parameter `Key`, its settings bucket.
    #[must_use]
    pub fn rack(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            stack: name.to_owned(),
            key_parameter: "Key".to_owned(),
            key_store: KeyStoreChoice::Settings,
            ssh_user: "ec2-user".to_owned(),
        }
    }
}

/// Where private keys are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStoreChoice {
    /// The settings bucket of a Convox rack, in the classic format.
    Settings,
    /// Objects in a bucket, encrypted by S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every object's name begins with.
        prefix: String,
        /// The KMS key to encrypt with; S3's own without one.
        kms_key: Option<String>,
    },
    /// Secure strings of the SSM parameter store.
    Ssm {
        /// What every parameter's name begins with.
        prefix: String,
        /// The KMS key to encrypt with; the account's own without one.
        kms_key: Option<String>,
    },
    /// Files of this machine, readable by their owner only.
    Directory(PathBuf),
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The ARN of the user or role.
    pub arn: String,
}

/// An AWS account, ready to be called.
#[derive(Clone)]
pub struct Account {
    clients: Arc<Clients>,
    region: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// Finds out how the account is reached. Credentials are looked up by the first call.
    ///
    /// # Errors
    /// [`PortError::NoRegion`] when nothing names a region.
    pub async fn connect(access: &Access) -> Result<Self, PortError> {
        let config = match &access.transport {
            Transport::Network => over_the_network(access, transport::https_client()).await,
            Transport::InProcess(account) => in_process(access, account),
        };
        let region = config.region().ok_or(PortError::NoRegion)?.to_string();
        Ok(Self {
            clients: Arc::new(Clients::new(config, access)),
            region,
        })
    }

    /// Returns the region that is called.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Asks whose credentials are used (`sts:GetCallerIdentity`, which nothing can deny).
    ///
    /// # Errors
    /// [`PortError::Credentials`] when there are none.
    pub async fn identity(&self) -> Result<Identity, PortError> {
        let call = Call::new("sts", "GetCallerIdentity", "the caller");
        let answer = self.clients.sts().get_caller_identity().send().await;
        let answer = answer.map_err(|error| call.failed(error))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    /// Returns the stacks of the account, for what is asked before a rack is chosen.
    #[must_use]
    pub fn stacks(&self) -> Arc<dyn crate::rack::Stacks> {
        Arc::new(AwsStacks::new(Arc::clone(&self.clients)))
    }

    /// Returns data keys under the KMS key that an id, an ARN or an alias names.
    #[must_use]
    pub fn data_keys(&self, kms_key: &str) -> Arc<dyn DataKeys> {
        Arc::new(KmsDataKeys::new(Arc::clone(&self.clients), kms_key))
    }

    /// Puts the adapters of a rack together; no call is made yet.
    ///
    /// # Errors
    /// [`PortError::KeyStore`] when the key store cannot be one.
    pub fn rack(&self, target: &Target, entropy: &Entropy) -> Result<Rack, PortError> {
        let stacks = self.stacks();
        let keys: Arc<dyn KeyStore> = match &target.key_store {
            KeyStoreChoice::Settings => Arc::new(SettingsStore::new(
                Arc::clone(&self.clients),
                Arc::clone(&stacks),
                &target.stack,
                entropy,
            )),
            KeyStoreChoice::S3 {
                bucket,
                prefix,
                kms_key,
            } => Arc::new(BucketStore::new(
                Arc::clone(&self.clients),
                bucket,
                prefix,
                kms_key.as_deref(),
            )?),
            KeyStoreChoice::Ssm { prefix, kms_key } => Arc::new(ParameterStore::new(
                Arc::clone(&self.clients),
                prefix,
                kms_key.as_deref(),
            )?),
            KeyStoreChoice::Directory(path) => Arc::new(Directory::new(path.clone())),
        };
        Ok(Rack {
            name: target.name.clone(),
            stack: target.stack.clone(),
            key_parameter: target.key_parameter.clone(),
            stacks,
            key_pairs: Arc::new(AwsKeyPairs::new(Arc::clone(&self.clients))),
            fleet: Arc::new(AwsFleet::new(Arc::clone(&self.clients))),
            refreshes: Arc::new(AwsRefreshes::new(Arc::clone(&self.clients))),
            alarms: Arc::new(AwsAlarms::new(Arc::clone(&self.clients))),
            quotas: Arc::new(AwsQuotas::new(Arc::clone(&self.clients))),
            balancers: Arc::new(AwsBalancers::new(Arc::clone(&self.clients))),
            commands: Arc::new(RunCommand::new(Arc::clone(&self.clients))),
            services: Arc::new(AwsServices::new(Arc::clone(&self.clients))),
            keys,
            ssh_user: target.ssh_user.clone(),
            probe: None,
            system: Arc::new(AwsSystem::new(
                Arc::clone(&self.clients),
                &target.name,
                &target.stack,
                &self.region,
                entropy,
            )),
        })
    }
}

/// The SDK's ordinary chain: environment, profile, SSO, process, container, machine. Requests that
/// share a budget leave by `client`, others by the SDK's own.
async fn over_the_network(access: &Access, client: SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(retries(access))
        .timeout_config(time_limits(access));
    if let Some(budget) = &access.budget {
        // A request that waits for its turn sends nothing meanwhile, and has not stalled.
        let protection = StalledStreamProtectionConfig::enabled().upload_enabled(false);
        loader = loader
            .http_client(budget::within(budget.clone(), client))
            .stalled_stream_protection(protection.build());
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &access.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let Some(role) = &access.assume_role else {
        return config;
    };
    // Without a region there is no STS to ask; the caller is told of that first.
    if config.region().is_none() {
        return config;
    }
    let assumed = AssumeRoleProvider::builder(role)
        .session_name("convox")
        .configure(&config)
        .build()
        .await;
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(assumed))
        .build()
}

/// What waits for its turn must not be given up meanwhile: then only the answer has a limit.
fn time_limits(access: &Access) -> TimeoutConfig {
    let limits = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5));
    let limits = match access.budget {
        Some(_) => limits.read_timeout(Duration::from_secs(30)),
        None => limits
            .operation_attempt_timeout(Duration::from_secs(30))
            .operation_timeout(Duration::from_secs(90)),
    };
    limits.build()
}

/// An account in this process: nothing is read from the environment and no role is assumed.
///
/// There are no time limits either, because a speeded-up clock would count the
/// time that this process computes as many times as much.
fn in_process(access: &Access, account: &transport::InProcess) -> SdkConfig {
    let region = access
        .region
        .clone()
        .unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "in-process", None, None, "sandbox");
    let clock = SdkClock(access.clock.clone());
    let client = transport::client_of(Arc::clone(account));
    let client = match &access.budget {
        Some(budget) => budget::within(budget.clone(), client),
        None => client,
    };
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(client)
        .sleep_impl(clock.clone())
        .time_source(clock)
        .retry_config(retries(access))
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(access.endpoint_url.clone());
    config.build()
}

fn retries(access: &Access) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(access.attempts.max(1))
        // An account in this process repeats itself exactly, and so do waits for it.
        .with_use_static_exponential_base(matches!(access.transport, Transport::InProcess(_)))
}

/// The clients of one account, each made when it is first asked for.
pub(super) struct Clients {
    config: SdkConfig,
    clock: Clock,
    tracer: Option<Tracer>,
    transport: Transport,
    budget: Option<Budget>,
    path_style: bool,
    autoscaling: OnceLock<aws_sdk_autoscaling::Client>,
    cloudformation: OnceLock<aws_sdk_cloudformation::Client>,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    elasticloadbalancingv2: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    servicequotas: OnceLock<aws_sdk_servicequotas::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

macro_rules! client {
    ($service:ident, $sdk:ident) => {
        pub(super) fn $service(&self) -> &$sdk::Client {
            self.$service.get_or_init(|| {
                let mut config = $sdk::config::Builder::from(&self.config);
                if let Some(tracer) = &self.tracer {
                    config = config.interceptor(tracer.clone());
                }
                if self.budget.is_some() {
                    config = config.interceptor(Labels);
                }
                $sdk::Client::from_conf(config.build())
            })
        }
    };
}

impl Clients {
    fn new(config: SdkConfig, access: &Access) -> Self {
        Self {
            // A bucket as a host name does not resolve on an emulator or in a sandbox.
            path_style: config.endpoint_url().is_some()
                || matches!(access.transport, Transport::InProcess(_)),
            config,
            clock: access.clock.clone(),
            tracer: access.trace.clone().map(Tracer),
            transport: access.transport.clone(),
            budget: access.budget.clone(),
            autoscaling: OnceLock::new(),
            cloudformation: OnceLock::new(),
            ec2: OnceLock::new(),
            ecs: OnceLock::new(),
            elasticloadbalancingv2: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
            servicequotas: OnceLock::new(),
            ssm: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns what carries a request that no client makes.
    pub(super) fn connector(&self) -> SharedHttpConnector {
        transport::connector_of(&self.transport, &self.clock)
    }

    /// Tells the trace of a call that no client makes.
    pub(super) fn trace(&self, service: &str, api: &str) {
        if let Some(Tracer(trace)) = &self.tracer {
            trace(service, api);
        }
    }

    /// Waits until it is the turn of a call that no client makes.
    pub(super) async fn turn(&self, service: &str, api: &str) {
        if let Some(budget) = &self.budget {
            budget.wait(&format!("{service}:{api}")).await;
        }
    }

    client!(autoscaling, aws_sdk_autoscaling);
    client!(cloudformation, aws_sdk_cloudformation);
    client!(ec2, aws_sdk_ec2);
    client!(ecs, aws_sdk_ecs);
    client!(elasticloadbalancingv2, aws_sdk_elasticloadbalancingv2);
    client!(kms, aws_sdk_kms);
    client!(servicequotas, aws_sdk_servicequotas);
    client!(ssm, aws_sdk_ssm);
    client!(sts, aws_sdk_sts);

    pub(super) fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let mut config =
                aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.path_style);
            if let Some(tracer) = &self.tracer {
                config = config.interceptor(tracer.clone());
            }
            if self.budget.is_some() {
                config = config.interceptor(Labels);
            }
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;

    use bytes::Bytes;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::rack::aws::transport::InProcess;

    /// What STS says of a caller.
    const CALLER: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::\
                          123456789012:user/ada</Arn><Account>123456789012</Account>\
                          </GetCallerIdentityResult></GetCallerIdentityResponse>";

    /// Answers whoever calls, and keeps how old the signature of each request was by then.
    fn answering(clock: &Clock, ages: &Arc<Mutex<Vec<SignedDuration>>>) -> InProcess {
        let (clock, ages) = (clock.clone(), Arc::clone(ages));
        Arc::new(move |request: http::Request<Bytes>| {
            let signed = request.headers()["x-amz-date"].to_str().unwrap();
            let signed = Timestamp::strptime("%Y%m%dT%H%M%S%z", signed.replace('Z', "+0000"));
            let age = clock.now().duration_since(signed.unwrap());
            ages.lock().unwrap().push(age);
            let answer = http::Response::new(Bytes::from_static(CALLER.as_bytes()));
            let answer: Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(std::future::ready(Some(answer)));
            answer
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_over_the_network_waits_for_its_turn_and_is_signed_anew_where_that_is_long() {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let mut access = Access::new(Transport::Network, clock.clone());
        access.region = Some("us-east-1".to_owned());
        // Of twenty calls the last has its turn after two minutes and a half.
        access.budget = Some(Budget::new(clock.clone(), 0.1));
        let ages = Arc::default();
        let client = transport::client_of(answering(&clock, &ages));
        // As it is made for the network, but for what would look outside of the test.
        let made_up = Credentials::new("AKIAIOSFODNN7EXAMPLE", "made-up", None, None, "a test");
        let config = over_the_network(&access, client).await.into_builder();
        let config = config
            .credentials_provider(SharedCredentialsProvider::new(made_up))
            .sleep_impl(SdkClock(clock.clone()))
            .time_source(SdkClock(clock.clone()));
        let account = Account {
            clients: Arc::new(Clients::new(config.build(), &access)),
            region: "us-east-1".to_owned(),
        };
        let calls = (0..20).map(|_| account.identity());
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().account, "123456789012");
        }
        let ages = ages.lock().unwrap();
        assert_eq!(ages.len(), 20);
        let oldest = ages.iter().max().unwrap();
        assert!(*oldest > SignedDuration::from_secs(60), "some did wait");
        assert!(*oldest <= SignedDuration::from_secs(121), "{oldest:?}");
    }
}
