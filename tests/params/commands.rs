//! `rack`, `rack params`, `rack params set`, `rack wait` and `instances` as a person or a script
//! meets them.

use crate::environment::TestEnvironment;

/// A new instance never signals.
const NEVER: &str = "faults: [{ signals: { group: Instances, fate: never, times: 1 } }]";
/// The same, and then no instance can be started at all.
const NO_WAY_BACK: &str = "faults: [
  { signals: { group: Instances, fate: never, from: 2, times: 1 } },
  { call: { api: ec2:DeleteKeyPair, after: cloudformation:UpdateStack, delay: 5m,
      input: { KeyName: $old_key } } } ]";
/// Somebody else has just begun an update.
const BUSY: &str = "faults: [{ call: { api: cloudformation:UpdateStack, at: 0s, input: {
  StackName: $rack, UsePreviousTemplate: true, Capabilities: [CAPABILITY_IAM],
  Parameters: [{ ParameterKey: InstanceType, ParameterValue: t3.large }, $keep] } } }]";
const DENIED: &str = "faults: [{ deny: { api: 'cloudformation:UpdateStack' } }]";
const NO_CHANGE_SETS: &str = "faults: [{ deny: { api: 'cloudformation:CreateChangeSet' } }]";

#[test]
fn a_rack_is_shown_in_the_rows_of_the_classic() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack"), @r"
    exit 0
    --- stdout
    Name      prod
    Provider  aws
    Region    us-east-1
    Status    running
    Version   20260421154107
    --- stderr
    ");
    insta::assert_snapshot!(env.run("rack --output json"), @r#"
    exit 0
    --- stdout
    {"count":3,"domain":"","name":"prod","outputs":{"AutoscalingGroup":"prod-Instances-SUFFIX","Cluster":"prod-Cluster-SUFFIX","EncryptionKey":"arn:aws:kms:us-east-1:123456789012:key/UUID","Rack":"prod","SettingsBucket":"prod-settings-suffix","Version":"20260421154107"},"parameters":{"Ami":"","ApiCount":"2","ApiCpu":"128","ApiWebMemory":"256","Autoscale":"Yes","BuildInstance":"","DefaultAmi":"/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id","InstanceBootCommand":"","InstanceCount":"3","InstanceMaximum":"2000","InstancePauseTime":"PT5M","InstanceType":"t3.small","InstanceUpdateBatchSize":"1","Key":"prod-keypair-4711","MinInstancesInService":"","Password":"****","SpotInstanceBid":"","SpotInstanceCount":"2","Tags":"Name=prod,System=convox,Type=rack","Version":"20260421154107","VolumeSize":"50"},"provider":"aws","rack-domain":"","region":"us-east-1","status":"running","type":"t3.small","version":"20260421154107"}
    --- stderr
    "#);
}

