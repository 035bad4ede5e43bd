"""Stories about SageMaker Studio in the local AWS."""

import unittest
from datetime import UTC, datetime
from typing import Any, Callable

from botocore.exceptions import ClientError

from . import leftovers
from .testing import Story, client, eventually, unique

ROLE = "arn:aws:iam::000000000000:role/studio-execution"


def private(owner: str) -> dict[str, Any]:
    """What makes a space its owner's own."""
    return {"OwnershipSettings": {"OwnerUserProfileName": owner}, "SpaceSharingSettings": {"SharingType": "Private"}}


class Studio(Story):
    """A domain with a user profile, and what keeps them from going."""

    def setUp(self) -> None:
        self.name = unique("studio")
        self.template = {
            "Resources": {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.2.0.0/16"}},
                "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {
                    "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.2.3.0/24"}},
                "Domain": {"Type": "AWS::SageMaker::Domain", "Properties": {
                    "DomainName": self.name, "AuthMode": "IAM", "AppNetworkAccessType": "VpcOnly",
                    "VpcId": {"Ref": "Vpc"}, "SubnetIds": [{"Ref": "Subnet"}],
                    "DefaultUserSettings": {"ExecutionRole": ROLE}}},
                "Profile": {"Type": "AWS::SageMaker::UserProfile", "Properties": {
                    "DomainId": {"Ref": "Domain"}, "UserProfileName": "alice"}},
            },
            "Outputs": {"Domain": {"Value": {"Ref": "Domain"}},
                        "Files": {"Value": {"Fn::GetAtt": ["Domain", "HomeEfsFileSystemId"]}}},
        }

    def refused(self, operation: Any, code: str, **arguments: Any) -> None:
        """That the operation is refused because something is in use."""
        with self.assertRaises(ClientError) as refusal:
            operation(**arguments)
        self.assertEqual(refusal.exception.response["Error"]["Code"], code)

    def test_a_domain_outlives_neither_its_profiles_nor_their_apps(self) -> None:
        outputs = self.deploy(self.template)
        api, domain = client("sagemaker"), outputs["Domain"]
        owner = {"DomainId": domain, "UserProfileName": "alice"}
        app = {**owner, "AppType": "JupyterServer", "AppName": "default"}
        api.create_app(**app)
        self.refused(api.delete_user_profile, "ResourceInUse", **owner)
        self.refused(api.delete_domain, "ResourceInUse", DomainId=domain)
        eventually("the app is there", lambda: api.describe_app(**app)["Status"] == "InService")
        api.delete_app(**app)
        eventually("the app is gone", lambda: api.list_apps(DomainIdEquals=domain)["Apps"][0]["Status"] == "Deleted")
        api.delete_user_profile(**owner)
        eventually("the profile is gone", lambda: not api.list_user_profiles(DomainIdEquals=domain)["UserProfiles"])
        # With its home directories: what stays of them otherwise keeps the subnet from going.
        api.delete_domain(DomainId=domain, RetentionPolicy={"HomeEfsFileSystem": "Delete"})
        self.delete()

    def test_what_a_domain_leaves_behind_keeps_its_network_from_going(self) -> None:
        outputs = self.deploy(self.template)
        efs, ec2, files = client("efs"), client("ec2"), outputs["Files"]
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:domain/{outputs['Domain']}"
        managed = {"Name": "tag:ManagedByAmazonSageMakerResource", "Values": [arn]}
        client("cloudformation").delete_stack(StackName=self.stack)
        self.assertEqual(self.settled()["StackStatus"], "DELETE_FAILED")
        self.assertIn("Subnet: Resource handler returned message: \"The subnet", str(self.failures()))

        # The file system has the domain's tag, and an interface in the subnet ...
        tags = efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]["Tags"]
        self.assertIn({"Key": "ManagedByAmazonSageMakerResource", "Value": arn}, tags)
        target = efs.describe_mount_targets(FileSystemId=files)["MountTargets"][0]
        def interfaces() -> Any:
            return ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [target["VpcId"]]}])
        self.assertEqual([row["NetworkInterfaceId"] for row in interfaces()["NetworkInterfaces"]],
                         [target["NetworkInterfaceId"]])
        self.refused(efs.delete_file_system, "FileSystemInUse", FileSystemId=files)
        efs.delete_mount_target(MountTargetId=target["MountTargetId"])
        self.assertEqual(efs.describe_mount_targets(FileSystemId=files)["MountTargets"][0]["LifeCycleState"], "deleting")
        eventually("the interface is gone", lambda: not interfaces()["NetworkInterfaces"])
        # ... and two groups refer to each other.
        inbound, outbound = sorted(ec2.describe_security_groups(Filters=[managed])["SecurityGroups"],
                                   key=lambda group: group["GroupName"])
        self.assertEqual(inbound["GroupName"], f"security-group-for-inbound-nfs-{outputs['Domain']}")
        for group in (inbound, outbound):
            self.refused(ec2.delete_security_group, "DependencyViolation", GroupId=group["GroupId"])
        ec2.revoke_security_group_ingress(GroupId=inbound["GroupId"], IpPermissions=inbound["IpPermissions"])
        ec2.revoke_security_group_egress(GroupId=outbound["GroupId"], IpPermissions=outbound["IpPermissionsEgress"])
        for group in (inbound, outbound):
            ec2.delete_security_group(GroupId=group["GroupId"])
        self.delete()
        # Nobody has touched the home directories so far.
        efs.delete_file_system(FileSystemId=files)
        self.assertEqual(efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]["LifeCycleState"], "deleting")
        eventually("the file system is gone", lambda: files not in [
            row["FileSystemId"] for row in efs.describe_file_systems()["FileSystems"]])

    def test_a_listing_has_ten_rows_when_nothing_else_is_asked_for(self) -> None:
        api = client("sagemaker")
        domain = api.create_domain(DomainName=self.name, AuthMode="IAM", DefaultUserSettings={})["DomainId"]
        for number in range(11):
            api.create_user_profile(DomainId=domain, UserProfileName=f"user-{number}")
            api.create_space(DomainId=domain, SpaceName=f"space-{number}", **private(f"user-{number}"))
            api.create_app(DomainId=domain, UserProfileName="user-0", AppType="KernelGateway", AppName=f"app-{number}")
        for listing, rows, name, last in (
            (api.list_user_profiles, "UserProfiles", "UserProfileName", "user-10"),
            (api.list_spaces, "Spaces", "SpaceName", "space-10"),
            (api.list_apps, "Apps", "AppName", "app-10"),
        ):
            first = listing(DomainIdEquals=domain)
            self.assertEqual(len(first[rows]), 10)
            rest = listing(DomainIdEquals=domain, NextToken=first["NextToken"])
            self.assertEqual([row[name] for row in rest[rows]], [last])
            self.assertEqual(len(listing(DomainIdEquals=domain, MaxResults=11)[rows]), 11)
        space = api.list_spaces(DomainIdEquals=domain, SpaceNameContains="space-10")["Spaces"][0]
        self.assertEqual((space["OwnershipSettingsSummary"], space["SpaceSharingSettingsSummary"]),
                         ({"OwnerUserProfileName": "user-10"}, {"SharingType": "Private"}))


