use jiff::Timestamp;

use super::*;
use crate::clock::Clock;
use crate::sandbox::Sandbox;

fn sandbox() -> Sandbox {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Sandbox::of_world(World::new(start, 1), Clock::starting_at(start, 1.0))
}

fn signed(service: &str) -> http::request::Builder {
    Request::builder().header(
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=00"
        ),
    )
}

async fn send(sandbox: &Sandbox, request: http::request::Builder, body: &str) -> (u16, String) {
    let (status, _, body) = send_all(sandbox, request, body).await;
    (status, body)
}

async fn send_all(
    sandbox: &Sandbox,
    request: http::request::Builder,
    body: &str,
) -> (u16, HeaderMap, String) {
    let request = request
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    let response = sandbox.handle(request).await.unwrap();
    let (head, body) = response.into_parts();
    (
        head.status.as_u16(),
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

/// Takes the request id out, which differs from request to request.
fn without_id(text: &str) -> String {
    let Some(start) = text
        .find("equestI")
        .and_then(|at| Some(at + text[at..].find('>')? + 1))
    else {
        return text.to_owned();
    };
    let end = start + text[start..].find('<').unwrap();
    format!("{}{}", &text[..start], &text[end..])
}

#[tokio::test(start_paused = true)]
async fn a_query_answer_has_a_result_and_metadata() {
    let request = signed("sts").method("POST").uri("/");
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let (status, text) = send(&sandbox(), request, body).await;
    assert_eq!(status, 200);
    assert_eq!(
        without_id(&text),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<GetCallerIdentityResponse \
         xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>\
         123456789012</Account><Arn>arn:aws:iam::123456789012:user/sandbox</Arn><UserId>\
         AIDASANDBOXSANDBOX</UserId></GetCallerIdentityResult><ResponseMetadata><RequestId>\
         </RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_actions_are_refused_in_each_protocols_shape() {
    let sandbox = sandbox();
    let form = |service| signed(service).method("POST").uri("/");
    let (status, text) = send(
        &sandbox,
        form("cloudformation"),
        "Action=Frob&Version=2010-05-15",
    )
    .await;
    assert_eq!(status, 400);
    assert_eq!(
        without_id(&text),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse \
         xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
         <Code>InvalidAction</Code><Message>Could not find operation Frob for version 2010-05-15\
         </Message></Error><RequestId></RequestId></ErrorResponse>"
    );
    let (status, text) = send(&sandbox, form("ec2"), "Action=Frob&Version=2016-11-15").await;
    assert_eq!(status, 400);
    assert_eq!(
        without_id(&text),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidAction\
         </Code><Message>The action Frob is not valid for this web service.</Message></Error>\
         </Errors><RequestID></RequestID></Response>"
    );
    let json = form("kms").header("x-amz-target", "TrentService.Frob");
    let (status, headers, text) = send_all(&sandbox, json, "{}").await;
    assert_eq!(status, 400);
    assert_eq!(
        text,
        r#"{"__type":"UnknownOperationException","message":""}"#
    );
    assert_eq!(headers["x-amzn-errortype"], "UnknownOperationException");
    let rest = signed("s3").method("GET").uri("/bucket/key?acl");
    let (status, text) = send(&sandbox, rest, "").await;
    assert_eq!(status, 501);
    assert!(
        text.contains("<Error><Code>NotImplemented</Code>"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_service_is_found_without_a_signature_too() {
    let sandbox = sandbox();
    let version = Request::builder().method("POST").uri("/");
    let (status, text) = send(
        &sandbox,
        version,
        "Action=GetCallerIdentity&Version=2011-06-15",
    )
    .await;
    assert_eq!((status, text.contains("<Account>")), (200, true), "{text}");
    let target = Request::builder()
        .method("POST")
        .uri("/")
        .header("x-amz-target", "AmazonSSM.GetParameter");
    let (status, text) = send(&sandbox, target, r#"{"Name":"none"}"#).await;
    assert_eq!(
        (status, text.contains("ParameterNotFound")),
        (400, true),
        "{text}"
    );
    let host = Request::builder()
        .method("GET")
        .uri("/")
        .header("host", "s3.amazonaws.com");
    let (status, text) = send(&sandbox, host, "").await;
    assert_eq!(
        (status, text.contains("<ListAllMyBucketsResult")),
        (200, true),
        "{text}"
    );
    let nobody = Request::builder().method("POST").uri("/?Action=Frob");
    let (status, text) = send(&sandbox, nobody, "").await;
    assert_eq!(
        (status, text.contains("InvalidAction")),
        (400, true),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_parameter_is_refused_in_the_services_words() {
    let sandbox = sandbox();
    let json = signed("ssm")
        .method("POST")
        .uri("/")
        .header("x-amz-target", "AmazonSSM.GetParameter");
    let (status, text) = send(&sandbox, json, "{}").await;
    assert_eq!(status, 400);
    assert!(text.contains(r#""__type":"ValidationException""#), "{text}");
    assert!(
        text.contains("Value null at 'name' failed to satisfy constraint"),
        "{text}"
    );
    let broken = signed("ssm")
        .method("POST")
        .uri("/")
        .header("x-amz-target", "AmazonSSM.X");
    let (status, text) = send(&sandbox, broken, "{").await;
    assert_eq!(
        (status, text.contains("SerializationException")),
        (400, true),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn objects_go_in_and_come_out() {
    let sandbox = sandbox();
    let s3 = |method: &str, uri: &str| signed("s3").method(method).uri(uri);
    let (status, text) = send(&sandbox, s3("PUT", "/box/a"), "x").await;
    assert_eq!(
        (status, text.contains("<Code>NoSuchBucket</Code>")),
        (404, true),
        "{text}"
    );
    assert_eq!(send(&sandbox, s3("PUT", "/box"), "").await.0, 200);
    let put = s3("PUT", "/box/dir/a%20b+c")
        .header("x-amz-meta-by", "me")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let (status, headers, _) = send_all(&sandbox, put, "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(status, 200);
    let etag = headers["etag"].clone();
    let (status, headers, text) = send_all(&sandbox, s3("GET", "/box/dir/a%20b+c"), "").await;
    assert_eq!((status, text.as_str()), (200, "hello"));
    assert_eq!(headers["etag"], etag);
    assert_eq!(headers["x-amz-meta-by"], "me");
    assert_eq!(headers["last-modified"], "Thu, 01 Jan 2026 00:00:00 GMT");
    let virtual_host = signed("s3")
        .method("HEAD")
        .uri("https://box.s3.us-east-1.amazonaws.com/dir/a%20b+c");
    let (status, headers, text) = send_all(&sandbox, virtual_host, "").await;
    assert_eq!((status, text.as_str()), (200, ""));
    assert_eq!(headers["content-length"], "5");
    let (status, text) = send(&sandbox, s3("HEAD", "/box/none"), "").await;
    assert_eq!((status, text.as_str()), (404, ""));
    let once = s3("PUT", "/box/dir/a%20b+c").header("if-none-match", "*");
    assert_eq!(send(&sandbox, once, "y").await.0, 412);
    assert_eq!(
        send(&sandbox, s3("DELETE", "/box/dir/a%20b+c"), "").await.0,
        204
    );
    let (status, text) = send(&sandbox, s3("GET", "/box/dir/a%20b+c"), "").await;
    assert_eq!(
        (status, text.contains("<Code>NoSuchKey</Code>")),
        (404, true),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listing_comes_in_pages_with_common_prefixes() {
    let sandbox = sandbox();
    sandbox.with(|world| {
        world.create_bucket("box");
        for key in ["a/1", "a/2", "b", "c/1", "d"] {
            world.put_object("box", key, b"x").unwrap();
        }
    });
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let uri = format!("/box?list-type=2&delimiter=%2F&max-keys=2&continuation-token={token}");
        let (_, text) = send(&sandbox, signed("s3").method("GET").uri(uri), "").await;
        let body = text.split_once("</KeyCount>").unwrap().1;
        let mut entries: Vec<_> = body
            .split("</Contents>")
            .flat_map(|part| part.split("</CommonPrefixes>"))
            .collect();
        entries.pop();
        for entry in entries {
            let name = entry
                .split_once("<Key>")
                .or(entry.split_once("<Prefix>"))
                .unwrap()
                .1;
            seen.push(name.split('<').next().unwrap().to_owned());
        }
        match text.split_once("<NextContinuationToken>") {
            Some((_, next)) => token = next.split('<').next().unwrap().replace('/', "%2F"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_calls_give_the_same_bytes() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sandbox = sandbox();
        let mut run = String::new();
        for (service, target, body) in [
            ("kms", "TrentService.CreateKey", "{}"),
            (
                "kms",
                "TrentService.GenerateRandom",
                r#"{"NumberOfBytes":9}"#,
            ),
            (
                "ssm",
                "AmazonSSM.PutParameter",
                r#"{"Name":"a","Value":"b","Type":"String"}"#,
            ),
        ] {
            let request = signed(service)
                .method("POST")
                .uri("/")
                .header("x-amz-target", target);
            let (_, headers, text) = send_all(&sandbox, request, body).await;
            run.push_str(headers["x-amzn-requestid"].to_str().unwrap());
            run.push_str(&text);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted() {
    let sandbox = sandbox();
    for _ in 0..3 {
        send(&sandbox, signed("s3").method("GET").uri("/"), "").await;
    }
    assert_eq!(sandbox.calls(), [("s3:ListBuckets".to_owned(), 3)].into());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_made_set_off_and_described_over_the_wire() {
    let sandbox = sandbox();
    let form = || signed("monitoring").method("POST").uri("/");
    let version = "Version=2010-08-01";
    let put = format!("Action=PutMetricAlarm&{version}&AlarmName=5xx");
    assert_eq!(send(&sandbox, form(), &put).await.0, 200);
    let set =
        format!("Action=SetAlarmState&{version}&AlarmName=5xx&StateValue=ALARM&StateReason=x");
    assert_eq!(send(&sandbox, form(), &set).await.0, 200);
    let describe = format!("Action=DescribeAlarms&{version}&AlarmNames.member.1=5xx");
    // Without a signature, the version alone tells the service.
    let unsigned = Request::builder().method("POST").uri("/");
    for request in [form(), unsigned] {
        let (status, text) = send(&sandbox, request, &describe).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("<MetricAlarms><member>"), "{text}");
        assert!(text.contains("<StateValue>ALARM</StateValue>"), "{text}");
        assert!(
            text.contains("<StateUpdatedTimestamp>2026-01-01T00:00:00.000Z<"),
            "{text}"
        );
    }
    let (status, text) = send(&sandbox, form(), &set.replace("5xx", "none")).await;
    assert_eq!(status, 404);
    assert!(text.contains("<Code>ResourceNotFound</Code>"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn preferences_of_a_refresh_that_contradict_each_other_are_refused_over_the_wire() {
    let sandbox = sandbox();
    let form = || signed("autoscaling").method("POST").uri("/");
    let make = "Action=CreateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=web\
                &MinSize=0&MaxSize=0&LaunchTemplate.LaunchTemplateId=lt-1";
    let id = sandbox.with(|world| world.create_launch_template("web", Default::default()));
    let make = make.replace("lt-1", &id.unwrap());
    let (status, text) = send(&sandbox, form(), &make).await;
    assert_eq!(status, 200, "{text}");
    let start = "Action=StartInstanceRefresh&Version=2011-01-01&AutoScalingGroupName=web\
                 &Preferences.CheckpointPercentages.member.1=";
    for (checkpoints, status) in [
        ("50&Preferences.CheckpointPercentages.member.2=20", 400),
        ("101", 400),
        ("20&Preferences.MaxHealthyPercentage=210", 400),
        ("20&Preferences.CheckpointPercentages.member.2=100", 200),
        // One is under way now.
        ("20", 400),
    ] {
        let (answered, text) = send(&sandbox, form(), &format!("{start}{checkpoints}")).await;
        assert_eq!(answered, status, "{checkpoints}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_asked_for_as_json() {
    let sandbox = sandbox();
    let ask = || {
        Request::builder()
            .method("POST")
            .uri("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "ServiceQuotasV20190624.GetServiceQuota")
    };
    let body = r#"{"ServiceCode":"ec2","QuotaCode":"L-1216C47A"}"#;
    for request in [
        ask(),
        ask().header("host", "servicequotas.us-east-1.amazonaws.com"),
    ] {
        let (status, text) = send(&sandbox, request, body).await;
        assert_eq!(status, 200, "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        let quota = &told["Quota"];
        assert_eq!(quota["QuotaCode"], "L-1216C47A");
        assert_eq!(quota["Value"], 1_000_000.0);
        let arn = "arn:aws:servicequotas:us-east-1:123456789012:ec2/L-1216C47A";
        assert_eq!(quota["QuotaArn"], arn);
    }
    let none = r#"{"ServiceCode":"ec2","QuotaCode":"L-0"}"#;
    let (status, text) = send(&sandbox, ask(), none).await;
    assert_eq!(
        (
            status,
            text.contains(r#""__type":"NoSuchResourceException""#)
        ),
        (400, true),
        "{text}"
    );
    let form = signed("ec2").method("POST").uri("/");
    let body = "Action=DescribeInstanceTypes&Version=2016-11-15&InstanceType.1=m5.2xlarge";
    let (status, text) = send(&sandbox, form, body).await;
    assert_eq!(
        (status, text.contains("<defaultVCpus>8</defaultVCpus>")),
        (200, true),
        "{text}"
    );
}
