"""Stories about the resource types that the local AWS adds to CloudFormation, and about what may not be deleted."""

import copy
import json
import os
import re
import unittest
from typing import Any

from botocore.exceptions import ClientError

from .network import Network
from .testing import Story, client, eventually, unique

GUARD = 'drop udp $HOME_NET any -> $EXTERNAL_NET 443 (msg:"egress guard: QUIC"; sid:9000001; rev:1;)'


def ref(name: str) -> dict[str, Any]:
    """`!Ref name`."""
    return {"Ref": name}


def attribute(name: str, of: str) -> dict[str, Any]:
    """`!GetAtt name.of`."""
    return {"Fn::GetAtt": [name, of]}


def resource(kind: str, depends_on: str | None = None, **properties: Any) -> dict[str, Any]:
    """A resource of a template."""
    content = {"Type": f"AWS::{kind}", "Properties": properties}
    return content | ({"DependsOn": depends_on} if depends_on else {})


def network() -> dict[str, Any]:
    """A VPC with two subnets and a way to the internet."""
    def subnet(zone: str, cidr: str) -> dict[str, Any]:
        return resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, AvailabilityZone=f"us-east-1{zone}")

    return {
        "Vpc": resource("EC2::VPC", CidrBlock="10.2.0.0/16"),
        "SubnetA": subnet("a", "10.2.1.0/24"),
        "SubnetB": subnet("b", "10.2.2.0/24"),
        "Internet": resource("EC2::InternetGateway"),
        "Attachment": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Internet")),
        "Address": resource("EC2::EIP", "Attachment", Domain="vpc"),
        "Nat": resource("EC2::NatGateway", "Attachment", SubnetId=ref("SubnetB"),
                        AllocationId=attribute("Address", "AllocationId")),
        "Table": resource("EC2::RouteTable", VpcId=ref("Vpc")),
        "Edge": resource("EC2::GatewayRouteTableAssociation", "Attachment", GatewayId=ref("Internet"),
                         RouteTableId=ref("Table")),
        "Group": resource("EC2::SecurityGroup", GroupDescription="one", VpcId=ref("Vpc")),
        "Ingress": resource("EC2::SecurityGroupIngress", GroupId=ref("Group"), IpProtocol="tcp", FromPort=443,
                            ToPort=443, SourceSecurityGroupId=ref("Group")),
        "Egress": resource("EC2::SecurityGroupEgress", GroupId=ref("Group"), IpProtocol="udp", FromPort=53, ToPort=53,
                           CidrIp="10.2.0.2/32"),
        "Endpoint": resource("EC2::VPCEndpoint", VpcId=ref("Vpc"), ServiceName="com.amazonaws.us-east-1.sts",
                             VpcEndpointType="Interface", SubnetIds=[ref("SubnetA")], SecurityGroupIds=[ref("Group")]),
        "Logs": resource("Logs::LogGroup", RetentionInDays=7),
        "Flows": resource("EC2::FlowLog", ResourceId=ref("Vpc"), ResourceType="VPC", TrafficType="ALL",
                          LogGroupName=ref("Logs"), DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/x"),
    }


def firewall(name: str) -> dict[str, Any]:
    """A firewall in both subnets, with logging, and a route to one of its endpoints."""
    strict = {"RuleOrder": "STRICT_ORDER"}
    unprotected = {"DeleteProtection": False, "SubnetChangeProtection": False, "FirewallPolicyChangeProtection": False}
    log = {"LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": ref("Logs")}}
    return {
        "Rules": resource("NetworkFirewall::RuleGroup", RuleGroupName=name, Type="STATEFUL", Capacity="10",
                          RuleGroup={"RulesSource": {"RulesString": GUARD}, "StatefulRuleOptions": strict}),
        "Policy": resource("NetworkFirewall::FirewallPolicy", FirewallPolicyName=name, FirewallPolicy={
            "StatelessDefaultActions": ["aws:forward_to_sfe"],
            "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
            "StatefulEngineOptions": strict,
            "StatefulDefaultActions": ["aws:drop_established_app_layer_to_server"],
            "StatefulRuleGroupReferences": [{"ResourceArn": ref("Rules"), "Priority": "100"}]}),
        "Firewall": resource("NetworkFirewall::Firewall", FirewallName=name, FirewallPolicyArn=ref("Policy"),
                             SubnetMappings=[{"SubnetId": ref("SubnetA")}, {"SubnetId": ref("SubnetB")}],
                             VpcId=ref("Vpc"), **unprotected),
        "Logging": resource("NetworkFirewall::LoggingConfiguration", FirewallArn=ref("Firewall"), LoggingConfiguration={
            "LogDestinationConfigs": [{"LogType": "ALERT", **log}, {"LogType": "FLOW", **log}]}),
        "Route": resource("EC2::Route", RouteTableId=ref("Table"), DestinationCidrBlock="10.2.2.0/24", VpcEndpointId={
            "Fn::Select": [1, {"Fn::Split": [":", {"Fn::Select": [0, attribute("Firewall", "EndpointIds")]}]}]}),
    }


