//! Where credentials come from: every link of the SDK's chain, against a little AWS on loopback
//! that hands some out and writes down who calls.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::environment::TestEnvironment;

/// Answers on loopback for as long as the test runs.
struct LittleAws {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl LittleAws {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let (status, kind, body) = answer(&request);
                seen.lock().unwrap().push(request);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n"
                );
                // Somebody who has hung up has heard enough.
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        Self { url, requests }
    }

    /// Returns the access key that a call was signed with.
    fn signer_of(&self, action: &str) -> String {
        let requests = self.requests.lock().unwrap();
        let call = requests
            .iter()
            .find(|request| request.contains(action))
            .unwrap_or_else(|| panic!("no {action}: {requests:#?}"));
        let (_, rest) = call.split_once("Credential=").unwrap();
        rest.split('/').next().unwrap().to_owned()
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return text;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn answer(request: &str) -> (&'static str, &'static str, String) {
    if request.contains("Action=AssumeRole") {
        let body = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
                    <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                    <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
                    </Credentials></AssumeRoleResult></AssumeRoleResponse>";
        return ("200 OK", "text/xml", body.to_owned());
    }
    if request.starts_with("GET /federation/credentials") {
        let body = "{\"roleCredentials\": {\"accessKeyId\": \"ASIASSO\", \
                    \"secretAccessKey\": \"s\", \"sessionToken\": \"t\", \
                    \"expiration\": 4070908800000}}";
        return ("200 OK", "application/json", body.to_owned());
    }
    if request.starts_with("GET /container") {
        let body = "{\"AccessKeyId\": \"ASIACONTAINER\", \"SecretAccessKey\": \"s\", \
                    \"Token\": \"t\", \"Expiration\": \"2099-01-01T00:00:00Z\"}";
        return ("200 OK", "application/json", body.to_owned());
    }
    let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>\
                </ErrorResponse>";
    ("403 Forbidden", "text/xml", body.to_owned())
}

/// A machine that reaches the little AWS only.
fn machine(aws: &LittleAws) -> TestEnvironment {
    TestEnvironment::in_real_time()
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", &aws.url)
}

/// Has a command ask for the stack, which is denied, and returns who asked.
fn who_asks(aws: &LittleAws, machine: &TestEnvironment) -> String {
    let shown = machine.run("instances keyroll --rack prod --plan");
    assert!(shown.contains("not allowed to call"), "{shown}");
    aws.signer_of("Action=DescribeStacks")
}

#[test]
fn the_environment_and_a_profile() {
    let aws = LittleAws::start();
    let environment = machine(&aws)
        .env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
        .env("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(who_asks(&aws, &environment), "AKIAENVIRONMENT");

    let aws = LittleAws::start();
    let profile = machine(&aws).env("AWS_PROFILE", "work");
    let keys = "[work]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = s\n";
    profile.write(".aws/credentials", keys);
    assert_eq!(who_asks(&aws, &profile), "AKIAPROFILE");
}

#[test]
fn a_role_of_the_configuration_file() {
    let aws = LittleAws::start();
    let machine = machine(&aws)
        .env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
        .env("AWS_SECRET_ACCESS_KEY", "s");
    let config = "racks: {prod: {role_arn: 'arn:aws:iam::123456789012:role/keyroll'}}\n";
    machine.write(".config/convox/config.yaml", config);
    assert_eq!(who_asks(&aws, &machine), "ASIAROLE");
    assert_eq!(aws.signer_of("Action=AssumeRole"), "AKIAENVIRONMENT");
    let requests = aws.requests.lock().unwrap().join("\n");
    let role = "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fkeyroll";
    assert!(requests.contains(role), "{requests}");
}

#[test]
fn a_role_of_an_aws_profile() {
    let aws = LittleAws::start();
    let machine = machine(&aws).env("AWS_PROFILE", "work");
    let config = "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/admin\n\
                  source_profile = base\n[profile base]\naws_access_key_id = AKIABASE\n\
                  aws_secret_access_key = s\n";
    machine.write(".aws/config", config);
    assert_eq!(who_asks(&aws, &machine), "ASIAROLE");
    assert_eq!(aws.signer_of("Action=AssumeRole"), "AKIABASE");
}

#[test]
fn a_single_sign_on_that_has_not_expired() {
    let aws = LittleAws::start();
    let machine = machine(&aws).env("AWS_PROFILE", "work");
    let config = "[profile work]\nsso_session = corp\nsso_account_id = 123456789012\n\
                  sso_role_name = admin\n[sso-session corp]\nsso_region = us-east-1\n\
                  sso_start_url = https://corp.awsapps.com/start\n";
    machine.write(".aws/config", config);
    // The file's name is the SHA-1 of the session's name.
    machine.write(
        ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
        "{\"accessToken\": \"token\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}",
    );
    assert_eq!(who_asks(&aws, &machine), "ASIASSO");
}

#[test]
fn a_credential_process_and_a_container() {
    let aws = LittleAws::start();
    let process = machine(&aws).env("AWS_PROFILE", "work");
    process.write(
        "credentials.json",
        "{\"Version\": 1, \"AccessKeyId\": \"AKIAPROCESS\", \"SecretAccessKey\": \"s\"}",
    );
    let file = process.path("credentials.json");
    let config = format!(
        "[profile work]\ncredential_process = cat {}\n",
        file.display()
    );
    process.write(".aws/config", &config);
    assert_eq!(
        who_asks(&aws, &process.env("PATH", "/usr/bin:/bin")),
        "AKIAPROCESS"
    );

    let aws = LittleAws::start();
    let url = format!("{}/container", aws.url);
    let container = machine(&aws).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
    assert_eq!(who_asks(&aws, &container), "ASIACONTAINER");
}