class Apps(unittest.TestCase):
    """A VpcOnly domain with a profile that has a security group of its own, and one that has not."""

    def setUp(self) -> None:
        self.ec2, self.api = client("ec2"), client("sagemaker")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.2.3.0/24")["Subnet"]["SubnetId"]
        self.users, self.spaces, self.own = (self.group(name) for name in ("users", "spaces", "own"))
        self.domain = self.api.create_domain(
            DomainName=unique("studio"), AuthMode="IAM", AppNetworkAccessType="VpcOnly", VpcId=self.vpc,
            SubnetIds=[self.subnet], DefaultUserSettings={"ExecutionRole": ROLE, "SecurityGroups": [self.users]},
            DefaultSpaceSettings={"ExecutionRole": ROLE, "SecurityGroups": [self.spaces]})["DomainId"]
        self.profile("alice", SecurityGroups=[self.own])
        self.profile("bob")

    def group(self, name: str) -> str:
        """A security group."""
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def key(self, name: str) -> dict[str, str]:
        """What names a profile."""
        return {"DomainId": self.domain, "UserProfileName": name}

    def profile(self, name: str, **settings: Any) -> str:
        """A profile that has settled; its status."""
        self.api.create_user_profile(**self.key(name), UserSettings=settings)
        return self.settled(lambda: self.api.describe_user_profile(**self.key(name)))

    def settled(self, describe: Callable[[], dict[str, Any]]) -> str:
        """The status that something comes to."""
        return eventually("it settles", lambda: describe()["Status"] not in ("Pending", "Updating", "Deleting") and
                          describe()["Status"])

    def app(self, kind: str, instance: str = "ml.t3.medium", **owner: str) -> dict[str, str]:
        """An app that has settled; what names it."""
        app = {"DomainId": self.domain, "AppType": kind, "AppName": "default", **owner}
        self.api.create_app(**app, ResourceSpec={"InstanceType": instance})
        self.settled(lambda: self.api.describe_app(**app))
        return app

    def interfaces(self) -> list[dict[str, Any]]:
        """The interfaces of apps."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "interface-type", "Values": ["interface"]}]
        return self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]

    def refused(self, code: str, operation: Any, **arguments: Any) -> str:
        """That an operation is refused; the message."""
        with self.assertRaises(ClientError) as refusal:
            operation(**arguments)
        self.assertEqual(refusal.exception.response["Error"]["Code"], code)
        return refusal.exception.response["Error"]["Message"]

    def test_an_app_has_an_interface_with_its_owners_groups(self) -> None:
        self.api.create_space(DomainId=self.domain, SpaceName="private", **private("alice"))
        self.api.create_space(DomainId=self.domain, SpaceName="shared")
        self.app("JupyterServer", "system", UserProfileName="alice")
        self.app("KernelGateway", UserProfileName="bob")
        self.app("JupyterLab", SpaceName="private")
        self.app("CodeEditor", SpaceName="shared")
        nfs = f"security-group-for-outbound-nfs-{self.domain}"
        groups = [[group["GroupName"] for group in interface["Groups"]] for interface in self.interfaces()]
        self.assertEqual(groups, [["users", "own", nfs], ["users", nfs], ["users", "own", nfs], ["spaces", nfs]])
        interface = self.interfaces()[0]
        self.assertRegex(interface["Description"], r"^\[DO NOT DELETE\] ENI managed by SageMaker for Studio Domain"
                                                   rf"\({self.domain}\) - [0-9a-f]{{32}}$")
        arn = "arn:aws:sagemaker:us-east-1:000000000000"
        self.assertEqual(interface["TagSet"], [{
            "Key": "ManagedByAmazonSageMakerResource",
            "Value": f"{arn}:node/{self.domain}/alice/system-jupyterserverorkernelgateway"}])

    def test_an_interface_is_found_by_its_address_and_says_since_when_it_is_there(self) -> None:
        before = datetime.now(UTC).replace(microsecond=0)
        for name in ("alice", "bob"):
            self.app("JupyterServer", "system", UserProfileName=name)
        one, other = self.interfaces()
        addresses = [one["PrivateIpAddress"], other["PrivateIpAddress"]]
        self.assertEqual(len({*addresses}), 2)
        for wanted in (addresses[:1], addresses, [*addresses, "10.2.3.250"]):
            found = self.ec2.describe_network_interfaces(Filters=[
                {"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "addresses.private-ip-address", "Values": wanted},
            ])["NetworkInterfaces"]
            self.assertEqual([row["PrivateIpAddress"] for row in found], wanted[:2])
        self.assertEqual(one["PrivateIpAddresses"], [{"PrivateIpAddress": addresses[0], "Primary": True}])
        attached = [row["Attachment"]["AttachTime"] for row in (one, other)]
        self.assertTrue(before <= attached[0] <= attached[1] <= datetime.now(UTC), attached)

    def test_nothing_goes_while_an_app_is_in_it(self) -> None:
        self.api.create_space(DomainId=self.domain, SpaceName="private", **private("alice"))
        space = {"DomainId": self.domain, "SpaceName": "private"}
        app = self.app("JupyterLab", SpaceName="private")
        message = self.refused("ResourceInUse", self.api.delete_space, **space)
        self.assertIn("because App(s) are associated with it", message)
        self.refused("ResourceInUse", self.api.delete_user_profile, **self.key("alice"))
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=self.own)
        self.api.delete_app(**app)
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=self.own)
        self.refused("ResourceNotFound", self.api.delete_app, **app)
        eventually("the interface is gone", lambda: not self.interfaces())
        self.assertEqual(self.api.describe_app(**app)["Status"], "Deleted")
        self.refused("ResourceNotFound", self.api.delete_app, **app)
        self.api.delete_space(**space)
        self.refused("ResourceInUse", self.api.delete_user_profile, **self.key("alice"))
        eventually("the space is gone", lambda: not self.api.list_spaces(DomainIdEquals=self.domain)["Spaces"])
        self.api.delete_user_profile(**self.key("alice"))
        self.ec2.delete_security_group(GroupId=self.own)
        # The subnet has that of the home directories.
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnet)

    def test_subnets_come_while_an_app_runs_and_go_when_none_does(self) -> None:
        files = self.api.describe_domain(DomainId=self.domain)["HomeEfsFileSystemId"]
        other = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.2.6.0/24", AvailabilityZone="us-east-1b")
        both = [self.subnet, other["Subnet"]["SubnetId"]]

        def reached() -> list[str]:
            return [row["SubnetId"] for row in client("efs").describe_mount_targets(FileSystemId=files)["MountTargets"]]
        app = self.app("JupyterServer", "system", UserProfileName="alice")
        self.api.update_domain(DomainId=self.domain, SubnetIds=both)
        self.assertCountEqual(reached(), both)
        self.refused("ResourceInUse", self.api.update_domain, DomainId=self.domain, SubnetIds=[self.subnet])
        # What it has already is no change of the network.
        self.api.update_domain(DomainId=self.domain, SubnetIds=both, AppNetworkAccessType="VpcOnly")
        self.api.delete_app(**app)
        eventually("the app is gone", lambda: self.api.describe_app(**app)["Status"] == "Deleted")
        self.api.update_domain(DomainId=self.domain, SubnetIds=[self.subnet])
        self.assertEqual(self.api.describe_domain(DomainId=self.domain)["SubnetIds"], [self.subnet])
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=both[1])

    def test_what_is_left_of_it_is_listed(self) -> None:
        self.api.create_space(DomainId=self.domain, SpaceName="shared")
        app = self.app("CodeEditor", SpaceName="shared")
        self.app("JupyterLab", "ml.p4de.24xlarge", SpaceName="shared")

        def left() -> list[tuple[str, str]]:
            return [(row["type"].rpartition(":")[2], row["id"].removesuffix(f"|{self.domain}"))
                    for row in leftovers.studio() if self.domain in row["id"]]
        rows = [("Domain", self.domain), ("UserProfile", "alice"), ("UserProfile", "bob"), ("Space", "shared")]
        self.assertEqual(left(), [*rows, ("App", "default|CodeEditor|shared")])
        groups = {row["id"] for row in leftovers.networks() if row["type"] == "AWS::EC2::SecurityGroup"}
        self.assertLessEqual({self.users, self.spaces, self.own}, groups)
        self.api.delete_app(**app)
        eventually("the app is gone", lambda: left() == rows)

    def test_an_app_that_failed_stays_and_is_in_nobodys_way(self) -> None:
        app = self.app("JupyterLab", "ml.p4de.24xlarge", UserProfileName="alice")
        failed = self.api.describe_app(**app)
        self.assertEqual((failed["Status"], failed["FailureReason"]), (
            "Failed", "ml.p4de.24xlarge is not available at the moment. Try another instance type."))
        self.assertEqual(self.interfaces(), [])
        self.refused("ValidationException", self.api.delete_app, **app)
        self.api.delete_user_profile(**self.key("alice"))
        self.assertEqual([row["Status"] for row in self.api.list_apps(DomainIdEquals=self.domain)["Apps"]], ["Failed"])

    def test_a_profile_may_fail(self) -> None:
        wrong = "arn:aws:iam::000000000000:role/never-assumed"
        self.assertEqual(self.profile("carol", ExecutionRole=wrong), "Failed")
        reason = self.api.describe_user_profile(**self.key("carol"))["FailureReason"]
        self.assertEqual(reason, f"SageMaker can't assume the role {wrong}.")
        self.refused("ResourceInUse", self.api.update_user_profile, **self.key("carol"))
        self.api.delete_user_profile(**self.key("carol"))
        # So may an update, from which another leads on.
        for role, status in ((wrong, "Update_Failed"), (ROLE, "InService")):
            self.api.update_user_profile(**self.key("alice"), UserSettings={"ExecutionRole": role})
            self.assertEqual(self.settled(lambda: self.api.describe_user_profile(**self.key("alice"))), status)
        self.assertNotIn("FailureReason", self.api.describe_user_profile(**self.key("alice")))

    def test_a_profiles_groups_are_at_most_five_of_the_domains_vpc(self) -> None:
        elsewhere = self.ec2.create_security_group(GroupName=unique("group"), Description="one")["GroupId"]
        self.addCleanup(lambda: self.ec2.delete_security_group(GroupId=elsewhere))
        create, update = self.api.create_user_profile, self.api.update_user_profile
        for groups in (["sg-0123456789abcdef0"], [self.own, elsewhere], [self.own] * 6):
            settings = {"SecurityGroups": groups}
            for operation, name in ((create, "carol"), (update, "alice")):
                self.refused("ValidationException", operation, **self.key(name), UserSettings=settings)

    def test_a_profile_is_changed_by_one_at_a_time(self) -> None:
        change = {**self.key("alice"), "UserSettings": {"SecurityGroups": [self.users]}}
        self.api.update_user_profile(**change)
        self.refused("ResourceInUse", self.api.update_user_profile, **change)
        self.settled(lambda: self.api.describe_user_profile(**self.key("alice")))
        self.app("JupyterLab", UserProfileName="alice")
        self.assertEqual(self.interfaces()[0]["Groups"][0]["GroupName"], "users")
        self.api.delete_user_profile(**self.key("bob"))
        self.refused("ResourceInUse", self.api.update_user_profile, **self.key("bob"))

    def test_a_profiles_tags_come_and_go(self) -> None:
        arn = self.api.describe_user_profile(**self.key("alice"))["UserProfileArn"]
        self.api.add_tags(ResourceArn=arn, Tags=[{"Key": "User", "Value": "a"}, {"Key": "Stack", "Value": "b"}])
        self.api.delete_tags(ResourceArn=arn, TagKeys=["User"])
        self.assertEqual(self.api.list_tags(ResourceArn=arn)["Tags"], [{"Key": "Stack", "Value": "b"}])


if __name__ == "__main__":
    unittest.main()