OUTPUTS = {
    name: {"Value": value} for name, value in {
        "Vpc": ref("Vpc"), "SubnetA": ref("SubnetA"), "Group": ref("Group"), "Address": ref("Address"),
        "Nat": ref("Nat"), "Internet": ref("Internet"), "Table": ref("Table"), "Edge": ref("Edge"),
        "Ingress": ref("Ingress"), "Flows": ref("Flows"), "Allocation": attribute("Address", "AllocationId"),
        "Interface": {"Fn::Select": [0, attribute("Endpoint", "NetworkInterfaceIds")]},
        "Firewall": ref("Firewall"), "FirewallId": attribute("Firewall", "FirewallId"), "Rules": ref("Rules"),
        "RulesId": attribute("Rules", "RuleGroupId"), "Policy": ref("Policy"), "Logging": ref("Logging"),
        "Endpoints": {"Fn::Join": [",", attribute("Firewall", "EndpointIds")]},
    }.items()
}


class Resources(Story):
    """One network with a firewall."""

    def setUp(self) -> None:
        self.name = unique("walls")
        self.template = {"Resources": network() | firewall(self.name), "Outputs": OUTPUTS}

    def test_what_ref_and_getatt_give_is_what_aws_gives(self) -> None:
        outputs = self.deploy(self.template)
        patterns = {
            "Address": r"\d+\.\d+\.\d+\.\d+", "Allocation": "eipalloc-.+", "Nat": "nat-.+", "Ingress": "sgr-.+",
            "Flows": "fl-.+", "Edge": outputs["Internet"], "Interface": "eni-.+", "Logging": outputs["Firewall"],
            "Firewall": f"arn:aws:network-firewall:us-east-1:000000000000:firewall/{self.name}",
            "Rules": f"arn:aws:network-firewall:us-east-1:000000000000:stateful-rulegroup/{self.name}",
            "Policy": f"arn:aws:network-firewall:us-east-1:000000000000:firewall-policy/{self.name}",
            "FirewallId": "[0-9a-f-]{36}", "RulesId": "[0-9a-f-]{36}",
            # In an order that is not the subnets'.
            "Endpoints": "us-east-1b:vpce-[0-9a-f]+,us-east-1a:vpce-[0-9a-f]+",
        }
        for name, pattern in patterns.items():
            self.assertTrue(re.fullmatch(pattern, outputs[name]), f"{name}: {outputs[name]}")
        routes = client("ec2").describe_route_tables(RouteTableIds=[outputs["Table"]])["RouteTables"][0]
        self.assertIn(outputs["Endpoints"].split(",")[0].split(":")[1],
                      [route.get("GatewayId") for route in routes["Routes"]])
        self.assertEqual(routes["Associations"][0]["GatewayId"], outputs["Internet"])

    def test_an_update_changes_in_place_and_the_name_forbids_a_replacement(self) -> None:
        before = self.deploy(self.template)
        changed = copy.deepcopy(self.template)
        changed["Resources"]["Rules"]["Properties"]["RuleGroup"]["RulesSource"]["RulesString"] += "\n# and a comment"
        changed["Resources"]["Policy"]["Properties"]["FirewallPolicy"]["StatefulDefaultActions"].append(
            "aws:alert_established_app_layer_to_server")
        changed["Resources"]["Logging"]["Properties"]["LoggingConfiguration"]["LogDestinationConfigs"].pop()
        after = self.deploy(changed)
        self.assertEqual((after["Rules"], after["Endpoints"]), (before["Rules"], before["Endpoints"]))
        api = client("network-firewall")
        group = api.describe_rule_group(RuleGroupArn=after["Rules"])["RuleGroup"]
        self.assertTrue(group["RulesSource"]["RulesString"].endswith("# and a comment"))
        logging = api.describe_logging_configuration(FirewallArn=after["Firewall"])["LoggingConfiguration"]
        self.assertEqual([config["LogType"] for config in logging["LogDestinationConfigs"]], ["ALERT"])

        changed["Resources"]["Rules"]["Properties"]["Capacity"] = "20"
        with self.assertRaises(AssertionError):
            self.deploy(changed)
        self.assertIn("cannot update a stack when a custom-named resource requires replacing", str(self.failures()))

    def test_a_description_is_of_the_characters_that_ec2_takes(self) -> None:
        self.template["Resources"]["Ingress"]["Properties"]["Description"] = "HTTPS, from Studio (all of it)"
        group = self.deploy(self.template)["Group"]
        where = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
        rule = {**where, "IpRanges": [{"CidrIp": "10.2.0.0/16", "Description": "Studio's own"}]}
        for call, arguments in (
            ("create_security_group", {"GroupName": self.name, "Description": "Studio's own"}),
            ("create_security_group", {"GroupName": self.name, "Description": "x" * 256}),
            ("authorize_security_group_ingress", {"GroupId": group, "IpPermissions": [rule]}),
        ):
            with self.assertRaises(ClientError) as refusal:
                getattr(client("ec2"), call)(**arguments)
            self.assertEqual(refusal.exception.response["Error"]["Code"], "InvalidParameterValue")
        for name, properties in (("Group", {"GroupDescription": "Studio's own"}),
                                 ("Group", {"SecurityGroupIngress": [{**where, "CidrIp": "10.2.0.0/16",
                                                                      "Description": "Studio's own"}]}),
                                 ("Egress", {"Description": "Studio's own"})):
            changed = copy.deepcopy(self.template)
            changed["Resources"][name]["Properties"] |= properties
            with self.assertRaises(AssertionError) as failure:
                self.deploy(changed)
            self.assertIn("description. Valid descriptions are strings less than 256", str(failure.exception))

    def test_what_something_is_in_is_not_deleted(self) -> None:
        outputs = self.deploy(self.template)
        ec2, api = client("ec2"), client("network-firewall")
        refusals = (
            (ec2.delete_subnet, {"SubnetId": outputs["SubnetA"]}, "DependencyViolation"),
            (ec2.delete_vpc, {"VpcId": outputs["Vpc"]}, "DependencyViolation"),
            (ec2.delete_security_group, {"GroupId": outputs["Group"]}, "DependencyViolation"),
            (ec2.delete_route_table, {"RouteTableId": outputs["Table"]}, "DependencyViolation"),
            (ec2.detach_internet_gateway, {"InternetGatewayId": outputs["Internet"], "VpcId": outputs["Vpc"]},
             "DependencyViolation"),
            (ec2.release_address, {"AllocationId": outputs["Allocation"]}, "InvalidIPAddress.InUse"),
            (api.delete_firewall, {"FirewallArn": outputs["Firewall"]}, "InvalidOperationException"),
            (api.delete_firewall_policy, {"FirewallPolicyArn": outputs["Policy"]}, "InvalidOperationException"),
        )
        for operation, arguments, code in refusals:
            with self.assertRaises(ClientError) as refusal:
                operation(**arguments)
            self.assertEqual(refusal.exception.response["Error"]["Code"], code)

    def test_an_endpoint_is_seen_as_an_interface_of_its_subnet(self) -> None:
        outputs = self.deploy(self.template)
        rows = client("ec2").describe_network_interfaces(
            Filters=[{"Name": "subnet-id", "Values": [outputs["SubnetA"]]}])["NetworkInterfaces"]
        self.assertEqual({row["InterfaceType"] for row in rows}, {"gateway_load_balancer_endpoint", "vpc_endpoint"})
        # The first four addresses of a subnet are AWS's own.
        self.assertEqual({row["PrivateIpAddress"] for row in rows}, {"10.2.1.4", "10.2.1.5"})

    def test_an_endpoint_goes_after_the_routes_to_it_which_go_last(self) -> None:
        before = self.deploy(self.template)["Endpoints"].split(",")
        subnets = copy.deepcopy(self.template)
        subnets["Resources"]["Firewall"]["Properties"]["SubnetMappings"].pop()
        del subnets["Resources"]["Route"]
        with self.assertRaises(AssertionError) as failure:
            self.deploy(subnets)
        self.assertIn("because a route leads to", str(failure.exception))
        route = copy.deepcopy(self.template)
        del route["Resources"]["Route"]
        self.assertEqual(self.deploy(route)["Endpoints"].split(","), before)
        self.assertEqual(self.deploy(subnets)["Endpoints"], before[1])

    def test_a_zone_has_a_nat_gateway_a_table_and_a_way_of_its_own(self) -> None:
        self.template["Resources"] |= {
            "OtherAddress": resource("EC2::EIP", "Attachment", Domain="vpc"),
            "OtherNat": resource("EC2::NatGateway", "Attachment", SubnetId=ref("SubnetA"),
                                 AllocationId=attribute("OtherAddress", "AllocationId")),
            "OtherTable": resource("EC2::RouteTable", VpcId=ref("Vpc")),
            "OtherRoute": resource("EC2::Route", RouteTableId=ref("OtherTable"), DestinationCidrBlock="0.0.0.0/0",
                                   NatGatewayId=ref("OtherNat")),
            "OtherUse": resource("EC2::SubnetRouteTableAssociation", SubnetId=ref("SubnetA"),
                                 RouteTableId=ref("OtherTable")),
            "OtherReturn": resource("EC2::Route", RouteTableId=ref("Table"), DestinationCidrBlock="10.2.1.0/24",
                                    VpcEndpointId={"Fn::Select": [1, {"Fn::Split": [":", {"Fn::Select": [
                                        1, attribute("Firewall", "EndpointIds")]}]}]}),
        }
        self.deploy(self.template)
        self.assertEqual(Network().routes(), [
            "10.2.1.0/24: 0.0.0.0/0 > NAT gateway in 10.2.1.0/24",
            "internet: 10.2.1.0/24 > endpoint in 10.2.1.0/24",
            "internet: 10.2.2.0/24 > endpoint in 10.2.2.0/24",
        ])

    def test_a_flush_is_one_operation_in_a_zone_that_completes(self) -> None:
        arn = self.deploy(self.template)["Firewall"]
        api = client("network-firewall")
        filters = [{"SourceAddress": {"AddressDefinition": "10.2.3.0/24"}, "DestinationPort": "443"}]

        def start(zone: str) -> dict[str, Any]:
            return api.start_flow_flush(FirewallArn=arn, AvailabilityZone=f"us-east-1{zone}", FlowFilters=filters)

        started = start("a")
        self.assertEqual(started["FlowOperationStatus"], "IN_PROGRESS")
        # One at a time in each zone.
        with self.assertRaises(api.exceptions.ThrottlingException):
            start("a")
        start("b")
        found = api.describe_flow_operation(FirewallArn=arn, FlowOperationId=started["FlowOperationId"])
        self.assertEqual(found["FlowOperation"]["FlowFilters"], filters)
        eventually("the flush is done", lambda: api.describe_flow_operation(
            FirewallArn=arn, AvailabilityZone="us-east-1a",
            FlowOperationId=started["FlowOperationId"])["FlowOperationStatus"] == "COMPLETED")
        start("a")
        self.assertEqual(len(api.list_flow_operations(
            FirewallArn=arn, AvailabilityZone="us-east-1a")["FlowOperations"]), 2)

    def test_a_flush_says_where_and_which_flows(self) -> None:
        arn = self.deploy(self.template)["Firewall"]
        api = client("network-firewall")
        good = {"DestinationAddress": {"AddressDefinition": "2001:db8::1/128"}, "DestinationPort": "ANY"}
        zone = {"AvailabilityZone": "us-east-1a"}
        refused = {
            "must be provided": {"FlowFilters": [good]},
            "AvailabilityZone is not one of": {"FlowFilters": [good], "AvailabilityZone": "us-east-1f"},
            "VpcEndpointId is not one of": {"FlowFilters": [good], "VpcEndpointId": "vpce-0123456789abcdef0"},
            "1 to 20 filters": zone | {"FlowFilters": [good] * 21},
            "SourceAddress has invalid format": zone | {
                "FlowFilters": [good, {"SourceAddress": {"AddressDefinition": "10.2.3.300/32"}}]},
            "DestinationPort has invalid format": zone | {"FlowFilters": [good | {"DestinationPort": "https"}]},
            "Protocols has invalid value": zone | {"FlowFilters": [good | {"Protocols": ["tcp"]}]},
        }
        for message, request in refused.items():
            with self.assertRaises(ClientError) as refusal:
                api.start_flow_flush(FirewallArn=arn, **request)
            self.assertIn(message, refusal.exception.response["Error"]["Message"])
        api.start_flow_flush(FirewallArn=arn, **zone, FlowFilters=[good] * 20)

    def test_a_firewall_leads_to_its_policy_and_says_what_it_logs(self) -> None:
        outputs = self.deploy(self.template)
        api = client("network-firewall")
        policy = api.describe_firewall(FirewallArn=outputs["Firewall"])["Firewall"]["FirewallPolicyArn"]
        references = api.describe_firewall_policy(
            FirewallPolicyArn=policy)["FirewallPolicy"]["StatefulRuleGroupReferences"]
        self.assertEqual(references, [{"ResourceArn": outputs["Rules"], "Priority": 100}])
        logs = api.describe_logging_configuration(FirewallArn=outputs["Firewall"])["LoggingConfiguration"]
        self.assertEqual([config["LogType"] for config in logs["LogDestinationConfigs"]], ["ALERT", "FLOW"])
        configs = logs["LogDestinationConfigs"]
        while configs:
            configs.pop(0)
            api.update_logging_configuration(
                FirewallArn=outputs["Firewall"],
                **({"LoggingConfiguration": {"LogDestinationConfigs": configs}} if configs else {}))
        self.assertNotIn("LoggingConfiguration", api.describe_logging_configuration(FirewallArn=outputs["Firewall"]))


