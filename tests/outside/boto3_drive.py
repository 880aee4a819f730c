#!/usr/bin/env python3
"""Drives a sandbox with boto3, its paginators and its waiters.

Usage: boto3_drive.py ENDPOINT [--rack STACK] [--rollback]

Makes a stack from fixtures/rack.yaml, rolls its key, follows the events and the
waiters, and looks at everything an operator would look at. With --rollback the
sandbox is expected to run a scenario in which instances with a new key never
signal: then the same update must come back to where it was.

Exits with a status other than 0 on the first thing that is not as AWS has it.
"""

import argparse
import pathlib
import sys
import time

import boto3
import botocore.exceptions
from botocore.config import Config

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "fixtures"


def clients(endpoint):
    session = boto3.Session(
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name="us-east-1"
    )
    config = Config(retries={"max_attempts": 3}, s3={"addressing_style": "path"})
    names = ["autoscaling", "cloudformation", "ec2", "ecs", "kms", "s3", "ssm", "sts"]
    return {name: session.client(name, endpoint_url=endpoint, config=config) for name in names}


def check(truth, what):
    if not truth:
        raise SystemExit(f"not as expected: {what}")
    print(f"ok: {what}")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        check(error.response["Error"]["Code"] == code, f"refused with {code}")
        return error.response["Error"]["Message"]
    raise SystemExit(f"not refused with {code}")


def parameters(stack, **changes):
    names = [parameter["ParameterKey"] for parameter in stack["Parameters"]]
    return [
        {"ParameterKey": name, "ParameterValue": changes[name]}
        if name in changes
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in names
    ]


def describe(aws, name):
    return aws["cloudformation"].describe_stacks(StackName=name)["Stacks"][0]


def events(aws, name):
    pages = aws["cloudformation"].get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]]


def keys_of_instances(aws, name):
    filters = [
        {"Name": "tag:Rack", "Values": [name]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    pages = aws["ec2"].get_paginator("describe_instances").paginate(Filters=filters)
    return [
        instance.get("KeyName")
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def make(aws, name):
    cloudformation, ec2 = aws["cloudformation"], aws["ec2"]
    check(aws["sts"].get_caller_identity()["Account"].isdigit(), "the caller has an account")
    pair = ec2.create_key_pair(
        KeyName=f"{name}-one",
        KeyType="ed25519",
        TagSpecifications=[
            {"ResourceType": "key-pair", "Tags": [{"Key": "Rack", "Value": name}]}
        ],
    )
    check("PRIVATE KEY" in pair["KeyMaterial"], "a key pair comes with its private half")
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName=f"{name}-one")
    refused("DryRunOperation", ec2.create_key_pair, KeyName=f"{name}-dry", DryRun=True)
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(FIXTURES / "rack.yaml").read_text(),
        Parameters=[
            {"ParameterKey": "Key", "ParameterValue": f"{name}-one"},
            {"ParameterKey": "Password", "ParameterValue": "of-the-rack"},
            {"ParameterKey": "Version", "ParameterValue": "1"},
        ],
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": "System", "Value": "convox"}, {"Key": "Type", "Value": "rack"}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    stack = describe(aws, name)
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    check(shown["Password"] == "****", "the password is masked")
    check(keys_of_instances(aws, name) == [f"{name}-one"] * 3, "three instances have the key")


def look_around(aws, name):
    stack = describe(aws, name)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    groups = aws["autoscaling"].get_paginator("describe_auto_scaling_groups").paginate()
    names = [g["AutoScalingGroupName"] for page in groups for g in page["AutoScalingGroups"]]
    check(outputs["AutoscalingGroup"] in names, "the group is described")
    hooks = aws["autoscaling"].describe_lifecycle_hooks(
        AutoScalingGroupName=outputs["AutoscalingGroup"]
    )["LifecycleHooks"]
    check(len(hooks) == 2, "the group has its hooks")
    activities = aws["autoscaling"].get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName=outputs["AutoscalingGroup"]
    )
    check(sum(len(page["Activities"]) for page in activities) >= 3, "activities are told")
    cluster = outputs["Cluster"]
    services = [
        arn
        for page in aws["ecs"].get_paginator("list_services").paginate(cluster=cluster)
        for arn in page["serviceArns"]
    ]
    described = aws["ecs"].describe_services(cluster=cluster, services=services)["services"]
    check(all(s["runningCount"] == s["desiredCount"] for s in described), "services run")
    hosts = aws["ecs"].list_container_instances(cluster=cluster)["containerInstanceArns"]
    check(len(hosts) == 3, "the instances are in the cluster")
    resources = [
        resource
        for page in aws["cloudformation"]
        .get_paginator("list_stack_resources")
        .paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
    ]
    check(any(r["LogicalResourceId"] == "Instances" for r in resources), "resources are listed")
    versions = aws["ec2"].describe_launch_template_versions(
        LaunchTemplateId=next(
            r["PhysicalResourceId"]
            for r in resources
            if r["LogicalResourceId"] == "InstancesLaunchTemplate"
        )
    )["LaunchTemplateVersions"]
    check(versions, "launch template versions are described")
    stacks = aws["cloudformation"].get_paginator("list_stacks").paginate()
    listed = [s["StackName"] for page in stacks for s in page["StackSummaries"]]
    check(name in listed, "the stack is listed")


def keep_secrets(aws, name):
    stack = describe(aws, name)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    bucket, key = outputs["SettingsBucket"], outputs["EncryptionKey"]
    made = aws["kms"].generate_data_key(KeyId=key, KeySpec="AES_256")
    opened = aws["kms"].decrypt(CiphertextBlob=made["CiphertextBlob"])
    check(opened["Plaintext"] == made["Plaintext"], "a data key is unwrapped")
    aws["s3"].put_object(Bucket=bucket, Key="some/thing", Body=b"x" * 100_000)
    aws["s3"].get_waiter("object_exists").wait(Bucket=bucket, Key="some/thing")
    body = aws["s3"].get_object(Bucket=bucket, Key="some/thing")["Body"].read()
    check(body == b"x" * 100_000, "an object comes back")
    pages = aws["s3"].get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="some/")
    check([o["Key"] for page in pages for o in page["Contents"]] == ["some/thing"], "it is listed")
    refused("NoSuchKey", aws["s3"].get_object, Bucket=bucket, Key="none")
    aws["s3"].delete_object(Bucket=bucket, Key="some/thing")
    aws["ssm"].put_parameter(Name=f"/{name}/k", Value="v", Type="SecureString")
    refused("ParameterAlreadyExists", aws["ssm"].put_parameter, Name=f"/{name}/k", Value="w",
            Type="SecureString")
    closed = aws["ssm"].get_parameter(Name=f"/{name}/k")["Parameter"]["Value"]
    opened = aws["ssm"].get_parameter(Name=f"/{name}/k", WithDecryption=True)["Parameter"]["Value"]
    check(opened == "v" and closed != "v", "a secure string opens only when asked")
    aws["ssm"].delete_parameter(Name=f"/{name}/k")


