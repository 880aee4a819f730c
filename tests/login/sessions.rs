//! `login` and `logout`.

use crate::environment::TestEnvironment;
use crate::server::{Answer, Server};

const CONSOLE: &[Answer] = &[("/auth", 200, "application/json", r#"{"id":"user-1"}"#)];
const RACK: &[Answer] = &[("/auth", 200, "text/plain", "ok\n")];

#[test]
fn a_login_is_stored_where_the_classic_finds_it() {
    let server = Server::start("p@ss/w+rd %&", CONSOLE);
    let env = server.environment();
    env.write(".config/convox2/auth", "{\n  \"a.example\": \"other\"\n}");
    env.write(".config/convox2/rack", "acme/old");
    let line = format!("login {} --tls-ca ca.pem --password-stdin", server.host);
    insta::assert_snapshot!(env.run_with_input(&line, "p@ss/w+rd %&\n"), @r"
    exit 0
    --- stdout
    Authenticating with HOST... OK
    --- stderr
    ");
    assert_eq!(server.seen(), ["GET /auth? convox:p@ss/w+rd %&"]);
    insta::assert_snapshot!(env.left(".config/convox2/auth"), @r#"
    {
      "HOST": "p@ss/w+rd %\u0026",
      "a.example": "other"
    }
    "#);
    assert_eq!(env.left(".config/convox2/host"), "HOST");
    assert_eq!(env.left(".config/convox2/id"), "user-1");
    assert_eq!(env.left(".config/convox2/rack"), "-");
    // The stored password does from then on, and a rack tells no id.
    let again = format!("login {} --tls-ca ca.pem", server.host);
    insta::assert_snapshot!(env.run(&again), @r"
    exit 0
    --- stdout
    Authenticating with HOST... OK
    --- stderr
    ");
}

#[test]
fn the_password_is_that_of_flag_then_environment_then_store() {
    let server = Server::start("x", RACK);
    server.accept(&["flag", "environment", "token", "stored"]);
    let env = server.environment();
    let auth = format!("{{\"{}\": \"stored\"}}", server.host);
    env.write(".config/convox2/auth", &auth);
    let line = format!("login {} --tls-ca ca.pem", server.host);
    let _ = env.run(&line);
    let env = env.env("CONVOX_TOKEN", "token");
    let _ = env.run(&line);
    let env = env.env("CONVOX_PASSWORD", "environment");
    let _ = env.run(&line);
    insta::assert_snapshot!(env.run(&format!("{line} -p flag")), @r"
    exit 0
    --- stdout
    Authenticating with HOST... OK
    --- stderr
    WARNING: other users of this machine can see a password on the command line
    hint: --password-stdin reads it from standard input, and without either it is asked for
    ");
    assert_eq!(
        server.seen(),
        [
            "GET /auth? convox:stored",
            "GET /auth? convox:token",
            "GET /auth? convox:environment",
            "GET /auth? convox:flag"
        ]
    );
}

#[test]
fn a_failure_says_what_failed_and_writes_nothing() {
    let server = Server::start("right", RACK);
    let env = server.environment().env("CONVOX_PASSWORD", "wrong-secret");
    let line = format!("login {} --tls-ca ca.pem", server.host);
    insta::assert_snapshot!(env.run(&line), @r"
    exit 1
    --- stdout
    Authenticating with HOST... <no line break>
    --- stderr
    ERROR: invalid login
    hint: HOST does not accept the password of CONVOX_PASSWORD; nothing is stored
    ");
    insta::assert_snapshot!(env.run(&format!("login {}", server.host)), @r"
    exit 1
    --- stdout
    Authenticating with HOST... <no line break>
    --- stderr
    ERROR: cannot verify the certificate of HOST: no authority that this machine knows has signed it
    hint: if the fingerprint FINGERPRINT is the rack's, `convox login HOST --tls-fingerprint FINGERPRINT` trusts it from then on; --tls-ca FILE trusts an authority
    ");
    // A port that nobody is given, so that no other test listens there.
    let down = "127.0.0.1:1";
    let env = env.hide(down, "DOWN");
    insta::assert_snapshot!(env.run(&format!("login {down}")), @r"
    exit 1
    --- stdout
    Authenticating with DOWN... <no line break>
    --- stderr
    ERROR: cannot connect to DOWN: Connection refused (os error 111)
    hint: is the rack up, and does a proxy or a firewall lie between?
    ");
    let unknown = env.run("login no-such-host.invalid");
    assert!(
        unknown.contains("ERROR: cannot connect to no-such-host.invalid: "),
        "{unknown}"
    );
    insta::assert_snapshot!(env.run("login http://rack.example"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: a login is never over plain HTTP
    hint: leave http:// out; RACK_URL can name a rack that has no TLS
    ");
    insta::assert_snapshot!(env.run("login convox:wrong-secret@rack.example"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: the rack's address is wrong: a host has no user in it; RACK_URL may have one
    hint: write it as HOST or HOST:PORT, or RACK_URL as https://convox:PASSWORD@HOST
    ");
    assert_eq!(env.left(".config/convox2/auth"), "-");
    assert_eq!(env.left(".config/convox2/host"), "-");
}

#[test]
fn what_is_no_rack_is_told_apart() {
    let page = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let server = Server::start("secret", &[("/auth", 200, "text/html", page)]);
    let env = server.environment().env("CONVOX_PASSWORD", "secret");
    let line = format!("login {} --tls-ca ca.pem", server.host);
    insta::assert_snapshot!(env.run(&line), @r"
    exit 1
    --- stdout
    Authenticating with HOST... <no line break>
    --- stderr
    ERROR: HOST answers GET /auth with a web page
    hint: is that the address of a rack or a console, and does a proxy answer for it?
    ");
    let server = Server::start(
        "secret",
        &[("/auth", 500, "text/plain", "100% of %s broken\n")],
    );
    let env = server.environment().env("CONVOX_PASSWORD", "secret");
    let line = format!("login {} --tls-ca ca.pem", server.host);
    insta::assert_snapshot!(env.run(&line), @r"
    exit 1
    --- stdout
    Authenticating with HOST... <no line break>
    --- stderr
    ERROR: 100% of %s broken
    ");
    assert_eq!(env.left(".config/convox2/auth"), "-");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("login rack.example"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: there is no password, and nobody to ask for one
    hint: use --password-stdin, or set CONVOX_PASSWORD
    ");
    insta::assert_snapshot!(env.run_with_input("login rack.example --password-stdin", "\n"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: the password is empty
    hint: nothing is stored
    ");
    insta::assert_snapshot!(env.run("login rack.example -p x --password-stdin"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `--password <PASSWORD>` and `--password-stdin` do not go together
    hint: `convox login --help` tells what it takes
    ");
}

#[test]
fn a_certificate_of_its_own_is_vouched_for_once() {
    let server = Server::start("secret", RACK);
    let env = server.environment().env("CONVOX_PASSWORD", "secret");
    let wrong = "00:".repeat(31) + "00";
    let line = format!("login {} --tls-fingerprint {wrong}", server.host);
    insta::assert_snapshot!(env.run(&line), @r"
    exit 1
    --- stdout
    Authenticating with HOST... <no line break>
    --- stderr
    ERROR: the certificate of HOST has another fingerprint
    hint: it is FINGERPRINT, which --tls-fingerprint does not name; somebody may be listening in
    ");
    assert!(server.seen().is_empty(), "no password is sent");
    let line = format!(
        "login {} --tls-fingerprint {}",
        server.host, server.fingerprint
    );
    insta::assert_snapshot!(env.run(&line), @r"
    exit 0
    --- stdout
    Authenticating with HOST... OK
    --- stderr
    ");
    insta::assert_snapshot!(env.run(&format!("login {}", server.host)), @r"
    exit 0
    --- stdout
    Authenticating with HOST... OK
    --- stderr
    ");
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_file_with_secrets_that_others_may_read_is_refused() {
    let server = Server::start("secret", RACK);
    let env = server.environment();
    env.write(".config/convox2/auth", "{\"a\": \"hunter2\"}");
    env.chmod(".config/convox2/auth", 0o644);
    let line = format!("login {} --tls-ca ca.pem -p secret -q", server.host);
    insta::assert_snapshot!(env.run(&line), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: $HOME/.config/convox2/auth holds secrets and is open to others (mode 0644)
    hint: chmod 600 $HOME/.config/convox2/auth
    ");
    assert_eq!(env.left(".config/convox2/auth"), "{\"a\": \"hunter2\"}");
    env.chmod(".config/convox2/auth", 0o600);
    env.write(".config/convox2/auth", "{\"a\": \"hunter2\"");
    insta::assert_snapshot!(env.run(&line), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: $HOME/.config/convox2/auth:1:15: this JSON is cut off
    hint: mend the file or move it away; nothing was changed in it
    ");
    assert_eq!(env.left(".config/convox2/auth"), "{\"a\": \"hunter2\"");
}

#[test]
fn a_logout_forgets_one_login_and_says_what_still_holds() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("logout"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: no host is chosen
    hint: no login is stored on this machine
    ");
    let auth = "{\n  \"a.example\": \"one\",\n  \"b.example\": \"two\"\n}";
    env.write(".config/convox2/auth", auth);
    env.write(".config/convox2/host", "b.example");
    insta::assert_snapshot!(env.run("logout c.example"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: there is no login to c.example
    hint: there are logins to a.example, b.example
    ");
    insta::assert_snapshot!(env.run("logout"), @r"
    exit 0
    --- stdout
    Logging out of b.example... OK
    --- stderr
    ");
    insta::assert_snapshot!(env.left(".config/convox2/auth"), @r#"
    {
      "a.example": "one"
    }
    "#);
    assert_eq!(env.left(".config/convox2/host"), "-");
    let env = env
        .env("CONVOX_PASSWORD", "secret")
        .env("CONVOX_HOST", "a.example");
    insta::assert_snapshot!(env.run("logout a.example"), @r"
    exit 0
    --- stdout
    Logging out of a.example... OK
    --- stderr
    WARNING: CONVOX_HOST is still set, and is used without a login
    hint: unset CONVOX_HOST
    WARNING: CONVOX_PASSWORD is still set, and is used without a login
    hint: unset CONVOX_PASSWORD
    ");
}

#[test]
fn two_command_lines_at_once_lose_no_login() {
    let servers: Vec<_> = (0..4).map(|_| Server::start("secret", RACK)).collect();
    let env = TestEnvironment::new();
    std::thread::scope(|scope| {
        for server in &servers {
            let env = &env;
            scope.spawn(move || {
                let line = format!(
                    "login {} --tls-fingerprint {} --password-stdin",
                    server.host, server.fingerprint
                );
                let told = env.run_with_input(&line, "secret");
                assert!(told.starts_with("exit 0\n"), "{told}");
            });
        }
    });
    let auth = env.left(".config/convox2/auth");
    for server in &servers {
        assert!(auth.contains(&server.host), "{auth}");
    }
}
