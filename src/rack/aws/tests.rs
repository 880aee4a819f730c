//! The adapters against scripted answers: what is sent, how often, and what errors become.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{
    Access, Account, Budgets, CALLS_PER_SECOND, InProcess, KeyStoreChoice, Target, Transport,
};
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::rack::{KeyType, Market, PortError, Rack, UpdateRequest, VcpuQuota};

/// An account that gives prepared answers and remembers what it was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Option<http::Response<Bytes>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    traced: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn answers(answers: impl IntoIterator<Item = Option<(u16, &'static str)>>) -> Self {
        let response = |(status, body): (u16, &'static str)| {
            http::Response::builder()
                .status(status)
                .body(Bytes::from(body))
                .unwrap()
        };
        let answers = answers
            .into_iter()
            .map(|answer| answer.map(response))
            .collect();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            ..Self::default()
        }
    }

    fn transport(&self) -> Transport {
        let script = self.clone();
        let account: InProcess = Arc::new(move |request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            script.asked.lock().unwrap().push(body);
            let answer = script
                .answers
                .lock()
                .unwrap()
                .pop_front()
                .expect("one answer more");
            Box::pin(async move { answer })
        });
        Transport::InProcess(account)
    }

    async fn rack(&self) -> Rack {
        let mut access = Access::new(self.transport(), Clock::system());
        let traced = Arc::clone(&self.traced);
        access.trace = Some(Arc::new(move |service: &str, operation: &str| {
            traced
                .lock()
                .unwrap()
                .push(format!("{service} {operation}"));
        }));
        let account = Account::connect(&access).await.unwrap();
        assert_eq!(account.region(), "us-east-1");
        account
            .rack(&Target::rack("demo"), &Entropy::seeded(1))
            .unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const THROTTLED: Option<(u16, &str)> = Some((
    400,
    "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
     <Message>Rate exceeded</Message></Error></ErrorResponse>",
));
const UPDATED: Option<(u16, &str)> = Some((
    200,
    "<UpdateStackResponse><UpdateStackResult><StackId>arn</StackId>\
     <OperationId>op-1</OperationId></UpdateStackResult></UpdateStackResponse>",
));
const TOKEN_SEEN: Option<(u16, &str)> = Some((
    400,
    "<ErrorResponse><Error><Type>Sender</Type><Code>TokenAlreadyExistsException</Code>\
     <Message>seen</Message></Error></ErrorResponse>",
));
const DRY_RUN: Option<(u16, &str)> = Some((
    412,
    "<Response><Errors><Error><Code>DryRunOperation</Code><Message>Request would have \
     succeeded, but DryRun flag is set.</Message></Error></Errors></Response>",
));
const UNAUTHORIZED: Option<(u16, &str)> = Some((
    403,
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not \
     authorized to perform this operation.</Message></Error></Errors></Response>",
));

fn update() -> UpdateRequest {
    let text = str::to_owned;
    UpdateRequest {
        stack: text("arn:demo"),
        token: text("0123456789abcdef"),
        set: BTreeMap::from([(text("Key"), text("new"))]),
        keep: vec![text("Password"), text("Key")],
        capabilities: vec![text("CAPABILITY_IAM")],
        notification_arns: vec![text("arn:topic")],
        tags: BTreeMap::from([(text("System"), text("convox"))]),
        role_arn: Some(text("arn:role")),
        disable_rollback: true,
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_carries_everything_that_is_to_stay() {
    let script = Script::answers([UPDATED]);
    let accepted = script.rack().await.stacks.update(&update()).await.unwrap();
    assert_eq!(accepted.operation_id.as_deref(), Some("op-1"));
    let form: BTreeMap<String, String> = form_urlencoded::parse(script.asked()[0].as_bytes())
        .into_owned()
        .collect();
    for (field, value) in [
        ("Action", "UpdateStack"),
        ("StackName", "arn:demo"),
        ("UsePreviousTemplate", "true"),
        ("ClientRequestToken", "0123456789abcdef"),
        ("Parameters.member.1.ParameterKey", "Key"),
        ("Parameters.member.1.ParameterValue", "new"),
        ("Parameters.member.2.ParameterKey", "Password"),
        ("Parameters.member.2.UsePreviousValue", "true"),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("NotificationARNs.member.1", "arn:topic"),
        ("Tags.member.1.Key", "System"),
        ("RoleARN", "arn:role"),
        ("DisableRollback", "true"),
        ("DeploymentConfig.Mode", "STANDARD"),
    ] {
        assert_eq!(form.get(field).map(String::as_str), Some(value), "{field}");
    }
    assert!(
        !form.contains_key("Parameters.member.3.ParameterKey"),
        "Key is set, not kept"
    );
    assert!(!form.contains_key("Parameters.member.2.ParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_is_lost_is_sent_again_with_its_token() {
    let script = Script::answers([None, TOKEN_SEEN]);
    script.rack().await.stacks.update(&update()).await.unwrap();
    assert_eq!(script.asked().len(), 2);
    assert_eq!(script.asked()[0], script.asked()[1]);
}

#[tokio::test(start_paused = true)]
async fn a_key_pair_whose_answer_is_lost_is_asked_for_once() {
    let script = Script::answers([None]);
    let rack = script.rack().await;
    let made = rack
        .key_pairs
        .create("demo-keypair-1", KeyType::Ed25519, &BTreeMap::new())
        .await;
    assert!(matches!(
        made,
        Err(PortError::Unanswered {
            api: "CreateKeyPair",
            ..
        })
    ));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_stays_throttled_is_told_as_throttled_after_few_attempts() {
    let script = Script::answers([THROTTLED, THROTTLED, THROTTLED]);
    let error = script
        .rack()
        .await
        .stacks
        .events("demo", None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PortError::Throttled {
                api: "DescribeStackEvents"
            }
        ),
        "{error}"
    );
    let traced = script.traced.lock().unwrap().clone();
    assert_eq!(traced, ["CloudFormation DescribeStackEvents"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_would_have_worked_is_a_permission() {
    let script = Script::answers([DRY_RUN, DRY_RUN]);
    script
        .rack()
        .await
        .key_pairs
        .check_permissions()
        .await
        .unwrap();
    assert!(
        script
            .asked()
            .iter()
            .all(|form| form.contains("DryRun=true"))
    );
    let script = Script::answers([DRY_RUN, UNAUTHORIZED]);
    let error = script
        .rack()
        .await
        .key_pairs
        .check_permissions()
        .await
        .unwrap_err();
    assert!(matches!(&error, PortError::Denied { action, .. } if action == "ec2:DeleteKeyPair"));
}

#[tokio::test(start_paused = true)]
async fn half_a_private_key_is_no_key_and_no_error_shows_it() {
    let secret = "s3cr3t";
    let body = "<CreateKeyPairResponse><keyMaterial>-----BEGIN RSA PRIVATE KEY-----\ns3cr3t";
    let script = Script::answers([Some((200, body))]);
    let rack = script.rack().await;
    let made = rack
        .key_pairs
        .create("demo-keypair-1", KeyType::Rsa, &BTreeMap::new())
        .await;
    let error = made.unwrap_err();
    assert!(matches!(error, PortError::Unanswered { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
}

/// An answer of `ec2:GetConsoleOutput`, with this in it.
fn console(output: &'static str) -> Option<(u16, &'static str)> {
    let answer = format!(
        "<GetConsoleOutputResponse><instanceId>i-1</instanceId>{output}</GetConsoleOutputResponse>"
    );
    Some((200, Box::leak(answer.into_boxed_str())))
}

#[tokio::test(start_paused = true)]
async fn what_a_console_tells_is_decoded_and_nothing_yet_is_none() {
    let script = Script::answers([
        console("<output>c3NoLWVkMjU1MTkgQUFBQQo=</output>"),
        console("<output>4pyTIP8K</output>"),
        console(""),
        console("<output></output>"),
        console("<output>not base64!</output>"),
    ]);
    let fleet = script.rack().await.fleet;
    let mut told = Vec::new();
    for latest in [false, true, false, false, false] {
        told.push(fleet.console_output("i-1", latest).await.unwrap());
    }
    let told: Vec<_> = told.iter().map(Option::as_deref).collect();
    // A console may say anything: what is no text is not worth an error.
    let expected = [
        Some("ssh-ed25519 AAAA\n"),
        Some("\u{2713} \u{fffd}\n"),
        None,
        None,
        None,
    ];
    assert_eq!(told, expected);
    let asked = script.asked();
    assert!(asked[0].contains("Action=GetConsoleOutput&"), "{asked:?}");
    assert!(asked[0].contains("InstanceId=i-1"), "{asked:?}");
    // Older kinds of instances refuse the word, so it is not sent unless it is asked for.
    assert!(!asked[0].contains("Latest"), "{asked:?}");
    assert!(asked[1].contains("Latest=true"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_console_that_cannot_be_read_says_why() {
    let gone = Some((
        400,
        "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID \
         'i-1' does not exist</Message></Error></Errors></Response>",
    ));
    let script = Script::answers([gone, UNAUTHORIZED]);
    let fleet = script.rack().await.fleet;
    let error = fleet.console_output("i-1", false).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("i-1"), "{error}");
    let error = fleet.console_output("i-1", false).await.unwrap_err();
    assert!(
        matches!(&error, PortError::Denied { action, .. } if action == "ec2:GetConsoleOutput"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_store_is_listed_in_order_although_it_answers_in_none() {
    let script = Script::answers([
        Some((
            200,
            r#"{"Parameters":[{"Name":"/ssh/keys/demo-b"},{"Name":"/ssh/keys/other"}],"NextToken":"more"}"#,
        )),
        Some((200, r#"{"Parameters":[{"Name":"/ssh/keys/demo-a"}]}"#)),
    ]);
    let access = Access::new(script.transport(), Clock::system());
    let account = Account::connect(&access).await.unwrap();
    let target = Target {
        key_store: KeyStoreChoice::Ssm {
            prefix: "/ssh".to_owned(),
            kms_key: None,
        },
        ..Target::rack("demo")
    };
    let rack = account.rack(&target, &Entropy::seeded(1)).unwrap();
    let names = rack.keys.list("demo-").await.unwrap();
    assert_eq!(names, ["demo-a", "demo-b"]);
    let asked = script.asked();
    assert!(asked[1].contains(r#""NextToken":"more""#), "{asked:?}");
    assert!(!asked[0].contains("WithDecryption\":true"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_data_key_is_made_and_unwrapped_for_one_purpose() {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let made = r#"{"KeyId":"k","Plaintext":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","CiphertextBlob":"d3JhcHBlZA=="}"#;
    let unwrapped = r#"{"KeyId":"k","Plaintext":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}"#;
    let short = r#"{"KeyId":"k","Plaintext":"AQEB","CiphertextBlob":"d3JhcHBlZA=="}"#;
    let bare = r#"{"KeyId":"k","Plaintext":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}"#;
    let script = Script::answers([made, unwrapped, short, bare].map(|body| Some((200, body))));
    let access = Access::new(script.transport(), Clock::system());
    let account = Account::connect(&access).await.unwrap();
    let keys = account.data_keys("alias/keys");
    let made = keys.generate().await.unwrap();
    assert_eq!(*made.plain, [1; 32]);
    assert_eq!(made.wrapped, b"wrapped");
    assert_eq!(*keys.unwrap(&made.wrapped).await.unwrap(), [1; 32]);
    assert!(keys.generate().await.is_err(), "a short key");
    assert!(keys.generate().await.is_err(), "a key that is not wrapped");
    let asked = script.asked();
    for (asked, word) in asked.iter().zip(["alias/keys", "d3JhcHBlZA=="]) {
        assert!(asked.contains(word), "{asked}");
        assert!(asked.contains("console master key"), "{asked}");
        assert!(!asked.contains(key), "{asked}");
    }
}

/// An account that takes `rate` calls a second, and a few more after a rest, as AWS does.
fn strict(clock: &Clock, rate: f64) -> (InProcess, Arc<Mutex<(u32, u32)>>) {
    let counts = Arc::new(Mutex::new((0, 0)));
    let (clock, seen) = (clock.clone(), Arc::clone(&counts));
    let bucket = Mutex::new((rate, clock.passed()));
    let account: InProcess = Arc::new(move |_| {
        let mut bucket = bucket.lock().unwrap();
        let now = clock.passed();
        let left = bucket.0 + (now - bucket.1).as_secs_f64() * rate;
        let is_taken = left >= 1.0;
        *bucket = (rate.min(left) - if is_taken { 1.0 } else { 0.0 }, now);
        let mut seen = seen.lock().unwrap();
        let (status, body) = if is_taken {
            seen.0 += 1;
            (
                200,
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>",
            )
        } else {
            seen.1 += 1;
            THROTTLED.unwrap()
        };
        let answer = http::Response::builder().status(status);
        let answer = answer.body(Bytes::from(body)).unwrap();
        Box::pin(async move { Some(answer) })
    });
    (account, counts)
}

/// Has so many programs call at once, each several times; returns the calls that were taken and
/// refused, and how long it took in seconds.
async fn many_at_once(rate: f64, budgets: bool) -> (u32, u32, u64) {
    let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
    let (account, counts) = strict(&clock, rate);
    let budgets = budgets.then(|| Budgets::new(clock.clone(), CALLS_PER_SECOND));
    let began = clock.passed();
    let mut racks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut access = Access::new(Transport::InProcess(account.clone()), clock.clone());
        access.budget = budgets.as_ref().map(|budgets| budgets.of(&access));
        let account = Account::connect(&access).await.unwrap();
        racks.spawn(async move {
            for _ in 0..20 {
                let _ = account.identity().await;
            }
        });
    }
    racks.join_all().await;
    let (taken, refused) = *counts.lock().unwrap();
    (taken, refused, (clock.passed() - began).as_secs())
}

#[tokio::test(start_paused = true)]
async fn many_racks_of_one_account_share_what_it_takes() {
    // More than the budget: nobody is ever refused, and nothing but the budget takes time.
    let (taken, refused, seconds) = many_at_once(6.0, true).await;
    assert_eq!((taken, refused), (1000, 0));
    assert!((198..=202).contains(&seconds), "{seconds} s");
    // Less: they find out how much less.
    let (taken, refused, seconds) = many_at_once(3.0, true).await;
    // Who was refused three times in a row has given up, as the engine would not.
    assert!(taken >= 980, "{taken} taken");
    let told = format!("{refused} were refused in {seconds} s");
    assert!(refused < 100 && seconds < 450, "{told}");
    // Without it most of what is asked is refused, and given up.
    let (taken, refused, _) = many_at_once(3.0, false).await;
    assert!(
        taken < 200 && refused > 1000,
        "{taken} taken, {refused} refused"
    );
}

#[tokio::test]
async fn alarms_are_read_page_by_page_and_refusals_of_cloudwatch_are_sorted() {
    let script = Script::answers([
        Some((
            200,
            "<DescribeAlarmsResponse><DescribeAlarmsResult><MetricAlarms><member><AlarmName>a\
             </AlarmName><StateValue>OK</StateValue></member></MetricAlarms><NextToken>more\
             </NextToken></DescribeAlarmsResult></DescribeAlarmsResponse>",
        )),
        Some((
            200,
            "<DescribeAlarmsResponse><DescribeAlarmsResult><CompositeAlarms><member><AlarmName>b\
             </AlarmName><StateValue>ALARM</StateValue></member></CompositeAlarms>\
             </DescribeAlarmsResult></DescribeAlarmsResponse>",
        )),
        Some((
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate \
             exceeded</Message></Error></ErrorResponse>",
        )),
        Some((
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: u is not authorized \
             to perform: cloudwatch:DescribeAlarms</Message></Error></ErrorResponse>",
        )),
        None,
    ]);
    let rack = script.rack().await;
    let names = ["a".to_owned(), "b".to_owned()];
    let found = rack.alarms.alarms(&names).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.name.as_str(), it.is_on()))
        .collect();
    assert_eq!(found, [("a", false), ("b", true)]);
    let asked = script.asked.lock().unwrap().clone();
    assert!(asked[1].ends_with("&NextToken=more"), "{}", asked[1]);
    let throttled = rack.alarms.alarms(&names).await.unwrap_err();
    assert!(
        matches!(throttled, PortError::Throttled { .. }),
        "{throttled}"
    );
    let denied = rack.alarms.alarms(&names).await.unwrap_err();
    assert!(
        matches!(&denied, PortError::Denied { action, .. } if action == "cloudwatch:DescribeAlarms"),
        "{denied}"
    );
    let lost = rack.alarms.alarms(&names).await.unwrap_err();
    assert!(lost.is_unanswered(), "{lost}");
}

#[tokio::test]
async fn a_group_that_is_being_refreshed_is_busy_and_one_that_is_not_needs_no_cancelling() {
    let script = Script::answers([
        Some((
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>InstanceRefreshInProgress</Code>\
             <Message>An Instance Refresh is already in progress</Message></Error></ErrorResponse>",
        )),
        Some((
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>ActiveInstanceRefreshNotFound</Code>\
             <Message>No in progress or pending Instance Refresh found</Message></Error>\
             </ErrorResponse>",
        )),
    ]);
    let rack = script.rack().await;
    let wish = crate::rack::RefreshWish {
        min_healthy_percent: 100,
        max_healthy_percent: 110,
        warmup_secs: None,
        bake_secs: 0,
        until_percent: Some(33),
        alarms: vec!["errors".to_owned()],
        launch_template: None,
    };
    let busy = rack.refreshes.start("web", &wish).await.unwrap_err();
    assert!(matches!(busy, PortError::Busy { .. }), "{busy}");
    let asked = script.asked.lock().unwrap()[0].clone();
    for said in [
        "Preferences.CheckpointPercentages.member.1=33",
        "Preferences.SkipMatching=true",
        "Preferences.AlarmSpecification.Alarms.member.1=errors",
        "Preferences.MaxHealthyPercentage=110",
    ] {
        assert!(asked.contains(said), "{said} in {asked}");
    }
    rack.refreshes.cancel("web").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_read_with_what_runs_of_it() {
    let script = Script::answers([
        Some((
            200,
            "<DescribeInstancesResponse><reservationSet><item><instancesSet>\
             <item><instanceId>i-1</instanceId><instanceType>t3.small</instanceType></item>\
             <item><instanceId>i-2</instanceId><instanceType>m5.large</instanceType>\
             <instanceLifecycle>spot</instanceLifecycle></item>\
             <item><instanceId>i-3</instanceId><instanceType>m5.large</instanceType>\
             <placement><tenancy>host</tenancy></placement></item>\
             </instancesSet></item></reservationSet></DescribeInstancesResponse>",
        )),
        Some((
            200,
            "<DescribeInstanceTypesResponse><instanceTypeSet><item>\
             <instanceType>t3.small</instanceType><vCpuInfo><defaultVCpus>2</defaultVCpus>\
             </vCpuInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>",
        )),
        Some((
            200,
            r#"{"Quota":{"QuotaCode":"L-1216C47A","Value":1152.0}}"#,
        )),
        Some((
            400,
            r#"{"__type":"NoSuchResourceException","message":"no"}"#,
        )),
        Some((
            400,
            r#"{"__type":"AccessDeniedException","message":"User: arn:aws:iam::1:user/ada is not authorized to perform: servicequotas:GetServiceQuota"}"#,
        )),
    ]);
    let quotas = script.rack().await.quotas;
    let running = quotas.running().await.unwrap();
    let markets: Vec<Market> = running.iter().map(|it| it.market).collect();
    assert_eq!(markets, [Market::OnDemand, Market::Spot, Market::Apart]);
    let types = ["t3.small", "t3.small"].map(str::to_owned);
    let vcpus = quotas.vcpus(&types).await.unwrap();
    assert_eq!(vcpus, BTreeMap::from([("t3.small".to_owned(), 2)]));
    let standard = VcpuQuota::of("t3.small", Market::OnDemand).unwrap();
    assert_eq!(quotas.quota(standard).await.unwrap(), 1152.0);
    let error = quotas.quota(standard).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = quotas.quota(standard).await.unwrap_err();
    let PortError::Denied { action, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(action, "servicequotas:GetServiceQuota");
    let asked = script.asked();
    assert!(asked[0].contains("Filter.1.Name=instance-state-name"));
    assert!(asked[1].ends_with("&InstanceType.1=t3.small"), "{asked:?}");
    assert_eq!(
        asked[2],
        r#"{"ServiceCode":"ec2","QuotaCode":"L-1216C47A"}"#
    );
}
