"""Stories about custom resources in the local AWS: which requests they get, and in which order."""

import copy
import json
import os
import unittest
from typing import Any

from .testing import ROLE, FunctionStory, client, eventually

# Fails in the deployment, after what it depends on.
WRONG = {"Type": "AWS::EC2::NatGateway", "DependsOn": "Told", "Properties": {
    "SubnetId": "subnet-none", "AllocationId": "eipalloc-none"}}


class CustomResources(FunctionStory):
    """A custom resource that the telling function provides."""

    def custom(self, **properties: Any) -> dict[str, Any]:
        """A custom resource that it provides."""
        token = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": 30}
        return {"Type": "Custom::Told", "Properties": token | properties}

    def test_a_custom_resource_is_created_and_deleted_with_the_token_at_the_top(self) -> None:
        self.deploy(self.template(Told=self.custom(Flag=True, Count=3)))
        created = self.told(self.function)[0]
        self.assertEqual(created["RequestType"], "Create")
        self.assertEqual(created["ServiceToken"], created["ResourceProperties"]["ServiceToken"])
        self.assertEqual(created["ResourceProperties"]["Flag"], "true")
        self.assertNotIn("PhysicalResourceId", created)

    def test_a_failed_creation_is_followed_by_a_deletion_of_the_id_that_it_named(self) -> None:
        with self.assertRaises(AssertionError):
            self.deploy(self.template(Told=self.custom(Outcome="FAILED", Identity="half-made")))
        kinds = [(event["RequestType"], event.get("PhysicalResourceId")) for event in self.told(self.function)]
        self.assertEqual(kinds, [("Create", None), ("Delete", "half-made")])

    def test_a_new_id_in_a_nested_stack_is_followed_by_a_deletion_of_the_former(self) -> None:
        def parent(identity: str) -> dict[str, Any]:
            child = {"Parameters": {"Function": {"Type": "String"}},
                     "Resources": {"Told": self.custom(ServiceToken={"Ref": "Function"}, Identity=identity)}}
            client("s3").put_object(Bucket=self.bucket, Key=identity, Body=json.dumps(child))
            self.addCleanup(lambda: client("s3").delete_object(Bucket=self.bucket, Key=identity))
            return self.template(Child={"Type": "AWS::CloudFormation::Stack", "Properties": {
                "TemplateURL": f"{os.environ['AWS_ENDPOINT_URL']}/{self.bucket}/{identity}",
                "Parameters": {"Function": {"Fn::GetAtt": ["Function", "Arn"]}}}})

        self.deploy(parent("one"))
        self.deploy(parent("two"))
        kinds = [(event["RequestType"], event.get("PhysicalResourceId")) for event in self.told(self.function)]
        self.assertEqual(kinds, [("Create", None), ("Update", "one"), ("Delete", "one")])

    def test_an_answer_that_is_too_long_is_a_failure(self) -> None:
        with self.assertRaises(AssertionError):
            self.deploy(self.template(Told=self.custom(Told="x" * 4096)))
        self.assertIn("Response object is too long.", str(self.failures()))

    def requests(self) -> list[tuple[str, str | None, str | None, str | None]]:
        """The requests: their types, their ids, and the property `Told` as it is and as it was."""
        return [(event["RequestType"], event.get("PhysicalResourceId"), event["ResourceProperties"].get("Told"),
                 event.get("OldResourceProperties", {}).get("Told")) for event in self.told(self.function)]

    def update(self, *, status: str, **resources: Any) -> None:
        """Update the stack, which ends in a status."""
        template = self.template(**resources)
        client("cloudformation").update_stack(StackName=self.stack, TemplateBody=json.dumps(template),
                                              Capabilities=["CAPABILITY_NAMED_IAM"])
        self.assertEqual(self.settled()["StackStatus"], status)

    def test_a_new_id_is_followed_by_a_deletion_of_the_former_when_all_else_is_done(self) -> None:
        self.deploy(self.template(Told=self.custom(Told="a", Identity="one")))
        later = {"Type": "Custom::Later", "DependsOn": "Told", "Properties": {
            "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Told": "later"}}
        self.update(status="UPDATE_COMPLETE", Told=self.custom(Told="b", Identity="two"), Later=later)
        self.assertEqual(self.requests(), [
            ("Create", None, "a", None), ("Update", "one", "b", "a"), ("Create", None, "later", None),
            ("Delete", "one", "a", None)])

    def test_a_failed_update_is_taken_back_by_another(self) -> None:
        self.deploy(self.template(Told=self.custom(Told="a")))
        self.update(status="UPDATE_ROLLBACK_COMPLETE", Told=self.custom(Told="b", Outcome="FAILED"))
        self.assertEqual(self.requests(), [
            ("Create", None, "a", None), ("Update", "told", "b", "a"), ("Update", "told", "a", "b")])

    def test_what_a_failed_update_made_is_deleted_behind_it(self) -> None:
        self.deploy(self.template(Told=self.custom(Told="a", Identity="one")))
        self.update(status="UPDATE_ROLLBACK_COMPLETE", Told=self.custom(Told="b", Identity="two", Outcome="FAILED"))
        self.assertEqual(self.requests(), [
            ("Create", None, "a", None), ("Update", "one", "b", "a"), ("Update", "one", "a", "b"),
            ("Delete", "two", "b", None)])

    def test_an_update_is_taken_back_when_something_behind_it_fails(self) -> None:
        self.deploy(self.template(Told=self.custom(Told="a")))
        self.update(status="UPDATE_ROLLBACK_COMPLETE", Told=self.custom(Told="b"), Wrong=WRONG)
        self.assertEqual(self.requests(), [
            ("Create", None, "a", None), ("Update", "told", "b", "a"), ("Update", "told", "a", "b")])

    def test_of_two_ids_the_new_one_goes_when_something_behind_it_fails(self) -> None:
        self.deploy(self.template(Told=self.custom(Told="a", Identity="one")))
        self.update(status="UPDATE_ROLLBACK_COMPLETE", Told=self.custom(Told="b", Identity="two"), Wrong=WRONG)
        self.assertEqual(self.requests(), [
            ("Create", None, "a", None), ("Update", "one", "b", "a"), ("Delete", "two", "b", None)])
        # The former is the stack's again.
        self.update(status="UPDATE_COMPLETE")
        self.assertEqual(self.requests()[3:], [("Delete", "one", "a", None)])

    def test_what_a_failed_stack_created_is_deleted(self) -> None:
        with self.assertRaises(AssertionError):
            self.deploy(self.template(Told=self.custom(Told="a", Identity="one"), Wrong=WRONG))
        self.assertEqual(self.requests(), [("Create", None, "a", None), ("Delete", "one", "a", None)])

    def test_a_second_invocation_of_the_function_by_itself_may_answer(self) -> None:
        arn, group = f"arn:aws:lambda:us-east-1:000000000000:function:{self.function}", f"/own/{self.function}"
        template = self.template(Told=self.custom(Later="yes"))
        resources = copy.deepcopy(template["Resources"])
        resources["Group"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}}
        resources["Function"]["Properties"] |= {
            "LoggingConfig": {"LogGroup": {"Ref": "Group"}}, "Environment": {"Variables": {"OWN": "the same"}}}
        resources["Role"]["Properties"]["Policies"] = [*ROLE["Properties"]["Policies"], {
            "PolicyName": "again", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}]}}]
        self.deploy({"Resources": resources})
        self.assertEqual([event.get("again", False) for event in self.told(self.function, group)], [False, True])
        # It may invoke itself by its name or its ARN, and nothing else; what it invokes has all that it has.
        event = json.dumps({"tell_variable": "OWN"})
        for name in (self.function, arn):
            answer = self.call("lambda", "invoke", FunctionName=name, InvocationType="Event", Payload=event)
            self.assertEqual(answer, "ok")
        self.assertEqual(self.call("lambda", "invoke", FunctionName=f"{arn}-other", InvocationType="Event"),
                         "AccessDeniedException")

        def variables() -> list[str]:
            return [told["variable"] for told in self.told(self.function, group) if "variable" in told]
        eventually("both are told", lambda: len(variables()) == 2)
        self.assertEqual(variables(), ["the same"] * 2)


if __name__ == "__main__":
    unittest.main()