class NestedStacks(Story):
    """Stacks in stacks."""

    def setUp(self) -> None:
        self.bucket = unique("templates")
        client("s3").create_bucket(Bucket=self.bucket)
        self.addCleanup(lambda: client("s3").delete_bucket(Bucket=self.bucket))

    def parent(self, child: dict[str, Any], note: str) -> dict[str, Any]:
        """A stack with a child."""
        key = unique("child")
        client("s3").put_object(Bucket=self.bucket, Key=key, Body=json.dumps(child))
        self.addCleanup(lambda: client("s3").delete_object(Bucket=self.bucket, Key=key))
        url = f"{os.environ['AWS_ENDPOINT_URL']}/{self.bucket}/{key}"
        return {"Resources": {"Child": resource("CloudFormation::Stack", TemplateURL=url, Parameters={"Note": note})},
                "Outputs": {"Topic": {"Value": attribute("Child", "Outputs.Topic")}}}

    def child(self, **more: Any) -> dict[str, Any]:
        """A topic, and a log group that changes with the note."""
        days = {"Ref": "Note"}
        return {
            "Parameters": {"Note": {"Type": "Number"}},
            "Resources": {"Topic": resource("SNS::Topic"), "Logs": resource("Logs::LogGroup", RetentionInDays=days),
                          **more},
            "Outputs": {"Topic": {"Value": attribute("Topic", "TopicArn")}},
        }

    def test_what_does_not_change_keeps_its_attributes(self) -> None:
        before = self.deploy(self.parent(self.child(), "7"))
        self.assertEqual(self.deploy(self.parent(self.child(), "14")), before)

    def test_what_is_replaced_goes_when_nothing_refers_to_it_any_more(self) -> None:
        def child(name: str) -> dict[str, Any]:
            rules = firewall(name)["Rules"]
            policy = firewall(unique("unused"))["Policy"]
            policy["Properties"]["FirewallPolicyName"] = self.bucket
            return self.child(Rules=rules, Policy=policy)

        self.deploy(self.parent(child(f"{self.bucket}-one"), "7"))
        self.deploy(self.parent(child(f"{self.bucket}-two"), "7"))
        names = [row["Name"] for row in client("network-firewall").list_rule_groups()["RuleGroups"]]
        self.assertEqual([name for name in names if name.startswith(self.bucket)], [f"{self.bucket}-two"])

    def test_a_child_that_fails_takes_back_what_it_made(self) -> None:
        topics = client("sns").list_topics()["Topics"]
        wrong = resource("EC2::NatGateway", "Topic", SubnetId="subnet-none", AllocationId="eipalloc-none")
        with self.assertRaises(AssertionError):
            self.deploy(self.parent(self.child(Wrong=wrong), "7"))
        self.assertEqual(client("sns").list_topics()["Topics"], topics)

    def test_a_child_that_cannot_go_is_not_forgotten(self) -> None:
        self.deploy(self.parent(self.child(Bucket=resource("S3::Bucket", BucketName=f"{self.bucket}-inner")), "7"))
        s3 = client("s3")
        s3.put_object(Bucket=f"{self.bucket}-inner", Key="model", Body=b"x")
        client("cloudformation").delete_stack(StackName=self.stack)
        self.assertEqual(self.settled()["StackStatus"], "DELETE_FAILED")
        s3.delete_object(Bucket=f"{self.bucket}-inner", Key="model")
        self.delete()
        self.assertNotIn(f"{self.bucket}-inner", [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])


