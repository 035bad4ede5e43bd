"""Stories about `make deploy` and `make delete` (infra/stack.py) on small stacks: what stops them, and what they say."""

import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from .testing import FunctionStory, client, eventually, unique

INFRA = Path(__file__).parents[2] / "infra"
sys.path.insert(0, str(INFRA))

from stack_events import Events  # noqa: E402

Template = dict[str, Any]


class Deployment(FunctionStory):
    """A bucket for code and templates, and an operator at a terminal."""

    def setUp(self) -> None:
        super().setUp()
        self.name = unique("demo")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.operator: dict[str, str] = {}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(INFRA / "stack.py"), *arguments]

    def run_stack(self, *arguments: str) -> tuple[int, str]:
        """Run it as the operator: its exit code, and all that it says."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False,
                              env=os.environ | self.operator)
        return done.returncode, done.stdout + done.stderr

    def deploys(self, template: Template, kind: str = "root") -> tuple[int, str]:
        """`make deploy` of a template."""
        file = self.folder / "packaged.yaml"
        file.write_text(json.dumps(template))
        # Whatever becomes of the story, the stack goes.
        self.stack = self.name
        self.addCleanup(lambda: client("cloudformation").delete_stack(StackName=self.name))
        return self.run_stack("deploy", "--stack-name", self.name, "--template", str(file), "--tag",
                              f"studio-egress={kind}")

    def deletes(self, empty_buckets: str = "false", leave_grants: str = "false") -> tuple[int, str]:
        """`make delete`."""
        return self.run_stack("delete", "--stack-name", self.name, "--empty-buckets", empty_buckets,
                              "--leave-grants", leave_grants)

    def nested(self, template: Template) -> Template:
        """A stack in which another one is, from the bucket."""
        key = unique("nested")
        s3 = client("s3")
        s3.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(template))
        self.addCleanup(lambda: s3.delete_object(Bucket=self.bucket, Key=key))
        url = f"{os.environ['AWS_ENDPOINT_URL']}/{self.bucket}/{key}"
        return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}

    def checks(self, **changes: str) -> tuple[int, str]:
        """`make check`, with what it takes by default and changes of it."""
        for file in ("egress.toml", "policy.cedar"):
            (self.folder / file).touch()
        given = {"stack-name": self.name, "kind": "root", "bucket": self.bucket,
                 "config": str(self.folder / "egress.toml"), "policy": str(self.folder / "policy.cedar")} | changes
        return self.run_stack("check", *(word for name, value in given.items() for word in (f"--{name}", value)))

    def is_administrator(self) -> None:
        """The operator is somebody whom policies of buckets concern: the account's root they don't, here."""
        iam, name = client("iam"), unique("operator")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.operator = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        self.addCleanup(lambda: (iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"]),
                                 iam.delete_user_policy(UserName=name, PolicyName="all"),
                                 iam.delete_user(UserName=name)))


TOPIC = {"Type": "AWS::SNS::Topic"}
# It can't be made: the function behind it is not there.
BROKEN = {"Type": "Custom::Broken", "Properties": {
    "ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:nobody"}}


class Preconditions(Deployment):
    """Before anything is built, it is said what is missing."""

    def test_whose_account_it_is_is_said(self) -> None:
        self.assertEqual(self.checks(), (0, "account 000000000000, Region us-east-1, as arn:aws:iam::000000000000:root\n"))

    def test_what_is_missing_is_named_with_what_to_do(self) -> None:
        client("s3").create_bucket(Bucket=(far := unique("far")),
                                   CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.addCleanup(lambda: client("s3").delete_bucket(Bucket=far))
        for said, changes in (
            ("name a bucket for templates and code: CFN_ARTEFACT_S3_BUCKET=…", {"bucket": ""}),
            ("there is no bucket not-there; make it with `aws s3 mb s3://not-there`", {"bucket": "not-there"}),
            (f"bucket {far} is in eu-west-1, and the stack would be in us-east-1: take a bucket in us-east-1",
             {"bucket": far}),
            ("there is no /not/there; name it with CONFIG=…", {"config": "/not/there"}),
            ("there is no /not/there; name it with POLICY=…", {"policy": "/not/there"}),
        ):
            code, text = self.checks(**changes)
            self.assertEqual(code, 1)
            self.assertIn(f"check: {said}", text)

    def test_nobody_is_told_so(self) -> None:
        self.operator = {"AWS_ACCESS_KEY_ID": "AKIANOBODYATALL00000", "AWS_SECRET_ACCESS_KEY": "nothing"}
        code, text = self.checks()
        self.assertEqual(code, 1)
        self.assertIn("check: there are no working AWS credentials", text)
        self.operator = {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}
        self.assertIn("check: no Region is set; set AWS_DEFAULT_REGION", self.checks()[1])


class Failures(Deployment):
    """The first failing resource's own reason is the last thing that is said."""

    def test_of_a_stack_in_a_stack_the_resource_is_named(self) -> None:
        inner = {"Resources": {"Broken": BROKEN}}
        code, text = self.deploys({"Resources": {"Fine": TOPIC, "Outer": self.nested({
            "Resources": {"Fine": TOPIC, "Inner": self.nested(inner)}})}})
        self.assertEqual(code, 1)
        last = text.splitlines()[-1]
        self.assertIn("deploy: Outer/Inner/Broken: CREATE_FAILED: ", last)
        self.assertIn("function:nobody", last)
        # What is left of it is deleted by the next attempt.
        code, text = self.deploys({"Resources": {"Fine": TOPIC}})
        self.assertEqual(code, 0, text)
        self.assertIn("it is deleted first", text)

    def test_of_many_failures_the_first_is_told_and_none_that_follows_from_it(self) -> None:
        # As AWS words them, and as they may come in: a nested stack's own after its parent's.
        def failed(second: int, name: str, reason: str, status: str = "CREATE_FAILED") -> dict[str, Any]:
            return {"EventId": unique("event"), "LogicalResourceId": name, "ResourceType": "AWS::SNS::Topic",
                    "PhysicalResourceId": "", "ResourceStatus": status, "ResourceStatusReason": reason,
                    "Timestamp": datetime.datetime(2026, 1, 1, 0, 0, second)}

        class Recorded:
            """CloudFormation, of which only the events are asked."""

            def get_paginator(self, _operation: str) -> Any:
                return self

            def paginate(self, StackName: str) -> Any:  # noqa: N803
                return [{"StackEvents": [
                    failed(9, "demo", "The following resource(s) failed to create: [Outer, Topic]. ", "ROLLBACK_IN_PROGRESS"),
                    failed(8, "Outer", "Embedded stack arn:… was not successfully created: "
                                       "The following resource(s) failed to create: [Role]. "),
                    failed(7, "Later", "Rate exceeded"),
                    failed(4, "Topic", "Resource creation cancelled"),
                    failed(3, "Role", "Resource handler returned message: \"Invalid principal\""),
                ]}]

        events = Events(Recorded()).of("demo")
        lines = events.new_lines()
        self.assertEqual(events.first_failure(),
                         'Role: CREATE_FAILED: Resource handler returned message: "Invalid principal"')
        self.assertEqual(lines[0], '00:00:03  CREATE_FAILED                 Role  '
                                   'Resource handler returned message: "Invalid principal"')


