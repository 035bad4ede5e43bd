"""Availability Zones are taken away from a stack in two updates.

An endpoint of the firewall can't go as long as a route leads to it (EC2, DeleteVpcEndpoints), and CloudFormation
deletes what is no longer in a template, such as the routes, only after it has changed all else, such as the firewall.
So the first update lets Studio leave the zones, and takes the routes; the second one takes the rest. Between the two
Studio's subnets there become empty, or they could not be deleted: the mount targets of the home directories are
removed, since that SageMaker does so is not documented, and interfaces are waited for, which outlive their apps.
"""

import os
import time

import boto3

LIMIT = 900  # seconds that a network interface may take to go
PACE = 0.2 if os.environ.get("AWS_ENDPOINT_URL") else 5.0


class Zones:
    """How many zones a stack has, how many of them Studio works in, and how many it is to have, by the parameters that
    it has now and those that are given."""

    def __init__(self, stack, before, given):
        self.stack = stack
        self.used = int(before.get("AvailabilityZones") or 1)
        self.there = max(self.used, int(before.get("KeptAvailabilityZones") or 1))
        wanted = given.get("AvailabilityZones", str(self.used))
        # CloudFormation says what is wrong with what is no number.
        self.wanted = int(wanted) if wanted.isdigit() else self.there
        self.protected = {**before, **given}.get("SubnetChangeProtection") == "true"

    def shrink(self):
        """Whether zones are to be taken away."""
        return self.wanted < self.there

    def are_left_first(self):
        """Whether Studio still works in them."""
        return self.wanted < self.used

    def subnets(self, cloudformation):
        """Studio's subnets in the zones that go."""
        found = []
        for number in range(self.wanted + 1, self.there + 1):
            resource = cloudformation.describe_stack_resource(StackName=self.stack, LogicalResourceId=f"Zone{number}")
            nested = resource["StackResourceDetail"]["PhysicalResourceId"]
            outputs = cloudformation.describe_stacks(StackName=nested)["Stacks"][0]["Outputs"]
            found += [entry["OutputValue"] for entry in outputs if entry["OutputKey"] == "StudioSubnetId"]
        return found


def empty(file_system, subnets):
    """Removes a file system's mount targets in these subnets, and waits until no network interface is in them; those
    that stay all the same, in words."""
    efs, ec2 = boto3.client("efs"), boto3.client("ec2")
    for page in efs.get_paginator("describe_mount_targets").paginate(FileSystemId=file_system):
        for target in page["MountTargets"]:
            if target["SubnetId"] in subnets and target["LifeCycleState"] not in ("deleting", "deleted"):
                print(f"{target['MountTargetId']} of {file_system} goes with its zone", flush=True)
                efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    end, told = time.monotonic() + LIMIT, False
    while interfaces := in_subnets(ec2, subnets):
        if time.monotonic() > end:
            return interfaces
        if not told:
            print(f"waits for {', '.join(interfaces)}", flush=True)
            told = True
        time.sleep(PACE)
    return []


def in_subnets(ec2, subnets):
    where = [{"Name": "subnet-id", "Values": subnets}]
    pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=where)
    rows = [row for page in pages for row in page["NetworkInterfaces"]]
    return [f"{row['NetworkInterfaceId']} ({row['Description']})" for row in rows]
