//! One budget of calls for everything that is done in an account and region at once.
//!
//! AWS counts the calls of an account, region and API together, whoever makes them, and publishes
//! no numbers; eight to ten calls of CloudFormation a second were seen to be too many for long
//! (aws-cdk-cli#1709). Each API has a bucket of its own, which fills at a steady rate. An answer
//! that says so cuts the rate, and less than a minute without one brings it back.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::account::Access;
use crate::clock::Clock;

/// How many calls of one API are made in a second at most, for long.
pub const CALLS_PER_SECOND: f64 = 5.0;
/// How many may be made at once after a rest.
const BURST: f64 = 5.0;
/// What is left of the rate after an answer that it is too high.
const CUT: f64 = 0.7;
/// What is as good as one call: time is cut to milliseconds.
const ONE: f64 = 0.999;
/// The lowest rate, in calls a second.
const LEAST: f64 = 0.1;
/// How long it takes from nothing to the full rate again.
const RECOVERY: Duration = Duration::from_secs(60);
/// Answers to calls that were made at the same rate say the same: only the first in such a span
/// counts.
const SAME: Duration = Duration::from_secs(1);
/// How long a request waits for its turn. It is signed before, and AWS takes no signature that is
/// older than five minutes; the SDK signs anew what is given up, and waits again.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// How often calls may be made in one account and region. Clones share it.
#[derive(Clone)]
pub struct Budget {
    clock: Clock,
    /// Calls of one API a second.
    most: f64,
    buckets: Arc<Mutex<HashMap<String, Bucket>>>,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// The budgets of all places that one program works in. Clones share them.
#[derive(Debug, Clone)]
pub struct Budgets {
    clock: Clock,
    most: f64,
    by_place: Arc<Mutex<HashMap<Place, Budget>>>,
}

/// What tells an account and region from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    /// As far as anybody knows who has not asked: address, region, profile and role.
    Route([Option<String>; 4]),
    /// The account's number and the region, whatever the ways there.
    Account(String, String),
}

impl Budgets {
    /// Allows `most` calls a second of each API in each account and region.
    #[must_use]
    pub fn new(clock: Clock, most: f64) -> Self {
        Self {
            clock,
            most,
            by_place: Arc::default(),
        }
    }

    /// Returns the one that whoever has this access shares.
    #[must_use]
    pub fn of(&self, access: &Access) -> Budget {
        self.at(Place::Route([
            access.endpoint_url.clone(),
            access.region.clone(),
            access.profile.clone(),
            access.assume_role.clone(),
        ]))
    }

    /// Returns the one that all share who call the account of this number in this region, by
    /// whichever profile or role.
    #[must_use]
    pub fn of_account(&self, account: &str, region: &str) -> Budget {
        self.at(Place::Account(account.to_owned(), region.to_owned()))
    }

    fn at(&self, place: Place) -> Budget {
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Budget::new(self.clock.clone(), self.most);
        by_place.entry(place).or_insert_with(made).clone()
    }
}

/// What calls of one API may still be made.
#[derive(Debug)]
struct Bucket {
    /// Whose turn it is.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many calls are left, and a part of one.
    left: f64,
    /// When that was, since the clock was made.
    at: Duration,
    /// The rate after the last answer that it was too high, and when that was.
    cut: Option<(f64, Duration)>,
}

impl Budget {
    /// Allows `most` calls a second of each API.
    #[must_use]
    pub fn new(clock: Clock, most: f64) -> Self {
        Self {
            clock,
            most: most.max(LEAST),
            buckets: Arc::default(),
        }
    }

    /// Waits until it is a call's turn.
    pub(super) async fn wait(&self, api: &str) {
        // One after the other, so that a new rate is everybody's at once.
        let turn = self.with(api, |bucket| Arc::clone(&bucket.turn));
        let _turn = turn.lock().await;
        loop {
            let span = self.take(api);
            if span.is_zero() {
                return;
            }
            self.clock.sleep(span).await;
        }
    }

    /// Takes a call of what is left, or returns how long it is until there is one.
    fn take(&self, api: &str) -> Duration {
        let now = self.clock.passed();
        self.with(api, |bucket| {
            let rate = bucket.rate(self.most, now);
            let passed = now.saturating_sub(bucket.at).as_secs_f64();
            bucket.left = BURST.min(bucket.left + passed * rate);
            bucket.at = now;
            if bucket.left >= ONE {
                bucket.left -= 1.0;
                return Duration::ZERO;
            }
            // The clock has whole milliseconds; of less it would not move.
            Duration::from_secs_f64((1.0 - bucket.left) / rate).max(Duration::from_millis(1))
        })
    }

    /// Heeds an answer that there were too many calls.
    fn cut(&self, api: &str) {
        let now = self.clock.passed();
        self.with(api, |bucket| {
            let is_same = bucket
                .cut
                .is_some_and(|(_, at)| now.saturating_sub(at) < SAME);
            if !is_same {
                let rate = bucket.rate(self.most, now) * CUT;
                bucket.cut = Some((rate.max(LEAST), now));
            }
            // Whoever else has a right to calls has used them up.
            bucket.left = bucket.left.min(0.0);
        });
    }

