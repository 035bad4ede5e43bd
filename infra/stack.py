#!/usr/bin/env python3
"""Deploys and deletes the stack, shows what happens meanwhile, and prints the outputs.

Where it talks to is settled as for every AWS tool: by the profile or the environment, with the Region
and, for an AWS of one's own, AWS_ENDPOINT_URL.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import leaving
from leaving import Leaving
from preconditions import check
from problem import Problem
from stack_events import Events
from zones import Zones, empty

# Roles are created, none with a name of its own.
CAPABILITIES = ["CAPABILITY_IAM"]
# What is left of a first deployment that failed can only be deleted.
DEAD_ENDS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")
# The tag that says which of this project's templates a stack is of.
KIND = "studio-egress"
TEMPLATE_LIMIT = 51_200  # bytes that CloudFormation takes in a request


def main():
    options = arguments()
    try:
        if options.command == "check":
            check(options.bucket, (("CONFIG", options.config), ("POLICY", options.policy)))
            if stack := describe(client(), options.stack_name):
                is_ours(stack, options.kind)
        elif options.command == "deploy":
            deploy(options)
        elif options.command == "delete":
            delete(options.stack_name, options.empty_buckets == "true", options.leave_grants == "true")
        else:
            report(outputs(client(), options.stack_name), options.json)
    except Problem as problem:
        sys.exit(f"{options.command}: {problem}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"{options.command}: AWS answers: {error}")
    except KeyboardInterrupt:
        sys.exit(f"\n{options.command}: interrupted; CloudFormation goes on with what it was told to do")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="what a deployment needs: credentials, Region, bucket, the stack's name")
    command.add_argument("--stack-name", required=True)
    command.add_argument("--kind", required=True, help="the template's name")
    command.add_argument("--bucket", required=True, help="the bucket for templates and code")
    command.add_argument("--config", type=Path, required=True, help="the configuration that is to be packed")
    command.add_argument("--policy", type=Path, required=True, help="the policies that are to be packed")
    command = commands.add_parser("deploy", help="create or update the stack")
    command.add_argument("--stack-name", required=True)
    command.add_argument("--template", type=Path, required=True, help="the packaged root template")
    command.add_argument("--configuration", type=Path, help="a folder with the configuration, to be validated")
    command.add_argument("--bucket", help="the bucket for templates and code, and for the configuration")
    command.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", type=pair)
    command.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE", type=pair)
    command.add_argument("--json", type=Path, help="a file for the outputs")
    command = commands.add_parser("delete", help="delete the stack")
    command.add_argument("--stack-name", required=True)
    command.add_argument("--empty-buckets", default="", choices=("true", "false", ""), help="with all that is in them")
    command.add_argument("--leave-grants", default="", choices=("true", "false", ""), help="open for good")
    command = commands.add_parser("outputs", help="print the outputs")
    command.add_argument("--stack-name", required=True)
    command.add_argument("--json", type=Path, help="a file for the outputs")
    return parser.parse_args()


def pair(text):
    name, found, value = text.partition("=")
    if not (name and found):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value


def client():
    return boto3.client("cloudformation")


def deploy(options):
    """Creates the stack, or updates it; a stack that is as wanted already is a success."""
    cloudformation = client()
    if options.configuration:
        options.parameter += upload_configuration(options)
    request = deploy_request(cloudformation, options)
    stack = describe(cloudformation, options.stack_name)
    if stack:
        is_ours(stack, dict(options.tag).get(KIND))
    if stack and stack["StackStatus"] in DEAD_ENDS:
        print(f"{options.stack_name} is {stack['StackStatus']}: it is deleted first")
        delete(options.stack_name)
        stack = None
    if stack and stack["StackStatus"].endswith("_IN_PROGRESS"):
        raise Problem(f"{options.stack_name} is {stack['StackStatus']}: wait until that has ended")
    if stack:
        zones = Zones(options.stack_name, stack_parameters(stack), dict(options.parameter))
        if zones.shrink():
            leave_zones(cloudformation, stack, request, zones)
        started = update(cloudformation, stack, request)
    else:
        events = Events(cloudformation)
        started = events.of(cloudformation.create_stack(**request)["StackId"])
    if started:
        follow(cloudformation, started, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))
    else:
        print(f"{options.stack_name} is as it should be: nothing to change")
    report(outputs(cloudformation, options.stack_name), options.json)


def is_ours(stack, wanted=None):
    """Refuses a stack of another kind: an update would take everything away that is in it. The name that a stack has by
    default is the article's, whose own stack may be there."""
    kind = {row["Key"]: row["Value"] for row in stack.get("Tags", [])}.get(KIND)
    if not kind:
        raise Problem(f"{stack['StackName']} is not of this project (it has no tag {KIND}); name another by APP_STACK_NAME=…")
    if wanted and kind != wanted:
        raise Problem(f"{stack['StackName']} was deployed with TEMPLATE={kind}; name another by APP_STACK_NAME=…")