def preview(aws, name):
    cloudformation = aws["cloudformation"]
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="look",
        UsePreviousTemplate=True,
        Parameters=parameters(describe(aws, name), Key=f"{name}-two"),
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName=name, ChangeSetName="look", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    pages = cloudformation.get_paginator("describe_change_set").paginate(
        StackName=name, ChangeSetName="look"
    )
    changed = {c["ResourceChange"]["LogicalResourceId"] for p in pages for c in p["Changes"]}
    check({"InstancesLaunchTemplate", "Instances"} <= changed, "the change set names the change")
    cloudformation.delete_change_set(StackName=name, ChangeSetName="look")


def update(aws, name, token):
    aws["ec2"].create_key_pair(KeyName=f"{name}-two", KeyType="ed25519")
    before = describe(aws, name)
    preview(aws, name)
    asked = {
        "StackName": name,
        "UsePreviousTemplate": True,
        "Parameters": parameters(before, Key=f"{name}-two"),
        "Capabilities": ["CAPABILITY_IAM"],
        "ClientRequestToken": token,
    }
    aws["cloudformation"].update_stack(**asked)
    message = refused(
        "ValidationError",
        aws["cloudformation"].update_stack,
        **{**asked, "ClientRequestToken": token + "-other"},
    )
    check("IN_PROGRESS state and can not be updated" in message, "a busy stack is refused")


def follow_success(aws, name, token):
    aws["cloudformation"].get_waiter("stack_update_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600}
    )
    check(keys_of_instances(aws, name) == [f"{name}-two"] * 3, "every instance has the new key")
    told = [e for e in events(aws, name) if e.get("ClientRequestToken") == token]
    reasons = "\n".join(e.get("ResourceStatusReason", "") for e in told)
    for text in ["Rolling update initiated", "Received SUCCESS signal", "(Progress 100%)"]:
        check(text in reasons, f"an event says: {text}")
    check(told[0]["ResourceStatus"] == "UPDATE_COMPLETE", "the newest event comes first")
    message = refused(
        "ValidationError",
        aws["cloudformation"].update_stack,
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=parameters(describe(aws, name)),
        Capabilities=["CAPABILITY_IAM"],
    )
    check(message == "No updates are to be performed.", "an empty update is refused")


def follow_rollback(aws, name):
    try:
        aws["cloudformation"].get_waiter("stack_update_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 900}
        )
        raise SystemExit("the update was not rolled back")
    except botocore.exceptions.WaiterError as error:
        check("terminal failure state" in str(error), "the waiter tells the rollback")
    deadline = time.monotonic() + 600
    while describe(aws, name)["StackStatus"] != "UPDATE_ROLLBACK_COMPLETE":
        check(time.monotonic() < deadline, "the rollback goes on")
        time.sleep(1)
    stack = describe(aws, name)
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    check(shown["Key"] == f"{name}-one", "the old parameter is back")
    check(set(keys_of_instances(aws, name)) == {f"{name}-one"}, "the old key is on all instances")
    failed = [e for e in events(aws, name) if e["ResourceStatus"] == "UPDATE_FAILED"]
    check(any("signal(s)" in e.get("ResourceStatusReason", "") for e in failed), "the cause is told")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("endpoint")
    arguments.add_argument("--rack", default="drive")
    arguments.add_argument("--rollback", action="store_true")
    given = arguments.parse_args()
    aws = clients(given.endpoint)
    make(aws, given.rack)
    look_around(aws, given.rack)
    keep_secrets(aws, given.rack)
    update(aws, given.rack, "drive-0001")
    if given.rollback:
        follow_rollback(aws, given.rack)
    else:
        follow_success(aws, given.rack, "drive-0001")
    refused("ValidationError", aws["cloudformation"].describe_stacks, StackName="no-such-stack")
    print("all as AWS has it")


if __name__ == "__main__":
    sys.exit(main())