class Others(Deployment):
    """The article's own stack has the name that ours has by default."""

    def test_a_stack_that_is_not_ours_is_left_alone(self) -> None:
        self.stack = client("cloudformation").create_stack(
            StackName=self.name, TemplateBody=json.dumps({"Resources": {"Topic": TOPIC}}))["StackId"]
        self.settled()
        for code, text in (self.checks(), self.deploys({"Resources": {"Other": TOPIC}}), self.deletes()):
            self.assertEqual(code, 1)
            self.assertIn(f"{self.name} is not of this project", text)
        self.assertEqual(self.settled()["StackStatus"], "CREATE_COMPLETE")

    def test_one_template_does_not_take_the_place_of_the_other(self) -> None:
        self.assertEqual(self.deploys({"Resources": {"Topic": TOPIC}})[0], 0)
        for code, text in (self.checks(kind="automation"),
                           self.deploys({"Resources": {"Other": TOPIC}}, kind="automation")):
            self.assertEqual(code, 1)
            self.assertIn(f"{self.name} was deployed with TEMPLATE=root", text)
        self.assertEqual(self.deletes()[0], 0)


class Deletion(Deployment):
    """Nothing is deleted that somebody may miss, and nothing stays but what is named."""

    def data(self) -> Template:
        """A bucket that is read and listed from elsewhere, as the stack's are."""
        return {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {
                "BucketName": unique("data"), "VersioningConfiguration": {"Status": "Enabled"}}},
            "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
                "Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
                    "Resource": [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}],
                    "Condition": {"StringNotEquals": {"aws:sourceVpce": "vpce-0123"}}}]}}},
        }

    def test_a_bucket_with_something_in_it_stops_the_deletion_before_it_begins(self) -> None:
        # Given two buckets in a nested stack, in one of them an object with a former version, another one that was
        # deleted, and an upload that was never finished,
        inner = {"Resources": self.data(), "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}}
        empty = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": unique("empty")}}
        template = {"Resources": {"Inner": self.nested(inner), "Empty": empty},
                    "Outputs": {"Bucket": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Bucket"]}}}}
        code, text = self.deploys(template)
        self.assertEqual(code, 0, text)
        bucket, s3 = text.split()[-1], client("s3")
        for key in ("models/a b.bin", "models/a b.bin", "gone"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"work")
        s3.delete_object(Bucket=bucket, Key="gone")
        s3.create_multipart_upload(Bucket=bucket, Key="unfinished")
        # and an operator who may not even list what is in it,
        self.is_administrator()
        listing = subprocess.run([Path(sys.executable).parent / "aws", "s3", "ls", f"s3://{bucket}"], check=False,
                                 capture_output=True, text=True, env=os.environ | self.operator)
        self.assertIn("AccessDenied", listing.stderr)
        before = self.settled()

        # when they delete the stack, then nothing is touched, and the bucket is named.
        code, text = self.deletes()
        self.assertEqual(code, 1)
        self.assertIn(f"delete: there is something in {bucket}, and nothing is deleted yet.", text)
        self.assertEqual(self.settled(), before)
        self.assertEqual(s3.get_object(Bucket=bucket, Key="models/a b.bin")["Body"].read(), b"work")

        # When they say that it may go, it goes with the stack.
        code, text = self.deletes("true")
        self.assertEqual(code, 0, text)
        self.assertIn(f"5 objects, versions and uploads of {bucket} are deleted\n", text)
        self.assertNotIn(bucket, [row["Name"] for row in s3.list_buckets()["Buckets"]])

    def test_what_is_left_is_named_and_what_to_do_about_it(self) -> None:
        # Given a function that makes its own log group, a key, a table, and home directories that are kept,
        key = {"Type": "AWS::KMS::Key", "DeletionPolicy": "Delete", "Properties": {
            "Description": "Home directories", "PendingWindowInDays": 7, "KeyPolicy": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]}}}
        table = {"Type": "AWS::DynamoDB::Table", "Properties": {
            "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}}
        template = self.template(Key=key, Table=table)
        template["Parameters"] = {"HomeDirectories": {"Type": "String", "Default": "Retain"},
                                  "ConfigurationBucket": {"Type": "String", "Default": self.bucket}}
        template["Outputs"] = {"HomeFileSystemId": {"Value": "fs-0123"}, "Key": {"Value": {"Ref": "Key"}},
                               "Table": {"Value": {"Ref": "Table"}}}
        code, text = self.deploys(template)
        self.assertEqual(code, 0, text)
        outputs = dict(line.split() for line in text.splitlines()[-3:])
        self.ask(say="something")
        eventually("the function has a log", lambda: self.told(self.function))

        # when the stack is deleted,
        code, text = self.deletes()

        # then each is named at the end.
        self.assertEqual(code, 0, text)
        log = f"/aws/lambda/{self.function}"
        until = client("kms").describe_key(KeyId=outputs["Key"])["KeyMetadata"]["DeletionDate"]
        self.assertEqual(text.splitlines()[-5:], [
            "is left: file system fs-0123: the users' home directories (HOME_DIRECTORIES=Retain)",
            f"is left: KMS key {outputs['Key']} (Home directories) until {until:%Y-%m-%d}: until then "
            f"`aws kms cancel-key-deletion --key-id {outputs['Key']}` saves what it encrypts",
            f"is left: log group {log}: `aws logs delete-log-group --log-group-name {log}` deletes it",
            f"is left: a system backup of the table {outputs['Table']}, which DynamoDB keeps for 35 days",
            f"is left: code and templates in your own bucket: `aws s3 rm --recursive s3://{self.bucket}/{self.name}/` "
            "removes them",
        ])
        client("logs").delete_log_group(logGroupName=log)

    def test_no_grant_is_left_open_for_good_unless_somebody_says_so(self) -> None:
        # Given functions beside a firewall of another stack's, with a live grant in its rule group,
        template = {
            "Parameters": {"GrantRuleGroupArns": {"Type": "String", "Default": "arn:theirs"}},
            "Resources": {"Ledger": {"Type": "AWS::DynamoDB::Table", "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]}}},
            "Outputs": {"TableName": {"Value": {"Ref": "Ledger"}}}}
        code, text = self.deploys(template, kind="automation")
        self.assertEqual(code, 0, text)
        client("dynamodb").put_item(TableName=text.split()[-1],
                                    Item={"pk": {"S": "live"}, "sk": {"S": "req-0123456789ab"}})
        # when they are to be deleted, then nothing is,
        code, text = self.deletes()
        self.assertEqual(code, 1)
        self.assertIn("delete: req-0123456789ab would stay open in arn:theirs for good", text)
        self.assertEqual(self.settled()["StackStatus"], "CREATE_COMPLETE")
        # unless that is wanted.
        code, text = self.deletes(leave_grants="true")
        self.assertEqual(code, 0, text)
        self.assertIn("is kept: req-0123456789ab, open for good\n", text)

    def test_a_deletion_that_failed_goes_on(self) -> None:
        # Given a nested stack in whose network somebody has put something by hand,
        inner = {"Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
            "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.1.0/24"}}},
            "Outputs": {"Subnet": {"Value": {"Ref": "Subnet"}}}}
        code, text = self.deploys({
            "Resources": {"Inner": self.nested(inner), "Topic": TOPIC},
            "Outputs": {"Subnet": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Subnet"]}}}})
        self.assertEqual(code, 0, text)
        ec2 = client("ec2")
        interface = ec2.create_network_interface(SubnetId=text.split()[-1])["NetworkInterface"]["NetworkInterfaceId"]

        # when the stack is deleted, then it is said what stands in the way, and how to go on,
        code, text = self.deletes()
        self.assertEqual(code, 1)
        self.assertIn("delete: Inner/Subnet: DELETE_FAILED: ", text)
        self.assertIn("the same command goes on with what is left", text.splitlines()[-1])
        # and that does.
        ec2.delete_network_interface(NetworkInterfaceId=interface)
        code, text = self.deletes()
        self.assertEqual(code, 0, text)
        self.assertEqual(self.deletes(), (0, f"there is no stack {self.name}: nothing to delete\n"))

    def test_a_deletion_that_nobody_watched_to_its_end_is_watched_again(self) -> None:
        # Given a deletion that takes its time, and somebody who has pressed Ctrl-C meanwhile,
        slow = {"Type": "Custom::Slow", "Properties": {
            "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Until": [self.bucket, "brake"]}}
        code, text = self.deploys(self.template(Slow=slow))
        self.assertEqual(code, 0, text)
        self.allow("s3:ListBucket", f"arn:aws:s3:::{self.bucket}")
        s3 = client("s3")
        s3.put_object(Bucket=self.bucket, Key="brake")
        watching = subprocess.Popen(self.command("delete", "--stack-name", self.name), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
        assert watching.stdout
        self.assertIn("DELETE_IN_PROGRESS", watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate()
        self.assertIn("delete: interrupted; CloudFormation goes on with what it was told to do", said)
        self.assertIn("is DELETE_IN_PROGRESS: wait until that has ended", self.deploys(self.template())[1])
        # when they look again, then it is watched to its end.
        again = subprocess.Popen(self.command("delete", "--stack-name", self.name), stdout=subprocess.PIPE, text=True)
        assert again.stdout
        self.assertIn("DELETE_IN_PROGRESS", again.stdout.readline())
        s3.delete_object(Bucket=self.bucket, Key="brake")
        text, _ = again.communicate()
        self.assertEqual(again.returncode, 0, text)
        self.assertIn("DELETE_COMPLETE after", text)


if __name__ == "__main__":
    unittest.main()