    fn with<T>(&self, api: &str, change: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(api) {
            return change(bucket);
        }
        let full = Bucket {
            turn: Arc::default(),
            left: BURST,
            at: self.clock.passed(),
            cut: None,
        };
        change(buckets.entry(api.to_owned()).or_insert(full))
    }
}

impl Bucket {
    /// Returns the calls a second at `now`.
    fn rate(&self, most: f64, now: Duration) -> f64 {
        let Some((rate, at)) = self.cut else {
            return most;
        };
        let passed = now.saturating_sub(at).as_secs_f64();
        most.min(rate + most * passed / RECOVERY.as_secs_f64())
    }
}

/// Which API a request calls.
#[derive(Debug, Clone)]
struct Api(String);

/// Notes on each request which API it calls.
#[derive(Debug, Clone)]
pub(super) struct Labels;

impl Intercept for Labels {
    fn name(&self) -> &'static str {
        "Labels"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let api = Api(format!("{}:{}", call.service(), call.name()));
            context.request_mut().add_extension(api);
        }
        Ok(())
    }
}

/// Makes a client whose requests wait for their turn.
pub(super) fn within(budget: Budget, client: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Patient {
            inner: client.http_connector(settings, components),
            budget: budget.clone(),
        })
    })
}

#[derive(Debug)]
struct Patient {
    inner: SharedHttpConnector,
    budget: Budget,
}

impl HttpConnector for Patient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, budget) = (self.inner.clone(), self.budget.clone());
        HttpConnectorFuture::new(async move {
            let api = request.extension::<Api>().map(|api| api.0.clone());
            let api = api.unwrap_or_default();
            tokio::select! {
                biased;
                () = budget.wait(&api) => {}
                () = budget.clock.sleep(LONGEST_WAIT) => {
                    return Err(ConnectorError::timeout("its turn did not come".into()));
                }
            }
            let mut response = inner.call(request).await?;
            if says_too_many(&mut response).await? {
                budget.cut(&api);
            }
            Ok(response)
        })
    }
}

/// Tells whether an answer is that there were too many calls. All protocols have a word of their
/// own for it, in the body or in a header.
async fn says_too_many(response: &mut HttpResponse) -> Result<bool, ConnectorError> {
    if !matches!(response.status().as_u16(), 400 | 429 | 503) {
        return Ok(false);
    }
    let is_word = |text: &str| {
        let words = [
            "Throttl",
            "RequestLimitExceeded",
            "Rate exceeded",
            "SlowDown",
        ];
        words.iter().any(|word| text.contains(word)) || text.contains("TooManyRequests")
    };
    if response.status().as_u16() == 429 {
        return Ok(true);
    }
    let kind = response.headers().get("x-amzn-errortype");
    if kind.is_some_and(is_word) {
        return Ok(true);
    }
    let body = ByteStream::new(response.take_body());
    let body = body
        .collect()
        .await
        .map_err(|error| ConnectorError::io(error.into()))?
        .into_bytes();
    let found = is_word(&String::from_utf8_lossy(&body));
    *response.body_mut() = SdkBody::from(body);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> (Budget, Clock) {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        (Budget::new(clock.clone(), 5.0), clock)
    }

    /// Makes `count` calls, and returns how many ms that took.
    async fn calls(budget: &Budget, api: &str, count: usize) -> u128 {
        let began = budget.clock.passed();
        for _ in 0..count {
            budget.wait(api).await;
        }
        (budget.clock.passed() - began).as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_worth_some_calls_and_then_each_has_its_turn() {
        let (budget, clock) = budget();
        assert_eq!(calls(&budget, "a", 5).await, 0);
        assert_eq!(calls(&budget, "b", 5).await, 0, "another API's");
        assert_eq!(calls(&budget, "a", 10).await, 2000);
        clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(calls(&budget, "a", 5).await, 0);
        assert_eq!(calls(&budget, "a", 1).await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_cut_the_rate_until_a_while_has_passed() {
        let (budget, clock) = budget();
        budget.cut("a");
        // What was on its way meanwhile says the same again.
        budget.cut("a");
        let first = calls(&budget, "a", 1).await;
        assert!((260..=290).contains(&first), "{first} ms at seven tenths");
        assert_eq!(calls(&budget, "b", 1).await, 0);
        clock.sleep(RECOVERY).await;
        calls(&budget, "a", 5).await;
        assert_eq!(calls(&budget, "a", 5).await, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_calls_one_account_and_region_shares_what_there_is() {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let budgets = Budgets::new(clock, 5.0);
        let one = budgets.of_account("123456789012", "us-east-1");
        assert_eq!(calls(&one, "a", 5).await, 0);
        let same = budgets.of_account("123456789012", "us-east-1");
        assert_eq!(calls(&same, "a", 5).await, 1000);
        let elsewhere = budgets.of_account("123456789012", "eu-west-1");
        assert_eq!(calls(&elsewhere, "a", 5).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_stops_altogether() {
        let (budget, clock) = budget();
        for _ in 0..100 {
            budget.cut("a");
            clock.sleep(SAME).await;
        }
        budget.cut("a");
        let span = calls(&budget, "a", 1).await;
        assert!(span <= 10_000, "{span}");
    }
}
