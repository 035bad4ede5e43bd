"""Stories about security groups in the local AWS: what EC2 refuses, and which permissions they take."""

import os
import unittest
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from .testing import FunctionStory, client, unique

HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
EVERYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ARN = "arn:aws:ec2:us-east-1:000000000000"


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    """TagSpecifications."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


class SecurityGroups(unittest.TestCase):
    """Groups in a VPC."""

    def setUp(self) -> None:
        self.ec2 = client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        self.addCleanup(lambda: self.ec2.delete_vpc(VpcId=self.vpc))
        self.name = unique("group")

    def group(self, name: str, **more: Any) -> str:
        """A group; its id."""
        identity = self.ec2.create_security_group(GroupName=name, Description="one", VpcId=self.vpc, **more)["GroupId"]
        self.addCleanup(lambda: identity in self.found() and self.ec2.delete_security_group(GroupId=identity))
        return identity

    def found(self, *filters: tuple[str, str]) -> list[str]:
        """The groups that filters let through."""
        rows = [{"Name": name, "Values": [value]} for name, value in filters]
        return [group["GroupId"] for group in self.ec2.describe_security_groups(Filters=rows)["SecurityGroups"]]

    def rules(self, group: str) -> list[dict[str, Any]]:
        """A group's rules."""
        filters = [{"Name": "group-id", "Values": [group]}]
        return self.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]

    def refused(self, code: str, operation: Any, **arguments: Any) -> str:
        """That an operation is refused; the message."""
        with self.assertRaises(ClientError) as refusal:
            operation(**arguments)
        error = refusal.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        return error["Message"]

    def test_a_group_is_found_by_what_its_creation_gave_it(self) -> None:
        one = self.group(self.name, TagSpecifications=tagged("security-group", User="alice", Stack="a"))
        other = self.group(f"{self.name}-other", TagSpecifications=tagged("security-group", User="bob"))
        for filters, expected in (
            ([("tag:User", "alice")], [one]), ([("tag-key", "Stack")], [one]), ([("group-name", self.name)], [one]),
            ([("group-name", f"{self.name}*")], [one, other]), ([("group-id", other)], [other]),
            ([("tag:User", "alice"), ("tag-key", "None")], []),
        ):
            self.assertEqual(self.found(("vpc-id", self.vpc), *filters), expected, filters)
        self.assertEqual(self.found(("vpc-id", "vpc-none")), [])
        group = self.ec2.describe_security_groups(GroupIds=[one])["SecurityGroups"][0]
        self.assertEqual(group["Tags"], [{"Key": "User", "Value": "alice"}, {"Key": "Stack", "Value": "a"}])

    def test_names_are_unique_in_a_vpc_and_tags_are_the_groups(self) -> None:
        self.group(self.name)
        new = {"GroupName": self.name.upper(), "Description": "one", "VpcId": self.vpc}
        create = self.ec2.create_security_group
        self.refused("InvalidGroup.Duplicate", create, **new)
        self.refused("InvalidVpcID.NotFound", create, **{**new, "VpcId": "vpc-0123456789abcdef0"})
        self.refused("InvalidParameterValue", create, **{**new, "GroupName": "sg-mine"})
        message = self.refused("InvalidParameterValue", create, **{
            **new, "GroupName": "other", "TagSpecifications": tagged("instance", User="alice")})
        self.assertIn("'instance' is not a valid taggable resource type", message)

    def test_tags_come_and_go(self) -> None:
        group = self.group(self.name)
        tag = {"Resources": [group], "Tags": [{"Key": "User", "Value": "alice"}]}
        self.ec2.create_tags(**tag)
        self.ec2.delete_tags(Resources=[group], Tags=[{"Key": "User", "Value": "bob"}])
        self.assertEqual(self.found(("tag:User", "alice")), [group])
        self.ec2.delete_tags(Resources=[group], Tags=[{"Key": "User"}])
        self.assertEqual(self.found(("tag-key", "User")), [])
        self.ec2.delete_security_group(GroupId=group)
        self.refused("InvalidGroup.NotFound", self.ec2.create_tags, **tag)
        self.refused("InvalidGroup.NotFound", self.ec2.delete_security_group, GroupId=group)

    def test_a_rule_has_one_peer_and_an_id_of_its_own(self) -> None:
        group, other = self.group(self.name), self.group(f"{self.name}-other")
        first = self.rules(group)
        self.assertEqual([(rule["IsEgress"], rule["IpProtocol"], rule["CidrIpv4"]) for rule in first],
                         [(True, "-1", "0.0.0.0/0")])
        made = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{
            **HTTPS, "IpRanges": [{"CidrIp": "10.2.1.0/24"}, {"CidrIp": "10.2.2.7/24", "Description": "b"}],
            "UserIdGroupPairs": [{"GroupId": other}]}])["SecurityGroupRules"]
        ids = [rule["SecurityGroupRuleId"] for rule in made]
        self.assertEqual(len(set(ids)), 3)
        self.assertEqual([rule["SecurityGroupRuleId"] for rule in self.rules(group) if not rule["IsEgress"]], ids)
        # In the description of the group they are one permission.
        permissions = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        self.assertEqual([[row["CidrIp"] for row in permission["IpRanges"]] for permission in permissions],
                         [["10.2.1.0/24", "10.2.2.0/24"]])
        # What a rule names can't go.
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=other)
        self.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids[1:])
        self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[EVERYWHERE])
        self.assertEqual([rule["SecurityGroupRuleId"] for rule in self.rules(group)], ids[:1])
        self.ec2.delete_security_group(GroupId=other)

    def test_what_a_rule_may_not_be(self) -> None:
        group = self.group(self.name)
        inbound, outbound = self.ec2.authorize_security_group_ingress, self.ec2.authorize_security_group_egress
        mine = {**HTTPS, "IpRanges": [{"CidrIp": "10.2.1.0/24"}]}
        inbound(GroupId=group, IpPermissions=[mine])
        message = self.refused("InvalidPermission.Duplicate", inbound, GroupId=group, IpPermissions=[
            {**HTTPS, "IpRanges": [{"CidrIp": "10.2.9.0/24"}]},
            {**mine, "IpRanges": [{"CidrIp": "10.2.1.0/24", "Description": "the same"}]}])
        self.assertEqual(message, 'the specified rule "peer: 10.2.1.0/24, TCP, from port: 443, to port: 443, ALLOW" '
                                  "already exists")
        self.assertEqual(len(self.rules(group)), 2)
        message = self.refused("InvalidPermission.Duplicate", outbound, GroupId=group, IpPermissions=[EVERYWHERE])
        self.assertEqual(message, 'the specified rule "peer: 0.0.0.0/0, ALL, ALLOW" already exists')
        for code, permission in (
            ("InvalidParameterValue", {**HTTPS, "IpRanges": [{"CidrIp": "10.2.1.0/33"}]}),
            ("InvalidParameterValue", {"IpProtocol": "udp", "IpRanges": [{"CidrIp": "10.2.1.0/24"}]}),
            ("InvalidParameterValue", {**HTTPS, "IpRanges": [{"CidrIp": "10.3.0.0/16"}] * 2}),
            ("InvalidGroup.NotFound", {**HTTPS, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}),
            ("MissingParameter", HTTPS),
        ):
            self.refused(code, inbound, GroupId=group, IpPermissions=[permission])
        self.refused("InvalidPermission.NotFound", self.ec2.revoke_security_group_egress, GroupId=group,
                     IpPermissions=[mine])
        self.refused("InvalidSecurityGroupRuleId.NotFound", self.ec2.revoke_security_group_egress, GroupId=group,
                     SecurityGroupRuleIds=["sgr-0123456789abcdef0"])

    def test_filters_have_two_hundred_values_at_most(self) -> None:
        def rows(values: int) -> Any:
            addresses = [f"10.2.{number // 250}.{number % 250}" for number in range(values)]
            return self.ec2.describe_network_interfaces(Filters=[
                {"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "addresses.private-ip-address", "Values": addresses},
            ])["NetworkInterfaces"]
        self.assertEqual(rows(199), [])
        with self.assertRaises(ClientError) as refusal:
            rows(200)
        self.assertEqual(refusal.exception.response["Error"]["Code"], "FilterLimitExceeded")

    def test_a_form_has_the_names_that_ec2_knows(self) -> None:
        good = {"Action": "CreateSecurityGroup", "GroupName": self.name, "VpcId": self.vpc}
        tag = {"TagSpecification.1.ResourceType": "security-group", "TagSpecification.1.Tag.1.Key": "User"}
        for code, form in (
            ("MissingParameter", good),
            ("UnknownParameter", {**good, "Description": "one"}),
            ("UnknownParameter", {**good, "GroupDescription": "one", "TagSpecifications.1.ResourceType": "x"}),
            ("UnknownParameter", {**good, "GroupDescription": "one", **tag, "TagSpecification.1.Tags.1.Key": "x"}),
            ("InvalidGroup.NotFound", {
                "Action": "AuthorizeSecurityGroupEgress", "GroupId": "sg-0123456789abcdef0",
                "IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.IpRanges.1.CidrIp": "10.2.0.0/16"}),
        ):
            body = urlencode({**form, "Version": "2016-11-15"})
            request = AWSRequest("POST", os.environ["AWS_ENDPOINT_URL"], data=body,
                                 headers={"content-type": "application/x-www-form-urlencoded"})
            SigV4Auth(Credentials("test", "test"), "ec2", "us-east-1").add_auth(request)
            prepared = request.prepare()
            with self.assertRaises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(urllib.request.Request(
                    prepared.url, prepared.body.encode(), dict(prepared.headers.items())))
            self.assertIn(f"<Code>{code}</Code>", refusal.exception.read().decode())


class Permissions(FunctionStory):
    """What a role may do with groups, profiles and objects."""

    def setUp(self) -> None:
        super().setUp()
        self.deploy(self.template())
        self.ec2 = client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        self.addCleanup(lambda: self.ec2.delete_vpc(VpcId=self.vpc))

    def create(self, name: str, **tags: str) -> str:
        """What EC2 answers to the creation of a group by the function."""
        return self.call("ec2", "create_security_group", GroupName=name, Description="one", VpcId=self.vpc,
                         **({"TagSpecifications": tagged("security-group", **tags)} if tags else {}))

    def test_a_group_is_created_with_permissions_for_itself_its_vpc_and_its_tags(self) -> None:
        stack = {"StringEquals": {"aws:RequestTag/Stack": "a"}, "ForAllValues:StringEquals": {
            "aws:TagKeys": ["Stack", "User"]}}
        self.allow("ec2:CreateSecurityGroup", f"{ARN}:vpc/{self.vpc}", {"StringEquals": {"ec2:VpcID": self.vpc}})
        self.assertEqual(self.create("a", Stack="a"), "UnauthorizedOperation")
        self.allow("ec2:CreateSecurityGroup", f"{ARN}:security-group/*", stack)
        self.assertEqual(self.create("a"), "UnauthorizedOperation")
        self.assertEqual(self.create("a", Stack="a"), "UnauthorizedOperation")
        self.allow("ec2:CreateTags", f"{ARN}:security-group/*", {
            "StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}})
        self.assertEqual(self.create("a", Stack="b"), "UnauthorizedOperation")
        self.assertEqual(self.create("a", Stack="a", Other="x"), "UnauthorizedOperation")
        self.assertEqual(self.create("a", Stack="a", User="alice"), "ok")
        group = self.ec2.describe_security_groups(Filters=[
            {"Name": "tag:User", "Values": ["alice"]}, {"Name": "vpc-id", "Values": [self.vpc]}])["SecurityGroups"][0]
        self.addCleanup(lambda: self.ec2.delete_security_group(GroupId=group["GroupId"]))
        # That is for no tag of a group that is there.
        tag = {"Resources": [group["GroupId"]], "Tags": [{"Key": "User", "Value": "bob"}]}
        self.assertEqual(self.call("ec2", "create_tags", **tag), "UnauthorizedOperation")

    def test_a_group_that_is_there_is_changed_by_its_tags_and_its_vpc(self) -> None:
        group = self.ec2.create_security_group(GroupName="a", Description="one", VpcId=self.vpc,
                                               TagSpecifications=tagged("security-group", Stack="a"))["GroupId"]
        self.addCleanup(lambda: self.ec2.delete_security_group(GroupId=group))
        mine = {"StringEquals": {"aws:ResourceTag/Stack": "a"}, "ArnEquals": {"ec2:Vpc": f"{ARN}:vpc/{self.vpc}"}}
        tag = {"Resources": [group], "Tags": [{"Key": "User", "Value": "bob"}]}
        rule = {"GroupId": group, "IpPermissions": [{**HTTPS, "IpRanges": [{"CidrIp": "10.2.0.0/16"}]}]}
        for operation, arguments in (("create_tags", tag), ("authorize_security_group_ingress", rule),
                                     ("revoke_security_group_ingress", rule)):
            self.assertEqual(self.call("ec2", operation, **arguments), "UnauthorizedOperation")
            action = "".join(part.capitalize() for part in operation.split("_"))
            self.allow(f"ec2:{action}", f"{ARN}:security-group/*", mine)
            self.assertEqual(self.call("ec2", operation, **arguments), "ok")
        # DeleteTags doesn't know the VPC.
        self.allow("ec2:DeleteTags", f"{ARN}:security-group/*", mine)
        self.assertEqual(self.call("ec2", "delete_tags", **tag), "UnauthorizedOperation")
        self.allow("ec2:DeleteTags", f"{ARN}:security-group/*", {
            "ForAllValues:StringEquals": {"aws:TagKeys": ["User"]}})
        self.assertEqual(self.call("ec2", "delete_tags", **tag), "ok")

    def test_a_listing_may_be_of_one_region_alone(self) -> None:
        for region, answer in (("eu-west-1", "UnauthorizedOperation"), ("us-east-1", "ok")):
            self.allow("ec2:DescribeNetworkInterfaces", "*", {"StringEquals": {"aws:RequestedRegion": region}})
            self.assertEqual(self.call("ec2", "describe_network_interfaces"), answer)

    def test_the_vpc_needs_a_permission_too(self) -> None:
        self.allow("ec2:CreateSecurityGroup", f"{ARN}:security-group/*")
        self.assertEqual(self.create("a"), "UnauthorizedOperation")

    def test_the_refusal_names_what_is_missing(self) -> None:
        self.allow("ec2:CreateSecurityGroup", "*")
        answer = self.ask(call=["ec2", "create_security_group", {
            "GroupName": "a", "Description": "one", "VpcId": self.vpc,
            "TagSpecifications": tagged("security-group", Stack="a")}])
        self.assertIn(f"is not authorized to perform: ec2:CreateTags on resource: {ARN}:security-group/* because",
                      answer["message"])

    def test_a_profile_takes_its_role_and_its_tags(self) -> None:
        api = client("sagemaker")
        domain = api.create_domain(DomainName=unique("studio"), AuthMode="IAM", DefaultUserSettings={})["DomainId"]
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:user-profile/{domain}"
        role, other = (f"arn:aws:iam::000000000000:role/{name}" for name in ("studio-execution", "administrator"))
        profile = {"DomainId": domain, "UserProfileName": "alice", "UserSettings": {"ExecutionRole": role},
                   "Tags": [{"Key": "Stack", "Value": "a"}]}
        refused = "AccessDeniedException"
        self.allow("sagemaker:CreateUserProfile", f"{arn}/*", {"StringEquals": {"aws:RequestTag/Stack": "a"}})
        self.assertEqual(self.call("sagemaker", "create_user_profile", **profile), refused)
        self.allow("iam:PassRole", role, {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}})
        self.assertEqual(self.call("sagemaker", "create_user_profile", **profile), refused)
        self.allow("sagemaker:AddTags", f"{arn}/*", {"StringEquals": {"sagemaker:TaggingAction": "CreateUserProfile"}})
        self.assertEqual(self.call("sagemaker", "create_user_profile", **profile), "ok")
        self.assertEqual(self.call("sagemaker", "add_tags", ResourceArn=f"{arn}/alice", Tags=profile["Tags"]), refused)

        key = {"DomainId": domain, "UserProfileName": "alice"}
        self.allow("sagemaker:UpdateUserProfile", f"{arn}/alice", {"StringEquals": {"aws:ResourceTag/Stack": "a"}})
        update = {**key, "UserSettings": {"ExecutionRole": other}}
        self.assertEqual(self.call("sagemaker", "update_user_profile", **update), refused)
        # No permission is missing, only time.
        update["UserSettings"]["ExecutionRole"] = role
        self.assertIn(self.call("sagemaker", "update_user_profile", **update), ("ok", "ResourceInUse"))
        apps = f"arn:aws:sagemaker:us-east-1:000000000000:app/{domain}"
        self.allow("sagemaker:ListApps", f"{apps}/*")
        self.assertEqual(self.call("sagemaker", "list_apps", DomainIdEquals=domain), refused)
        self.allow("sagemaker:ListApps", "*")
        self.assertEqual(self.call("sagemaker", "list_apps", DomainIdEquals=domain), "ok")
        app = {**key, "AppType": "JupyterLab", "AppName": "default"}
        self.assertEqual(self.call("sagemaker", "delete_app", **app), refused)
        self.allow("sagemaker:DeleteApp", f"{apps}/alice/jupyterlab/default")
        self.assertEqual(self.call("sagemaker", "delete_app", **app), "ResourceNotFound")

    def test_one_object_may_be_read_by_a_request_that_is_signed_by_hand(self) -> None:
        s3 = client("s3")
        for key in ("users.toml", "other.toml"):
            s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode())
            self.addCleanup(lambda key=key: s3.delete_object(Bucket=self.bucket, Key=key))
        users, other = f"/{self.bucket}/users.toml", f"/{self.bucket}/other.toml"
        self.assertEqual(self.ask(read=users)["answer"], "AccessDenied")
        self.allow("s3:GetObject", f"arn:aws:s3::{users.replace('/', ':', 1)}")
        self.assertEqual(self.ask(read=users)["answer"], "users.toml")
        self.assertEqual(self.ask(read=other)["answer"], "AccessDenied")
        self.assertEqual(self.ask(read=users, secret="another")["answer"], "SignatureDoesNotMatch")


if __name__ == "__main__":
    unittest.main()
