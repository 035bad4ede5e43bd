"""Stories about SageMaker Studio in the local AWS."""

import unittest
from typing import Any

from botocore.exceptions import ClientError

from .testing import Story, client, eventually, unique


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
                    "DefaultUserSettings": {"ExecutionRole": "arn:aws:iam::000000000000:role/studio-execution"}}},
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
        first = api.list_user_profiles(DomainIdEquals=domain)
        self.assertEqual(len(first["UserProfiles"]), 10)
        rest = api.list_user_profiles(DomainIdEquals=domain, NextToken=first["NextToken"])
        self.assertEqual([row["UserProfileName"] for row in rest["UserProfiles"]], ["user-10"])


if __name__ == "__main__":
    unittest.main()
