//! The AWS CLI drives the sandbox: it makes a rack, rolls its key, sees the roll go back
//! and then succeed, looks around as an operator would, and deploys templates.

use std::time::Duration;

use convox::clock::{Clock, system_now};
use convox::sandbox::{Sandbox, Scenario, bind, serve};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::emulator::outside;

/// Fast enough that a roll takes seconds.
const SPEED: f64 = 150.0;

/// So fast that a small stack is there when a waiter looks for the first time: it looks again
/// only after half a minute.
const AT_ONCE: f64 = 5_000.0;

/// The first instances with a new key never signal; those of a second try do.
const SCENARIO: &str = "{ name: x, about: y, \
                        faults: [{ signals: { key: new, fate: never, from: 5, times: 1 } }] }";

/// A sandbox that listens, and the CLI that calls it.
struct Shell {
    aws: String,
    endpoint: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Shell {
    async fn open(speed: f64) -> Option<Self> {
        let aws = outside("CONVOX_TEST_AWS_CLI")?;
        let scenario = Scenario::parse(SCENARIO, "scenario").unwrap();
        let clock = Clock::starting_at(system_now(), speed);
        let sandbox = Sandbox::new(&scenario, clock).unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, sandbox, async {
            let _ = stopped.await;
        }));
        Some(Self {
            aws,
            endpoint,
            stop,
            server,
        })
    }

    async fn close(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
    }

    /// Runs one command; the text that it prints, or what it complains of.
    async fn print(&self, line: &[&str]) -> Result<String, String> {
        let output = tokio::process::Command::new(&self.aws)
            .args(line)
            .args(["--endpoint-url", &self.endpoint, "--region", "us-east-1"])
            .args(["--output", "json", "--no-paginate"])
            .env("AWS_ACCESS_KEY_ID", "sandbox")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_MAX_ATTEMPTS", "2")
            .output()
            .await
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(String::from_utf8(output.stdout).unwrap())
    }

    /// Runs one command; what it answers, or what it complains of.
    async fn run(&self, line: &[&str]) -> Result<Value, String> {
        let text = self.print(line).await?;
        let printed = if text.trim().is_empty() {
            "null"
        } else {
            &text
        };
        Ok(serde_json::from_str(printed).unwrap())
    }

    async fn ok(&self, line: &[&str]) -> Value {
        self.run(line)
            .await
            .unwrap_or_else(|error| panic!("aws {}: {error}", line.join(" ")))
    }

    /// Asks until the stack is at rest, and returns its status.
    async fn settled(&self, stack: &str) -> String {
        let clock = Clock::system();
        for _ in 0..120 {
            let answer = self
                .ok(&["cloudformation", "describe-stacks", "--stack-name", stack])
                .await;
            let status = text(&answer, "/Stacks/0/StackStatus");
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            clock.sleep(Duration::from_millis(500)).await;
        }
        panic!("{stack} never came to rest");
    }

    /// Deploys the template in `file` as `stack`. The AWS CLI names its change set by the second,
    /// and CloudFormation keeps a name that is taken: a second later there is another.
    async fn deploy(&self, file: &str, stack: &str, more: &[&str]) -> Result<String, String> {
        const SECONDS: usize = 5;
        let line = ["cloudformation", "deploy", "--template-file", file];
        let named = ["--stack-name", stack];
        let line = [&line[..], &named[..], more].concat();
        let is_taken = |error: &str| {
            error.contains("(AlreadyExistsException)") && error.contains("CreateChangeSet")
        };
        for _ in 0..SECONDS {
            match self.print(&line).await {
                Err(error) if is_taken(&error) => {
                    Clock::system().sleep(Duration::from_secs(1)).await;
                }
                answer => return answer,
            }
        }
        self.print(&line).await
    }

    async fn status(&self, stack: &str) -> String {
        let line = ["cloudformation", "describe-stacks", "--stack-name", stack];
        text(&self.ok(&line).await, "/Stacks/0/StackStatus")
    }

    /// Updates the key of `cli` and leaves everything else as it is.
    async fn update(&self, key: &str) -> Result<Value, String> {
        let key = format!("ParameterKey=Key,ParameterValue={key}");
        self.run(&[
            "cloudformation",
            "update-stack",
            "--stack-name",
            "cli",
            "--use-previous-template",
            "--capabilities",
            "CAPABILITY_IAM",
            "--parameters",
            &key,
            "ParameterKey=Password,UsePreviousValue=true",
            "ParameterKey=Version,UsePreviousValue=true",
        ])
        .await
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_makes_a_rack_and_rolls_its_key() {
    let Some(aws) = Shell::open(SPEED).await else {
        return;
    };
    let caller = aws.ok(&["sts", "get-caller-identity"]).await;
    assert!(
        text(&caller, "/Account")
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    );
    for key in ["cli-one", "cli-two"] {
        let pair = aws.ok(&["ec2", "create-key-pair", "--key-name", key]).await;
        assert!(text(&pair, "/KeyMaterial").starts_with("-----BEGIN"));
    }
    let template = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/fixtures/rack.yaml");
    aws.ok(&[
        "cloudformation",
        "create-stack",
        "--stack-name",
        "cli",
        "--template-body",
        template,
        "--capabilities",
        "CAPABILITY_IAM",
        "--parameters",
        "ParameterKey=Key,ParameterValue=cli-one",
        "ParameterKey=Password,ParameterValue=of-the-rack",
        "ParameterKey=Version,ParameterValue=1",
    ])
    .await;
    assert_eq!(aws.settled("cli").await, "CREATE_COMPLETE");
    let nothing = aws.update("cli-one").await.unwrap_err();
    assert!(
        nothing.contains("No updates are to be performed."),
        "{nothing}"
    );

    aws.update("cli-two").await.unwrap();
    assert_eq!(aws.settled("cli").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = aws
        .ok(&[
            "cloudformation",
            "describe-stack-events",
            "--stack-name",
            "cli",
        ])
        .await;
    assert!(events.to_string().contains("resource signal"), "{events}");

    aws.update("cli-two").await.unwrap();
    assert_eq!(aws.settled("cli").await, "UPDATE_COMPLETE");
    let shown = aws
        .ok(&["cloudformation", "describe-stacks", "--stack-name", "cli"])
        .await;
    assert!(shown.to_string().contains("****") && !shown.to_string().contains("of-the-rack"));

    let running = "Name=instance-state-name,Values=running";
    let tagged = "Name=tag:Rack,Values=cli";
    let seen = aws
        .ok(&["ec2", "describe-instances", "--filters", running, tagged])
        .await
        .to_string();
    assert!(
        seen.contains("cli-two") && !seen.contains("cli-one"),
        "{seen}"
    );
    for line in [
        &[
            "cloudformation",
            "list-stack-resources",
            "--stack-name",
            "cli",
        ][..],
        &["cloudformation", "get-template", "--stack-name", "cli"],
        &["autoscaling", "describe-auto-scaling-groups"],
        &["autoscaling", "describe-scaling-activities"],
        &["ec2", "describe-launch-templates"],
        &["ecs", "list-clusters"],
        &["s3api", "list-buckets"],
    ] {
        assert!(aws.ok(line).await.is_object(), "aws {}", line.join(" "));
    }
    let missing = aws
        .run(&["cloudformation", "describe-stacks", "--stack-name", "none"])
        .await
        .unwrap_err();
    assert!(
        missing.contains("ValidationError") && missing.contains("does not exist"),
        "{missing}"
    );
    let unknown = aws.run(&["iam", "list-users"]).await.unwrap_err();
    assert!(!unknown.contains("Unable to parse response"), "{unknown}");
    aws.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_deploys_a_template_and_deploys_it_again() {
    let Some(aws) = Shell::open(AT_ONCE).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("word.yaml");
    std::fs::write(
        &file,
        "Parameters: {Word: {Type: String, AllowedPattern: '[a-z]+'}}\n\
         Resources:\n  \
           Told: {Type: 'AWS::SSM::Parameter', \
                  Properties: {Name: !Ref 'AWS::StackName', Type: String, Value: !Ref Word}}\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let word = ["ssm", "get-parameter", "--name", "fresh"];
    let one = ["--parameter-overrides", "Word=one"];
    let refused = ["--parameter-overrides", "Word=ONE"];
    let refused = aws.deploy(file, "fresh", &refused).await.unwrap_err();
    assert!(
        refused.contains("Parameter 'Word' must match pattern [a-z]+"),
        "{refused}"
    );

    let told = aws.deploy(file, "fresh", &one).await.unwrap();
    assert!(told.contains("Successfully created/updated"), "{told}");
    assert_eq!(aws.status("fresh").await, "CREATE_COMPLETE");
    assert_eq!(text(&aws.ok(&word).await, "/Parameter/Value"), "one");

    let told = aws
        .deploy(file, "fresh", &["--no-fail-on-empty-changeset"])
        .await
        .unwrap();
    assert!(told.contains("No changes to deploy"), "{told}");
    let empty = aws.deploy(file, "fresh", &["--fail-on-empty-changeset"]);
    assert!(empty.await.is_err());
    assert_eq!(aws.status("fresh").await, "CREATE_COMPLETE");

    let two = ["--parameter-overrides", "Word=two"];
    aws.deploy(file, "fresh", &two).await.unwrap();
    assert_eq!(aws.status("fresh").await, "UPDATE_COMPLETE");
    assert_eq!(text(&aws.ok(&word).await, "/Parameter/Value"), "two");

    // A change set that is only made leaves a stack to review, and the next deployment makes it.
    let only_made = [&one[..], &["--no-execute-changeset"]].concat();
    aws.deploy(file, "later", &only_made).await.unwrap();
    assert_eq!(aws.status("later").await, "REVIEW_IN_PROGRESS");
    let sets = [
        "cloudformation",
        "list-change-sets",
        "--stack-name",
        "later",
    ];
    let sets = aws.ok(&sets).await;
    assert_eq!(text(&sets, "/Summaries/0/Status"), "CREATE_COMPLETE");
    assert_eq!(text(&sets, "/Summaries/0/ExecutionStatus"), "AVAILABLE");
    aws.deploy(file, "later", &one).await.unwrap();
    assert_eq!(aws.status("later").await, "CREATE_COMPLETE");
    aws.close().await;
}
