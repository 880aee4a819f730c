//! What the program says of itself.

use crate::environment::TestEnvironment;

/// The options that every command takes, as `--help` tells them.
const GLOBAL_OPTIONS: &str = "\
Global options:
      --region <REGION>
          AWS region [default: as the AWS CLI finds it]

      --profile <NAME>
          Profile of the AWS configuration files

      --endpoint-url <URL>
          Send every AWS call to this address instead

      --sandbox
          Use the little AWS account that lives on this machine

      --via <WAY>
          How to reach the rack [default: its API where a host is chosen, else AWS]

          Possible values:
          - aws:     With AWS credentials, in the account that the rack is in
          - api:     By its HTTP API, or a console's
          - sandbox: In the little AWS account on this machine, as `--sandbox`

      --tls-ca <FILE>
          Also believe the certificates of this file, in PEM form, when reaching an API

  -q, --quiet
          Say only how it ended

  -v, --verbose
          Tell every detail
";

/// The same, in the short form.
const GLOBAL_OPTIONS_IN_SHORT: &str = "\
Global options:
      --region <REGION>     AWS region [default: as the AWS CLI finds it]
      --profile <NAME>      Profile of the AWS configuration files
      --endpoint-url <URL>  Send every AWS call to this address instead
      --sandbox             Use the little AWS account that lives on this machine
      --via <WAY>           How to reach the rack [default: its API where a host is chosen, else
                            AWS] [possible values: aws, api, sandbox]
      --tls-ca <FILE>       Also believe the certificates of this file, in PEM form, when reaching
                            an API
  -q, --quiet               Say only how it ended
  -v, --verbose             Tell every detail
";

/// Runs a command, and shortens what every help text says.
fn help(env: &TestEnvironment, line: &str) -> String {
    let shown = env.run(line);
    let shown = shown.replace(GLOBAL_OPTIONS, "<global options>\n");
    shown.replace(GLOBAL_OPTIONS_IN_SHORT, "<global options>\n")
}