def upload_configuration(options):
    """Uploads what the stack validates; the parameters that say where it is. The same texts have the same place, so
    that a stack whose configuration has not changed isn't updated for it."""
    texts = {}
    for name in ("egress.toml", "policy.cedar"):
        file = options.configuration / name
        if not file.is_file():
            raise Problem(f"there is no {file}; run `make package` first")
        texts[name] = file.read_bytes()
    digest = hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts.values())).hexdigest()
    prefix = f"{options.stack_name}/configuration/{digest[:16]}"
    s3 = boto3.client("s3")
    for name, text in texts.items():
        s3.put_object(Bucket=options.bucket, Key=f"{prefix}/{name}", Body=text)
    return [("ConfigurationBucket", options.bucket), ("ConfigurationPrefix", prefix)]


def deploy_request(cloudformation, options):
    if not options.template.is_file():
        raise Problem(f"there is no {options.template}; run `make package` first")
    body = options.template.read_text()
    if len(body.encode()) > TEMPLATE_LIMIT:
        raise Problem(f"{options.template} is over {TEMPLATE_LIMIT} bytes: move resources to a nested template")
    known = template_parameters(cloudformation, body)
    strange = sorted(name for name, _ in options.parameter if name not in known)
    if strange:
        raise Problem(f"the template has no parameter {', '.join(strange)}")
    return {
        "StackName": options.stack_name,
        "TemplateBody": body,
        "Capabilities": CAPABILITIES,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in options.parameter],
        "Tags": [{"Key": key, "Value": value} for key, value in options.tag],
    }


def template_parameters(cloudformation, body):
    return {entry["ParameterKey"] for entry in cloudformation.validate_template(TemplateBody=body)["Parameters"]}


def leave_zones(cloudformation, stack, request, zones):
    """The first of the two updates that take zones away, where it has not been done before."""
    if zones.protected:
        raise Problem(
            f"SubnetChangeProtection is on, so that the firewall keeps its {zones.there} zones: "
            "deploy with SUBNET_CHANGE_PROTECTION=false, and switch it on again afterwards"
        )
    if zones.are_left_first():
        print(f"first, Studio leaves all but {zones.wanted} of {zones.there} zones")
        started = update(cloudformation, stack, request, keeps=zones.there)
        follow(cloudformation, started, ("UPDATE_COMPLETE",))
        print("then, the zones are removed")
    homes = outputs(cloudformation, zones.stack)["HomeFileSystemId"]
    if left := empty(homes, zones.subnets(cloudformation)):
        raise Problem(f"Studio's subnets in the zones that are to go still have {', '.join(left)}; deploy again later")


def update(cloudformation, stack, request, keeps=1):
    """Starts the update; nothing is returned where there is nothing to change. `keeps` is how many zones stay even if
    Studio works in fewer."""
    known = template_parameters(cloudformation, request["TemplateBody"])
    kept = {"ParameterKey": "KeptAvailabilityZones", "ParameterValue": str(keeps)}
    parameters = [*request["Parameters"], *([kept] if kept["ParameterKey"] in known else [])]
    given = {entry["ParameterKey"] for entry in parameters}
    # What is not said now stays as it was said before.
    parameters += [
        {"ParameterKey": entry["ParameterKey"], "UsePreviousValue": True}
        for entry in stack.get("Parameters", [])
        if entry["ParameterKey"] in known - given
    ]
    events = Events(cloudformation).of(stack["StackId"])
    events.skip_past()
    try:
        cloudformation.update_stack(**request | {"Parameters": parameters})
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return None
        raise
    return events


