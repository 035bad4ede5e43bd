"""What the stories about the local AWS have in common: clients, deployments, waiting, a function that tells."""

import io
import json
import sys
import time
import unittest
import uuid
import zipfile
from pathlib import Path
from typing import Any, Callable

import boto3
from botocore.config import Config

_LIMIT = 20.0
_CONFIG = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
_TELL = Path(__file__).with_name("fixtures") / "tell.py"


def client(service: str) -> Any:
    """A client by the environment's configuration."""
    return boto3.client(service, config=_CONFIG)


def eventually(what: str, probe: Callable[[], Any], limit: float = _LIMIT) -> Any:
    """The first answer of `probe` that is true; fails with `what` after the limit."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {limit} s")


def unique(prefix: str) -> str:
    """A name that no other story uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def function_zip() -> bytes:
    """A `provided.al2023` function that logs each event and answers by it (fixtures/tell.py)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, f"#!{sys.executable}\n{_TELL.read_text()}")
    return buffer.getvalue()


class Story(unittest.TestCase):
    """A story on one stack, which is deleted at its end."""

    stack: str

    def deploy(self, template: dict[str, Any], parameters: dict[str, str] | None = None) -> dict[str, str]:
        """Create a stack, or update the story's; its outputs."""
        cloudformation = client("cloudformation")
        arguments = {
            "TemplateBody": json.dumps(template), "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
        }
        if hasattr(self, "stack"):
            cloudformation.update_stack(StackName=self.stack, **arguments)
        else:
            self.stack = cloudformation.create_stack(StackName=unique("story"), **arguments)["StackId"]
            self.addCleanup(self.delete)
        stack = self.settled()
        self.assertIn(stack["StackStatus"], ("CREATE_COMPLETE", "UPDATE_COMPLETE"), self.failures())
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def settled(self) -> dict[str, Any]:
        """The stack when nothing is in progress any more."""
        def probe() -> Any:
            stack = client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack
        return eventually("the stack settles", probe)

    def failures(self) -> list[str]:
        """What CloudFormation says went wrong."""
        events = client("cloudformation").describe_stack_events(StackName=self.stack)["StackEvents"]
        return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in events
                if event["ResourceStatus"].endswith("FAILED")]

    def delete(self) -> None:
        """Delete the stack, whole; an earlier attempt may have failed."""
        client("cloudformation").delete_stack(StackName=self.stack)
        self.assertEqual(self.settled()["StackStatus"], "DELETE_COMPLETE", self.failures())

    def told(self, function: str, group: str | None = None) -> list[Any]:
        """The events that a telling function was given, in order; its log group may have a name of its own."""
        logs = client("logs")
        try:
            events = logs.filter_log_events(logGroupName=group or f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines = [event["message"].strip() for event in events]
        return [json.loads(line[5:]) for line in lines if line.startswith("TELL ")]


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
        # What Lambda does in its name: to log, and to keep what has failed.
        "Policies": [{"PolicyName": "lambda", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"],
             "Resource": "*"}]}}],
    },
}


class FunctionStory(Story):
    """A story on the telling function, from a zip in S3, with triggers around it."""

    def setUp(self) -> None:
        self.bucket = unique("artifacts")
        self.function = unique("tell")
        s3 = client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_object(Bucket=self.bucket, Key="tell.zip", Body=function_zip())
        self.addCleanup(lambda: (s3.delete_object(Bucket=self.bucket, Key="tell.zip"),
                                 s3.delete_bucket(Bucket=self.bucket)))

    def template(self, **resources: Any) -> dict[str, Any]:
        """A template with the telling function in it."""
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": self.function, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 20,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"S3Bucket": self.bucket, "S3Key": "tell.zip"},
            },
        }
        return {"Resources": {"Role": ROLE, "Function": function, **resources}}

    def permission(self, principal: str) -> dict[str, Any]:
        """That a service may invoke it."""
        return {"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction", "Principal": principal}}

    def allow(self, action: str, resource: str, condition: dict[str, Any] | None = None) -> None:
        """Let the function's role do something."""
        role = client("lambda").get_function_configuration(FunctionName=self.function)["Role"].rpartition("/")[2]
        statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
        client("iam").put_role_policy(RoleName=role, PolicyName=unique("policy"), PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [statement]}))

    def call(self, service: str, operation: str, **arguments: Any) -> str:
        """What a service answers to the function."""
        return self.ask(call=[service, operation, arguments])["answer"]

    def ask(self, **event: Any) -> dict[str, str]:
        """What the function answers to an event."""
        answer = client("lambda").invoke(FunctionName=self.function, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())