#[test]
fn version_and_help_are_data() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.run("--version"), @r"
    exit 0
    --- stdout
    convox 0.1.0
    --- stderr
    ");
    insta::assert_snapshot!(help(&env, "--help"), @r"
    exit 0
    --- stdout
    Rolls every key of a rack without ever locking anybody out

    Usage: convox [OPTIONS] <COMMAND>

    Commands:
      login        Log in to a console or a rack, and make it the one that commands are for
      logout       Forget the stored password of a console or a rack
      racks        List racks
      switch       Show the rack that is chosen, or choose another at a console
      rack         Show a rack, or do something with it
      instances    List the instances of a rack, or do something with them
      api          Ask a rack's HTTP API directly
      version      Print the versions of this program and of the rack
      account      Roll the key that you log in to a console with
      rehearse     Find out what a roll of the rack's SSH key will do to its services
      rolls        Look at rolls, go on with them or undo them
      keys         Issue, verify and reroll the keys of an API of your own
      apis         Manage the APIs that keys are issued for
      identities   Manage those whom keys are issued to
      console      Serve keys and racks to people and programs
      sandbox      Manage the little AWS account on this machine
      completions  Print a shell's completions
      man          Write the manual pages

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    <global options>

    Exit codes:
      0  done
      1  failed, and nothing is changed
      2  the command line or a configuration file is wrong
      3  rolled back, and the old key still works
      4  the stack is complete, but the new key is not proven
      5  stuck, a person must act
      6  detached, the roll goes on
      7  the stack is busy with another operation
    --- stderr
    ");
    insta::assert_snapshot!(help(&env, "instances revoke-key --help"), @r"
    exit 0
    --- stdout
    Shut a leaked SSH key out of every live instance, within seconds

    For a key that is known to be out. On every live instance, side by side, a new public key goes into
    authorized_keys and is proven, and only then the old one goes, and that it is refused is proven too.
    Whoever is logged in stays logged in. Instances are reached through SSM Run Command, or else by ssh
    with the key that opens them. The proof is a login by ssh; through SSM it is what the instance's own
    sshd says of both public keys, which are offered to it on loopback. Where sshd does not take the new
    key, or cannot be asked, the old one stays.

    The launch template names the old key pair until the next keyroll. An instance that starts before
    then lets the old key in: run this again, which uses the same new key, and mends it.

    The exit code is 4 when an instance may still let the old key in: each is named.

    Usage: convox instances revoke-key [OPTIONS]

    Options:
      -r, --rack <NAME>
              Name of the rack [default: CONVOX_RACK, or the only one there is]

          --key <NAME>
              Key pair that is out [default: the one that the rack's stack names]

          --through <WAY>
              How to reach the instances

              Possible values:
              - auto: SSM where an agent answers, ssh for the others
              - ssm:  SSM Run Command
              - ssh:  The system's ssh

              [default: auto]

          --dry-run
              Say what would be done, and do nothing

          --output <FORMAT>
              What to write on stdout

              Possible values:
              - text: Lines for a person
              - json: One JSON object a line

              [default: text]

          --key-type <TYPE>
              Kind of key pair [default: that of the one that is out]

              Possible values:
              - ed25519: Short and fast
              - rsa:     2048 bits, for SSH clients that know nothing better

      -y, --yes
              Do not ask whether to go ahead

      -p, --port <PORT>
              Port of the SSH server [default: as ssh_config says, or 22]

      -J, --jump <HOST>
              Hosts to go through, one after the other, such as bastion or ada@bastion:2222

          --public
              Use the public address where there is one

      -F, --ssh-config <FILE>
              File to read in place of ~/.ssh/config

      -o, --ssh-option <OPTION>
              Option for ssh, such as ServerAliveInterval=15

          --timeout <DURATION>
              How long each login by ssh may take

              [default: 30s]

          --parallel <N>
              How many instances ssh logs in to at a time

              [default: 32]

      -h, --help
              Print help (see a summary with '-h')

    <global options>
    --- stderr
    ");
    insta::assert_snapshot!(help(&env, "instances keyroll --help"), @r"
    exit 0
    --- stdout
    Give every instance of a rack a new SSH key

    Makes a new EC2 key pair, has CloudFormation replace the instances batch by batch, and asks every
    instance which key it carries. Only then does the new key become the default and the old key pair
    go. Whatever fails on the way, the key that an instance carries stays in the key store.

    A rack that is reached over its API rolls the key by itself, and is only watched: it replaces its
    stored key first.

    Usage: convox instances keyroll [OPTIONS]

    Options:
      -r, --rack <NAME>
              Name of the rack [default: CONVOX_RACK, or the only one there is]

      -w, --wait
              Wait for the end, which is what happens anyway

          --detach
              Leave as soon as CloudFormation has taken the update

          --plan
              Say what would be done, and do nothing

          --output <FORMAT>
              What to write on stdout

              Possible values:
              - text: Lines for a person
              - json: One JSON object a line

              [default: text]

          --key-type <TYPE>
              Kind of key pair

              Possible values:
              - ed25519: Short and fast
              - rsa:     2048 bits, for SSH clients that know nothing better

              [default: ed25519]

          --strategy <STRATEGY>
              How instances are replaced

              Possible values:
              - cloudformation: As the stack's own update policy says
              - surge:          New instances first, and old ones go when they are empty
              - refresh:        By an instance refresh of Auto Scaling; refused on stock Convox racks

              [default: cloudformation]

          --surge <SIZE>
              With surge: how many old instances stay beside the new ones, such as 50% or 3

              [default: 100%]

          --no-guard-rails
              With cloudformation: leave surplus instances to Auto Scaling, all at once

          --keep-old
              Keep the old key pair

          --save-key <FILE>
              Also write the new private key to this file, which must not exist yet

      -y, --yes
              Do not ask whether to go ahead

          --wait-busy <DURATION>
              How long to wait for a stack that is busy, such as 90s or 15m

              [default: 10m]

      -h, --help
              Print help (see a summary with '-h')

    Gates:
          --gate <COMMAND>
              Run this command between batches; unless it exits with 0 the roll is taken back

          --gate-timeout <DURATION>
              How long the command may take

          --alarm <NAME>
              Take the roll back when this CloudWatch alarm is on between batches; may be repeated

          --canary <N>
              Replace so many instances first, alone, until proven; refused on stock Convox racks

    Instance refresh:
          --checkpoints <PERCENT>
              Pause when so many percent are new, such as 10,50; for --strategy refresh

          --min-healthy <PERCENT>
              Fewest healthy instances, in percent of those wanted [default: 100]

          --max-healthy <PERCENT>
              Most instances, in percent of those wanted: above 100, new ones come first [default: 110]

          --warmup <DURATION>
              How long a new instance warms up [default: as the group says]

          --bake <DURATION>
              How long each step is watched before it counts, such as 10m

    Many racks:
          --racks <GLOB,..>
              Roll all racks of these names or patterns, such as `prod-*`; given again, a wave that
              waits for the one before

          --racks-file <FILE>
              Roll the racks of a YAML list, which says where each is and which wave it belongs to

          --canary-rack <NAME>
              Roll this rack before all others, and none of them unless it ends well

          --concurrency <N>
              How many racks are rolled at once [default: 5]

          --stop-after <N>
              After so many racks that did not end well, no more begin [default: 1]

          --calls-per-second <N>
              How many calls of each AWS API are made in a second at most, in each account and region
              [default: 5]

          --report <FILE>
              Also write how it ended, rack by rack, to this JSON file

    <global options>
    --- stderr
    ");
}

#[test]
fn a_command_line_without_a_command_shows_the_way() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(help(&env, ""), @r"
    exit 2
    --- stdout
    --- stderr
    Rolls every key of a rack without ever locking anybody out

    Usage: convox [OPTIONS] <COMMAND>

    Commands:
      login        Log in to a console or a rack, and make it the one that commands are for
      logout       Forget the stored password of a console or a rack
      racks        List racks
      switch       Show the rack that is chosen, or choose another at a console
      rack         Show a rack, or do something with it
      instances    List the instances of a rack, or do something with them
      api          Ask a rack's HTTP API directly
      version      Print the versions of this program and of the rack
      account      Roll the key that you log in to a console with
      rehearse     Find out what a roll of the rack's SSH key will do to its services
      rolls        Look at rolls, go on with them or undo them
      keys         Issue, verify and reroll the keys of an API of your own
      apis         Manage the APIs that keys are issued for
      identities   Manage those whom keys are issued to
      console      Serve keys and racks to people and programs
      sandbox      Manage the little AWS account on this machine
      completions  Print a shell's completions
      man          Write the manual pages

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    <global options>
    ");
    insta::assert_snapshot!(help(&env, "rolls"), @r"
    exit 2
    --- stdout
    --- stderr
    Look at rolls, go on with them or undo them

    Usage: convox rolls [OPTIONS] <COMMAND>

    Commands:
      list      List the rolls of a rack, the newest first
      show      Show what happened in a roll
      resume    Go on with a roll that was left or interrupted
      cancel    Cancel a roll, and follow CloudFormation back to the old key
      continue  Go on with a rollback that is stuck

    Options:
      -h, --help  Print help (see more with '--help')

    <global options>
    ");
}

#[test]
fn completions_are_data() {
    let env = TestEnvironment::new();
    let shown = env.run("completions bash");
    assert!(
        shown.starts_with("exit 0\n--- stdout\n# Made by `convox completions bash`.\n"),
        "{shown}"
    );
    assert!(shown.ends_with("--- stderr\n"), "{shown}");
}