def delete(name, empty_buckets=False, leave_grants=False):
    """Deletes the stack, waits until it is gone, and names what is left. One that was interrupted, or that failed, goes
    on."""
    cloudformation = client()
    stack = describe(cloudformation, name)
    if not stack:
        print(f"there is no stack {name}: nothing to delete")
        return
    is_ours(stack)
    may_be_deleted(stack)
    leaves = Leaving(cloudformation, stack)
    if (grants := leaves.live_grants()) and not leave_grants:
        raise Problem(
            f"{', '.join(grants)} would stay open in {leaves.parameters['GrantRuleGroupArns']} for good: the functions "
            "that end grants go. Revoke them first; LEAVE_GRANTS=true leaves them open"
        )
    make_room(leaves.filled_buckets(), empty_buckets)
    for line in leaves.keeps() + [f"{grant}, open for good" for grant in grants]:
        print(f"is kept: {line}")
    events = Events(cloudformation).of(stack["StackId"])
    events.skip_past()
    cloudformation.delete_stack(StackName=stack["StackId"])
    try:
        follow(cloudformation, events, ("DELETE_COMPLETE",))
    except Problem as problem:
        raise Problem(f"{problem}\nWhen that is put right, the same command goes on with what is left") from problem
    for line in leaves.leaves():
        print(f"is left: {line}")


def may_be_deleted(stack):
    """Whether CloudFormation would take the deletion, and could come to its end."""
    status = stack["StackStatus"]
    if stack_parameters(stack).get("DeleteProtection") == "true" and status not in DEAD_ENDS:
        raise Problem(
            "DeleteProtection is on. Before CloudFormation came to the firewall, Studio with its users would be gone: "
            "deploy with DELETE_PROTECTION=false first"
        )
    if status.endswith("_IN_PROGRESS") and status not in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        raise Problem(f"{stack['StackName']} is {status}: wait until that has ended")


def make_room(filled, may_be_emptied):
    """CloudFormation deletes no bucket in which something is, and comes to the buckets when Studio is gone."""
    if filled and not may_be_emptied:
        raise Problem(
            f"there is something in {' and '.join(filled)}, and nothing is deleted yet. Take away from a Studio terminal "
            "what is to be kept; EMPTY_BUCKETS=true deletes what is in there, with all versions"
        )
    s3 = boto3.client("s3")
    for bucket in filled:
        count, stuck = leaving.empty(s3, bucket)
        print(f"{count} objects, versions and uploads of {bucket} are deleted", flush=True)
        if stuck:
            raise Problem(f"what is in {bucket} can't be deleted: {stuck[0]}" + (" …" if stuck[1:] else ""))


def follow(cloudformation, events, good):
    """Prints events as they come until the stack rests, and raises what went wrong."""
    start = time.monotonic()
    pace = 0.2 if os.environ.get("AWS_ENDPOINT_URL") else 2.0
    while True:
        # The status is asked first, so that the last look at the events comes after the end.
        stack = describe(cloudformation, events.root)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        for line in events.new_lines():
            print(line, flush=True)
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(pace)
    print(f"{status} after {time.monotonic() - start:.0f} s")
    if status not in good:
        raise Problem(events.first_failure() or (stack or {}).get("StackStatusReason") or status)


def describe(cloudformation, name):
    """The stack, or nothing where there is none."""
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def outputs(cloudformation, name):
    stack = describe(cloudformation, name)
    if not stack:
        raise Problem(f"there is no stack {name} in this account and Region")
    return values(stack)


def stack_parameters(stack):
    return {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in stack.get("Parameters", [])}


def values(stack):
    return {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}


def report(found, file):
    width = max(map(len, found), default=0)
    for name, value in found.items():
        print(f"{name:{width}}  {value}")
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