#[test]
fn parameters_are_shown_by_name_and_by_group() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params"), @r"
    exit 0
    --- stdout
    Ami                      
    ApiCount                 2
    ApiCpu                   128
    ApiWebMemory             256
    Autoscale                Yes
    BuildInstance            
    DefaultAmi               /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id
    InstanceBootCommand      
    InstanceCount            3
    InstanceMaximum          2000
    InstancePauseTime        PT5M
    InstanceType             t3.small
    InstanceUpdateBatchSize  1
    Key                      prod-keypair-4711
    MinInstancesInService    
    Password                 ****
    SpotInstanceBid          
    SpotInstanceCount        2
    Tags                     Name=prod,System=convox,Type=rack
    Version                  20260421154107
    VolumeSize               50
    --- stderr
    ");
    insta::assert_snapshot!(env.run("rack params -g sec"), @r"
    exit 0
    --- stdout
    Key       prod-keypair-4711
    Password  ****
    --- stderr
    ");
    insta::assert_snapshot!(env.run("rack params --group NLB"), @r"
    exit 0
    --- stdout
    --- stderr
    NOTICE: no params in group 'nlb' for this rack
    ");
    insta::assert_snapshot!(env.run("rack params -g scal --output json"), @r#"
    exit 0
    --- stdout
    {"Autoscale":"Yes","InstanceCount":"3","InstanceType":"t3.small","SpotInstanceBid":"","SpotInstanceCount":"2"}
    --- stderr
    "#);
}

#[test]
fn a_group_that_is_none_or_several_is_told() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params -g zz"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: group 'zz' not found
    hint: available groups: api, build, instances, logging, meta, network, nlb, scaling, security, storage
    ");
    insta::assert_snapshot!(env.run("rack params -g n"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: group 'n' matches multiple groups: network, nlb (use 'net' or 'nlb')
    hint: available groups: api, build, instances, logging, meta, network, nlb, scaling, security, storage
    ");
}

#[test]
fn instances_are_listed_as_the_classic_does_and_keys_on_top() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("instances"), @r"
    exit 0
    --- stdout
    ID                   STATUS  STARTED     PS  CPU     MEM     PUBLIC  PRIVATE
    i-00000000000000000  active  6 days ago  4   15.62%  32.75%          10.0.3.4
    i-00000000000000000  active  6 days ago  4   15.62%  32.75%          10.0.2.4
    i-00000000000000000  active  6 days ago  0   0.00%   0.00%           10.0.1.4
    --- stderr
    ");
    insta::assert_snapshot!(env.run("instances --keys"), @r"
    exit 0
    --- stdout
    ID                   STATUS  STARTED     PS  CPU     MEM     PUBLIC  PRIVATE   KEY
    i-00000000000000000  active  6 days ago  4   15.62%  32.75%          10.0.3.4  prod-keypair-4711
    i-00000000000000000  active  6 days ago  4   15.62%  32.75%          10.0.2.4  prod-keypair-4711
    i-00000000000000000  active  6 days ago  0   0.00%   0.00%           10.0.1.4  prod-keypair-4711
    --- stderr
    ");
    insta::assert_snapshot!(env.run("instances --output json"), @r#"
    exit 0
    --- stdout
    {"agent":true,"cpu":0.15625,"id":"i-00000000000000000","key-name":"prod-keypair-4711","memory":0.32753326509723646,"name":"prod","private-ip":"10.0.3.4","processes":4,"public-ip":"","started":"2026-11-15T03:00:12.007Z","status":"active"}
    {"agent":true,"cpu":0.15625,"id":"i-00000000000000000","key-name":"prod-keypair-4711","memory":0.32753326509723646,"name":"prod","private-ip":"10.0.2.4","processes":4,"public-ip":"","started":"2026-11-15T03:00:12.007Z","status":"active"}
    {"agent":true,"cpu":0.0,"id":"i-00000000000000000","key-name":"prod-keypair-4711","memory":0.0,"name":"prod","private-ip":"10.0.1.4","processes":0,"public-ip":"","started":"2026-11-15T03:00:12.007Z","status":"active"}
    --- stderr
    "#);
}

#[test]
fn setting_a_parameter_says_ok_once_it_is_accepted() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.large ApiCpu=256"), @r"
    exit 0
    --- stdout
    Updating parameters... OK
    --- stderr
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --output json"), @r#"
    exit 0
    --- stdout
    {"data":{"parameters":[{"name":"ApiCpu","now":"128","then":"256"}],"rack":"prod","token":"ROLL"},"type":"accepted","v":1}
    --- stderr
    "#);
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.small"), @r"
    exit 0
    --- stdout
    --- stderr
    nothing to change: prod is like that already
    ");
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.small --output json"), @r#"
    exit 0
    --- stdout
    {"data":{"rack":"prod"},"type":"unchanged","v":1}
    --- stderr
    "#);
}

#[test]
fn waiting_says_how_it_ended() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --wait"), @r"
    exit 0
    --- stdout
    Updating parameters... 
    OK
    --- stderr
    HH:MM:SS event     UPDATE_IN_PROGRESS prod: User Initiated
    HH:MM:SS event     UPDATE_COMPLETE_CLEANUP_IN_PROGRESS prod
    HH:MM:SS event     UPDATE_COMPLETE prod
    prod is UPDATE_COMPLETE
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --wait --quiet"), @r"
    exit 0
    --- stdout
    Updating parameters... 
    OK
    --- stderr
    ");
    insta::assert_snapshot!(env.run("rack wait"), @r"
    exit 0
    --- stdout
    Waiting for rack... 
    OK
    --- stderr
    prod is CREATE_COMPLETE
    ");
    insta::assert_snapshot!(env.run("rack wait --output json"), @r#"
    exit 0
    --- stdout
    {"v":1,"seq":1,"at":"2026-11-22T03:00:00Z","roll":"ROLL","type":"finished","data":{"outcome":"done","exit_code":0,"message":"prod is CREATE_COMPLETE","hints":[],"old_key":null,"new_key":null,"first_failure":null,"holdouts":[]}}
    --- stderr
    prod is CREATE_COMPLETE
    "#);
}

#[test]
fn a_rollback_is_exit_3_with_its_cause() {
    let env = TestEnvironment::with_faults(NEVER);
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.large -w"), @r"
    exit 3
    --- stdout
    Updating parameters... 
    --- stderr
    HH:MM:SS event     UPDATE_IN_PROGRESS prod: User Initiated
    HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
    HH:MM:SS progress  0 of 3 instances replaced, Instances 1 at a time
    HH:MM:SS event     UPDATE_FAILED Instances: Received 0 SUCCESS signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    HH:MM:SS event     UPDATE_ROLLBACK_IN_PROGRESS prod: The following resource(s) failed to update: [Instances].
    HH:MM:SS rollback  CloudFormation is going back
    HH:MM:SS event     UPDATE_IN_PROGRESS Instances: Rolling update initiated. Terminating 1 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.
    HH:MM:SS progress  going back: 0 of 1 instance replaced, Instances 1 at a time
    HH:MM:SS progress  going back: 1 of 1 instance replaced, Instances 1 at a time
    HH:MM:SS event     UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS prod
    HH:MM:SS event     UPDATE_ROLLBACK_COMPLETE prod
    ERROR: the update of prod was rolled back (UPDATE_ROLLBACK_COMPLETE)
    first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 0 SUCCESS signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    hint: mend what failed first, then try again; everything is as it was before
    ");
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.large -w --quiet"), @r"
    exit 3
    --- stdout
    Updating parameters... 
    --- stderr
    ERROR: the update of prod was rolled back (UPDATE_ROLLBACK_COMPLETE)
    first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 0 SUCCESS signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    hint: mend what failed first, then try again; everything is as it was before
    ");
}

#[test]
fn a_rollback_that_fails_is_exit_5() {
    let env = TestEnvironment::with_faults(NO_WAY_BACK);
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.large -w --quiet"), @r"
    exit 5
    --- stdout
    Updating parameters... 
    --- stderr
    ERROR: the rollback of prod failed (UPDATE_ROLLBACK_FAILED)
    first failure: Instances (AWS::AutoScaling::AutoScalingGroup): Received 1 SUCCESS signal(s) out of 4. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement
    hint: mend the cause, and the rollback can go on
    hint: `aws cloudformation continue-update-rollback --stack-name prod` goes on with it; `--resources-to-skip Instances` leaves what fails as it is
    ");
}

#[test]
fn a_plan_says_what_would_be_replaced_and_changes_nothing() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params set InstanceType=t3.large Tags=Team=blue --plan"), @r"
    exit 0
    --- stdout
    Update of rack prod, not started

    Parameters
    NAME          NOW                                THEN
    InstanceType  t3.small                           t3.large
    Tags          Name=prod,System=convox,Type=rack  Name=prod,System=convox,Team=blue,Type=rack

    Changes, as a change set tells
    ACTION  RESOURCE                 REPLACED  TYPE
    Modify  Instances                False     AWS::AutoScaling::AutoScalingGroup
    Modify  InstancesLaunchTemplate  False     AWS::EC2::LaunchTemplate
    --- stderr
    the instances of Instances may be replaced in batches, which no change set tells
    ");
    insta::assert_snapshot!(env.run("rack params set VolumeSize=100 --plan --output json"), @r#"
    exit 0
    --- stdout
    {"data":{"parameters":[{"name":"VolumeSize","now":"50","then":"100"}],"rack":"prod","resources":[{"action":"Modify","logical_id":"Instances","physical_id":"prod-Instances-SUFFIX","replacement":"False","resource_type":"AWS::AutoScaling::AutoScalingGroup"},{"action":"Modify","logical_id":"InstancesLaunchTemplate","physical_id":"lt-00000000000000000","replacement":"False","resource_type":"AWS::EC2::LaunchTemplate"}]},"type":"planned","v":1}
    --- stderr
    "#);
}

#[test]
fn without_change_sets_a_plan_says_so() {
    let env = TestEnvironment::with_faults(NO_CHANGE_SETS);
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --plan"), @r"
    exit 0
    --- stdout
    Update of rack prod, not started

    Parameters
    NAME    NOW  THEN
    ApiCpu  128  256

    Changes, as a change set tells
    no change set could be asked
    --- stderr
    ");
}

#[test]
fn what_cannot_be_set_is_refused_with_a_way_out() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack params set"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: missing <KEY=VALUE>...
    hint: `convox rack params set --help` tells what it takes
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: Key=Value expected: ApiCpu
    ");
    insta::assert_snapshot!(env.run("rack params set =1"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: Key=Value expected: =1
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=1 ApiCpu=2"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: ApiCpu was given more than once
    ");
    insta::assert_snapshot!(env.run("rack params set InstanceTyp=t3.large"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: the rack has no parameter InstanceTyp
    hint: did you mean `InstanceType` or `InstanceCount` or `InstancePauseTime`?
    ");
    insta::assert_snapshot!(env.run("rack params set Zzzzz=1"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: the rack has no parameter Zzzzz
    hint: `convox rack params --sandbox` lists them
    ");
    insta::assert_snapshot!(env.run("rack params set Autoscale=Maybe"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: Parameter 'Autoscale' must be one of AllowedValues
    hint: it takes one of: Yes, No
    ");
    insta::assert_snapshot!(env.run("rack params set InstanceCount=many"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: Parameter 'InstanceCount' must be a number
    ");
    insta::assert_snapshot!(env.run("rack params set Ami=****"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: Ami: `****` only stands for a value that is not shown
    hint: leave it out to keep the value it has
    ");
    insta::assert_snapshot!(env.run("rack params set Tags=System=x"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: Tags: `System=x` would make the rack unknown as one
    hint: write Tags=key=value,key=value
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=1 --plan --wait"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: `--plan` and `--wait` do not go together
    hint: `convox rack params set --help` tells what it takes
    ");
}

#[test]
fn a_busy_stack_is_exit_7() {
    let env = TestEnvironment::with_faults(BUSY);
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256"), @r"
    exit 7
    --- stdout
    --- stderr
    ERROR: stack prod is UPDATE_IN_PROGRESS
    hint: wait for it with `convox rack wait --sandbox`, then try again
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --output json"), @r#"
    exit 7
    --- stdout
    {"data":{"exit_code":7,"hints":["wait for it with `convox rack wait --sandbox`, then try again"],"message":"stack prod is UPDATE_IN_PROGRESS"},"type":"error","v":1}
    --- stderr
    ERROR: stack prod is UPDATE_IN_PROGRESS
    hint: wait for it with `convox rack wait --sandbox`, then try again
    "#);
    insta::assert_snapshot!(env.run("rack"), @r"
    exit 0
    --- stdout
    Name      prod
    Provider  aws
    Region    us-east-1
    Status    updating
    Version   20260421154107
    --- stderr
    ");
}

#[test]
fn a_refusal_of_aws_is_told_in_one_line() {
    let env = TestEnvironment::with_faults(DENIED);
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256"), @r"
    exit 1
    --- stdout
    Updating parameters... <no line break>
    --- stderr
    ERROR: not allowed to call cloudformation:UpdateStack: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: cloudformation:UpdateStack because no identity-based policy allows the cloudformation:UpdateStack action
    hint: ask for that permission, or use --profile to act as somebody who has it
    ");
    insta::assert_snapshot!(env.run("rack params set ApiCpu=256 --output json --wait"), @r#"
    exit 1
    --- stdout
    {"data":{"exit_code":1,"hints":["ask for that permission, or use --profile to act as somebody who has it"],"message":"not allowed to call cloudformation:UpdateStack: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: cloudformation:UpdateStack because no identity-based policy allows the cloudformation:UpdateStack action"},"type":"error","v":1}
    --- stderr
    ERROR: not allowed to call cloudformation:UpdateStack: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: cloudformation:UpdateStack because no identity-based policy allows the cloudformation:UpdateStack action
    hint: ask for that permission, or use --profile to act as somebody who has it
    "#);
}

#[test]
fn only_instances_of_the_rack_are_terminated() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("instances terminate i-0123456789abcdef0"), @r"
    exit 1
    --- stdout
    Terminating instance... <no line break>
    --- stderr
    ERROR: instance not found: i-00000000000000000
    hint: `convox instances` lists those that the rack has
    ");
    insta::assert_snapshot!(env.run("instances terminate i-075e923be72ddbe94"), @r"
    exit 0
    --- stdout
    Terminating instance... OK
    --- stderr
    ");
    insta::assert_snapshot!(env.run("instances terminate i-075e923be72ddbe94 --output json"), @r#"
    exit 0
    --- stdout
    {"data":{"instance":"i-00000000000000000"},"type":"terminating","v":1}
    --- stderr
    "#);
    insta::assert_snapshot!(env.run("instances terminate i-0123456789abcdef0 --output json"), @r#"
    exit 1
    --- stdout
    {"data":{"exit_code":1,"hints":["`convox instances` lists those that the rack has"],"message":"instance not found: i-00000000000000000"},"type":"error","v":1}
    --- stderr
    ERROR: instance not found: i-00000000000000000
    hint: `convox instances` lists those that the rack has
    "#);
    insta::assert_snapshot!(env.run("instances terminate"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: missing <ID>
    hint: `convox instances terminate --help` tells what it takes
    ");
}

#[test]
fn a_rack_that_is_not_there_is_told() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack -r nowhere"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: stack nowhere does not exist
    hint: look at --region and --profile, is this the account that has the rack?
    ");
    insta::assert_snapshot!(env.run("instances -r nowhere"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: stack nowhere does not exist
    hint: look at --region and --profile, is this the account that has the rack?
    ");
    insta::assert_snapshot!(env.run("rack params -r nowhere"), @r"
    exit 1
    --- stdout
    --- stderr
    ERROR: stack nowhere does not exist
    hint: look at --region and --profile, is this the account that has the rack?
    ");
    insta::assert_snapshot!(env.run("rack wait -r nowhere"), @r"
    exit 1
    --- stdout
    Waiting for rack... 
    --- stderr
    ERROR: stack nowhere does not exist
    hint: look at --region and --profile, is this the account that has the rack?
    ");
}

#[test]
fn a_command_that_is_none_is_told() {
    let env = TestEnvironment::in_sandbox();
    insta::assert_snapshot!(env.run("rack bogus"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: unknown command `bogus`
    hint: `convox rack --help` tells what it takes
    ");
    insta::assert_snapshot!(env.run("rack params bogus"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: unknown command `bogus`
    hint: `convox rack params --help` tells what it takes
    ");
    insta::assert_snapshot!(env.run("instances bogus"), @r"
    exit 2
    --- stdout
    --- stderr
    ERROR: unknown command `bogus`
    hint: `convox instances --help` tells what it takes
    ");
}