class Storage(Story):
    """What MiniStack has, but not whole."""

    def test_a_table_has_all_of_its_settings(self) -> None:
        key = [{"AttributeName": "pk", "KeyType": "HASH"}]
        table = resource("DynamoDB::Table", BillingMode="PAY_PER_REQUEST", KeySchema=key,
                         AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                         TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
                         PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                         SSESpecification={"SSEEnabled": True})
        name = self.deploy({"Resources": {"Table": table}, "Outputs": {"Table": {"Value": ref("Table")}}})["Table"]
        api = client("dynamodb")
        self.assertEqual(api.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                         {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"})
        backups = api.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        self.assertEqual(backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], "ENABLED")
        self.assertEqual(api.describe_table(TableName=name)["Table"]["SSEDescription"]["Status"], "ENABLED")

    def test_a_secret_is_referred_to_by_its_arn_and_keeps_it(self) -> None:
        def template(description: str) -> dict[str, Any]:
            secret = resource("SecretsManager::Secret", Description=description,
                              GenerateSecretString={"PasswordLength": 40, "ExcludePunctuation": True})
            return {"Resources": {"Secret": secret}, "Outputs": {"Secret": {"Value": ref("Secret")}}}

        arn = self.deploy(template("one"))["Secret"]
        self.assertTrue(arn.startswith("arn:aws:secretsmanager:us-east-1:000000000000:secret:"), arn)
        self.assertEqual(self.deploy(template("two"))["Secret"], arn)
        api = client("secretsmanager")
        self.assertEqual(api.describe_secret(SecretId=arn)["Description"], "two")
        self.assertEqual(len(api.get_secret_value(SecretId=arn)["SecretString"]), 40)

    def test_a_bucket_with_something_in_it_is_not_deleted(self) -> None:
        bucket = self.deploy({"Resources": {"Bucket": resource("S3::Bucket")},
                              "Outputs": {"Bucket": {"Value": ref("Bucket")}}})["Bucket"]
        client("s3").put_object(Bucket=bucket, Key="model", Body=b"x")
        client("cloudformation").delete_stack(StackName=self.stack)
        self.assertEqual(self.settled()["StackStatus"], "DELETE_FAILED")
        self.assertIn("The bucket you tried to delete is not empty", str(self.failures()))
        client("s3").delete_object(Bucket=bucket, Key="model")


if __name__ == "__main__":
    unittest.main()
