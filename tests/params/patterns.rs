//! What the template does not allow is told before anything is asked of the stack.

use std::time::Duration;

use convox::rack::{ChangeProblem, PortError};
use convox::roll::{ApiKeyRequest, Engine, Journals, Refusal};
use secrecy::SecretString;

use crate::environment::TestEnvironment;
use crate::rehearsal::{Rehearsal, map};
use crate::rehearsing::Tape;
use crate::virtual_time::in_virtual_time;

/// The rack's template, with a pattern for the password and one for the type of instances.
fn template() -> String {
    let plain = include_str!("../../fixtures/rack.yaml");
    let strict = plain.replacen(
        "    NoEcho: true\n",
        "    NoEcho: true\n    AllowedPattern: '[A-Za-z0-9-]+'\n    \
         ConstraintDescription: letters, digits and dashes\n",
        1,
    );
    let strict = strict.replacen(
        "  InstanceType:\n    Type: String\n",
        "  InstanceType:\n    Type: String\n    AllowedPattern: 't3\\.[a-z]+'\n",
        1,
    );
    assert_eq!(strict.matches("AllowedPattern").count(), 2, "{strict}");
    strict
}

/// A rehearsal on that template.
fn rehearsal() -> Rehearsal {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strict.yaml");
    std::fs::write(&path, template()).unwrap();
    Rehearsal::of(&format!("template: {}", path.display()))
}

/// Plans a roll to a password, and tells how that is refused.
async fn refused(rehearsal: &Rehearsal, password: &str, others: &[(&str, &str)]) -> Refusal {
    let home = tempfile::tempdir().unwrap();
    let mut engine = Engine::new(
        rehearsal.rack().await,
        rehearsal.clock.clone(),
        convox::ids::Entropy::seeded(3),
        Journals::new(home.path().join("rolls")),
        Box::new(Tape::default()),
        rehearsal.stop.clone(),
    );
    let request = ApiKeyRequest {
        value: Some(SecretString::from(password)),
        set: map(others),
        password_out: None,
        shown: false,
    };
    engine
        .plan_api_key(request, Duration::ZERO)
        .await
        .unwrap_err()
}

/// Lists the calls that ask something of the stack, and not only how it is.
fn asked_of_the_stack(rehearsal: &Rehearsal) -> Vec<String> {
    let calls = rehearsal.sandbox.calls().into_keys();
    let is_asked = |api: &String| {
        let changes = ["UpdateStack", "CreateChangeSet", "ExecuteChangeSet"];
        changes.iter().any(|name| api.ends_with(name))
    };
    calls.filter(is_asked).collect()
}

#[test]
fn a_password_that_does_not_fit_its_pattern_is_refused() {
    in_virtual_time(async {
        let rehearsal = rehearsal();
        let refusal = refused(&rehearsal, "no blanks, please", &[]).await;
        let reasons: Vec<_> = refusal
            .reasons
            .iter()
            .map(|it| it.message.as_str())
            .collect();
        let words = "Parameter Password failed to satisfy constraint: letters, digits and dashes";
        assert_eq!(reasons, [words]);
        assert_eq!(asked_of_the_stack(&rehearsal), Vec::<String>::new());
        // Whatever goes into the same update is held against the template as well.
        let refusal = refused(&rehearsal, "fits", &[("InstanceType", "m5.large")]).await;
        let reasons: Vec<_> = refusal
            .reasons
            .iter()
            .map(|it| it.message.as_str())
            .collect();
        assert_eq!(
            reasons,
            [r"Parameter 'InstanceType' must match pattern t3\.[a-z]+"]
        );
        assert_eq!(asked_of_the_stack(&rehearsal), Vec::<String>::new());
    });
}

#[test]
fn so_is_any_other_value() {
    in_virtual_time(async {
        let rehearsal = rehearsal();
        let refused = rehearsal
            .set_and_wait(&[("InstanceType", "m5.large")])
            .await;
        let error = refused.unwrap_err();
        assert!(
            matches!(&error, PortError::Change(ChangeProblem::Constraint { .. })),
            "{error:?}"
        );
        assert_eq!(asked_of_the_stack(&rehearsal), Vec::<String>::new());
        let report = rehearsal
            .set_and_wait(&[("InstanceType", "t3.large")])
            .await;
        assert_eq!(report.unwrap().exit_code, 0);
        assert!(!asked_of_the_stack(&rehearsal).is_empty());
    });
}

#[test]
fn the_command_says_so_and_shows_no_password() {
    let env = TestEnvironment::with_faults("template: strict.yaml");
    env.write("strict.yaml", &template());
    env.write("new", "no blanks, please\n");
    let shown = env.run("rack params set Password=@new");
    insta::assert_snapshot!(shown, @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: Parameter Password failed to satisfy constraint: letters, digits and dashes
    hint: see the names and limits with `convox rack params --sandbox`; nothing is changed
    ");
}
