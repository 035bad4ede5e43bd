"""Stories about functions in the local AWS: what starts them, and what they are given."""

import base64
import gzip
import json
import os
import time
import unittest
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from .testing import FunctionStory, client, eventually, unique


class Functions(FunctionStory):
    """What starts the telling function, and what it may do."""

    def test_a_function_url_gives_the_request_and_returns_the_answer(self) -> None:
        outputs = self.deploy(self.template(
            Url={"Type": "AWS::Lambda::Url", "Properties": {
                "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}, "AuthType": "NONE"}},
            Permission={"Type": "AWS::Lambda::Permission", "Properties": {
                "FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunctionUrl", "Principal": "*",
                "FunctionUrlAuthType": "NONE"}},
        ) | {"Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}}})
        host = urlparse(outputs["Url"]).netloc
        self.assertRegex(host, r"^[a-z0-9]+\.lambda-url\.us-east-1\.on\.aws$")
        text = self.post(host, b'{"a": 1}', "application/json")
        self.assertEqual((text.code, text.headers["x-told"], text.read()), (418, "yes", b'{"a": 1}'))
        self.post(host, b"\xff\x00", "application/octet-stream")
        first, second = self.told(self.function)
        self.assertEqual((first["version"], first["rawPath"], first["body"], first["isBase64Encoded"]),
                         ("2.0", "/webhook", '{"a": 1}', False))
        self.assertEqual(first["headers"]["x-egress-delivery"], "d-1")
        self.assertEqual(first["requestContext"]["http"]["method"], "POST")
        self.assertTrue(second["isBase64Encoded"])
        self.assertEqual(base64.b64decode(second["body"]), b"\xff\x00")

    def post(self, host: str, body: bytes, content_type: str) -> Any:
        """POST to a Function URL through the local endpoint."""
        request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/webhook", body, {
            "Host": host, "Content-Type": content_type, "X-Egress-Delivery": "d-1"})
        try:
            return urllib.request.urlopen(request)
        except urllib.error.HTTPError as answer:
            return answer

    def test_a_log_subscription_gives_batches(self) -> None:
        group = unique("/fw/alert")
        self.deploy(self.template(
            Group={"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group, "RetentionInDays": 30}},
            Permission=self.permission("logs.amazonaws.com"),
            Filter={"Type": "AWS::Logs::SubscriptionFilter", "DependsOn": "Permission", "Properties": {
                "LogGroupName": {"Ref": "Group"}, "FilterPattern": "",
                "DestinationArn": {"Fn::GetAtt": ["Function", "Arn"]}}},
        ))
        logs = client("logs")
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
            {"timestamp": int(time.time() * 1000), "message": '{"event": 1}'}])
        event = eventually("the function is told", lambda: self.told(self.function))[0]
        batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        self.assertEqual(batch["messageType"], "DATA_MESSAGE")
        self.assertEqual([item["message"] for item in batch["logEvents"]], ['{"event": 1}'])

    def test_an_event_on_a_bus_of_ours_starts_the_function_by_its_rule(self) -> None:
        bus = unique("bus")
        self.deploy(self.template(
            Bus={"Type": "AWS::Events::EventBus", "Properties": {"Name": bus}},
            Permission=self.permission("events.amazonaws.com"),
            Rule={"Type": "AWS::Events::Rule", "Properties": {
                "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["egress.intake"]},
                "Targets": [{"Id": "f", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]}},
        ))
        events = client("events")
        for source in ("egress.other", "egress.intake"):
            entry = {"EventBusName": bus, "Source": source, "DetailType": "T", "Detail": "{}"}
            answer = events.put_events(Entries=[entry])
            self.assertEqual(answer["FailedEntryCount"], 0)
        eventually("the function is told", lambda: self.told(self.function))
        self.assertEqual([event["source"] for event in self.told(self.function)], ["egress.intake"])

    def test_everything_on_a_second_bus_starts_the_function_and_what_another_pattern_names_does_not(self) -> None:
        everything, chosen = unique("everything"), unique("chosen")
        either = {"$or": [{"source": ["egress.requests"], "detail-type": ["A"]},
                          {"source": ["egress.intake"], "detail-type": ["B"]}]}

        def rule(bus: str, pattern: dict[str, Any]) -> dict[str, Any]:
            return {"Type": "AWS::Events::Rule", "DependsOn": "Permission", "Properties": {
                "EventBusName": {"Ref": bus}, "EventPattern": pattern,
                "Targets": [{"Id": "f", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]}}

        self.deploy(self.template(
            Permission=self.permission("events.amazonaws.com"),
            First={"Type": "AWS::Events::EventBus", "Properties": {"Name": chosen}},
            Second={"Type": "AWS::Events::EventBus", "Properties": {"Name": everything}},
            Either=rule("First", either), All=rule("Second", {"source": [{"prefix": ""}]}),
        ))
        events = client("events")
        for bus, source, kind in ((chosen, "egress.requests", "B"), (chosen, "egress.intake", "A"),
                                  (chosen, "egress.intake", "B"), (everything, "anybody", "C")):
            events.put_events(Entries=[{"EventBusName": bus, "Source": source, "DetailType": kind, "Detail": "{}"}])
        eventually("both come", lambda: len(self.told(self.function)) >= 2)
        told = {(event["source"], event["detail-type"]) for event in self.told(self.function)}
        self.assertEqual(told, {("egress.intake", "B"), ("anybody", "C")})
        # What a partner says, nobody else can: AWS keeps such sources to itself.
        partner = {"EventBusName": everything, "Source": "aws.partner/x", "DetailType": "C", "Detail": "{}"}
        answer = events.put_events(Entries=[partner])["Entries"][0]
        self.assertEqual(answer["ErrorCode"], "NotAuthorizedForSourceException")

    def test_an_event_by_a_rule_is_tried_as_the_name_says_that_the_rule_calls(self) -> None:
        def invocation(qualifier: str, attempts: int) -> dict[str, Any]:
            return {"Type": "AWS::Lambda::EventInvokeConfig", "DependsOn": "Alias", "Properties": {
                "FunctionName": {"Ref": "Function"}, "Qualifier": qualifier, "MaximumRetryAttempts": attempts,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}}}}

        def rule(kind: str, target: dict[str, Any]) -> dict[str, Any]:
            return {"Type": "AWS::Events::Rule", "Properties": {
                "EventBusName": {"Ref": "Bus"}, "EventPattern": {"detail-type": [kind]},
                "Targets": [{"Id": "f", "Arn": target, "Input": json.dumps({"fail": kind})}]}}

        outputs = self.deploy(self.template(
            Bus={"Type": "AWS::Events::EventBus", "Properties": {"Name": self.function}},
            Alias={"Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": {"Ref": "Function"}, "FunctionVersion": "$LATEST", "Name": "tick"}},
            Failed={"Type": "AWS::SQS::Queue"},
            Latest=invocation("$LATEST", 1), Tick=invocation("tick", 0),
            Permission=self.permission("events.amazonaws.com"),
            Once=rule("once", {"Ref": "Alias"}), Twice=rule("twice", {"Fn::GetAtt": ["Function", "Arn"]}),
        ) | {"Outputs": {"Failed": {"Value": {"Ref": "Failed"}}}})
        self.allow("sqs:SendMessage", "*")
        for kind in ("once", "twice"):
            entry = {"EventBusName": self.function, "Source": "any", "DetailType": kind, "Detail": "{}"}
            client("events").put_events(Entries=[entry])
        kept: list[Any] = []

        def both() -> bool:
            messages = client("sqs").receive_message(QueueUrl=outputs["Failed"], WaitTimeSeconds=1).get("Messages", [])
            kept.extend(json.loads(message["Body"])["requestPayload"]["fail"] for message in messages)
            return len(kept) == 2

        eventually("both are kept", both)
        self.assertEqual(kept, ["once", "twice"])
        self.assertEqual(sorted(event["fail"] for event in self.told(self.function)), ["once", "twice", "twice"])

    def test_a_failing_event_is_tried_again_and_then_kept(self) -> None:
        outputs = self.deploy(self.template(
            Failed={"Type": "AWS::SQS::Queue"},
            Invocation={"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {
                "FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 1,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}}}},
        ) | {"Outputs": {"Failed": {"Value": {"Ref": "Failed"}}}})
        self.allow("sqs:SendMessage", "*")
        client("lambda").invoke(FunctionName=self.function, InvocationType="Event", Payload=b'{"fail": true}')
        message = eventually("the event is kept", lambda: client("sqs").receive_message(
            QueueUrl=outputs["Failed"], WaitTimeSeconds=1).get("Messages"))[0]
        self.assertEqual(json.loads(message["Body"])["requestPayload"], {"fail": True})
        self.assertEqual(len(self.told(self.function)), 2)

    def test_a_function_may_do_what_its_role_may_and_no_more(self) -> None:
        self.deploy(self.template())
        api = client("network-firewall")
        rules = 'drop udp any any -> any 443 (sid:1;)'
        for name in ("mine", "other"):
            arn = api.create_rule_group(RuleGroupName=f"{name}-{self.function}", Type="STATEFUL", Capacity=1,
                                        Rules=rules)["RuleGroupResponse"]["RuleGroupArn"]
            self.addCleanup(lambda arn=arn: api.delete_rule_group(RuleGroupArn=arn))
        mine = f"arn:aws:network-firewall:us-east-1:000000000000:stateful-rulegroup/mine-{self.function}"
        other = mine.replace("/mine-", "/other-")

        def call(operation: str, **arguments: Any) -> str:
            return self.call("network-firewall", operation, **arguments)

        self.assertEqual(call("describe_rule_group", RuleGroupArn=mine), "AccessDeniedException")
        self.allow("network-firewall:DescribeRuleGroup", mine)
        self.assertEqual(call("describe_rule_group", RuleGroupArn=mine), "ok")
        self.assertEqual(call("describe_rule_group", RuleGroupName=f"mine-{self.function}", Type="STATEFUL"), "ok")
        self.assertEqual(call("describe_rule_group", RuleGroupArn=other), "AccessDeniedException")
        self.assertEqual(call("delete_rule_group", RuleGroupArn=mine), "AccessDeniedException")

    def test_a_role_may_be_held_to_one_firewall_and_its_policy(self) -> None:
        self.deploy(self.template())
        prefix = "arn:aws:network-firewall:us-east-1:000000000000"
        filters = [{"DestinationPort": "443"}]
        operation = {"FlowOperationId": "00000000-0000-0000-0000-000000000000"}
        for name, kind, argument, more in (
            ("describe_firewall", "firewall", "FirewallArn", {}),
            ("describe_logging_configuration", "firewall", "FirewallArn", {}),
            ("start_flow_flush", "firewall", "FirewallArn", {"FlowFilters": filters}),
            ("describe_flow_operation", "firewall", "FirewallArn", operation),
            ("describe_firewall_policy", "firewall-policy", "FirewallPolicyArn", {}),
        ):
            mine, other = (f"{prefix}:{kind}/{whose}-{self.function}" for whose in ("mine", "other"))
            action = "network-firewall:" + "".join(word.title() for word in name.split("_"))

            def call(arn: str) -> str:
                return self.call("network-firewall", name, **{argument: arn}, **more)

            self.assertEqual(call(mine), "AccessDeniedException", name)
            self.allow(action, mine)
            # Who may ask is told that there is none.
            self.assertEqual((call(mine), call(other)), ("ResourceNotFoundException", "AccessDeniedException"), name)

    def test_a_role_may_be_held_to_a_source_of_events_and_to_some_items(self) -> None:
        self.deploy(self.template(
            Bus={"Type": "AWS::Events::EventBus", "Properties": {"Name": self.function}},
            Table={"Type": "AWS::DynamoDB::Table", "Properties": {
                "TableName": self.function, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}},
        ))
        self.allow("events:PutEvents", "*", {"StringEquals": {"events:source": "egress.intake"}})
        for source, answer in (("egress.intake", "ok"), ("egress.requests", "AccessDeniedException")):
            entry = {"EventBusName": self.function, "Source": source, "DetailType": "T", "Detail": "{}"}
            self.assertEqual(self.call("events", "put_events", Entries=[entry]), answer)
        leading = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["alert#*"]}}
        self.allow("dynamodb:PutItem", "*", leading)
        self.allow("dynamodb:Query", "*", leading)
        query = {"KeyConditionExpression": "#p = :p", "ExpressionAttributeNames": {"#p": "pk"}}
        for key, answer in (("alert#1", "ok"), ("request#1", "AccessDeniedException")):
            put = {"TableName": self.function, "Item": {"pk": {"S": key}}}
            self.assertEqual(self.call("dynamodb", "put_item", **put), answer)
            self.assertEqual(self.call("dynamodb", "transact_write_items", TransactItems=[{"Put": put}]), answer)
            values = {":p": {"S": key}}
            asked = self.call("dynamodb", "query", TableName=self.function, ExpressionAttributeValues=values, **query)
            self.assertEqual(asked, answer)

    def test_a_role_may_be_held_to_a_product_of_security_hub_which_refuses_one_finding_at_a_time(self) -> None:
        self.deploy(self.template())
        product = "arn:aws:securityhub:us-east-1:000000000000:product/000000000000/default"
        good = {
            "SchemaVersion": "2018-10-08", "Id": self.function, "ProductArn": product, "GeneratorId": "stories",
            "AwsAccountId": "000000000000", "CreatedAt": "2026-05-14T09:16:00.500Z", "Title": "A title",
            "UpdatedAt": "2026-05-14T09:16:00.500Z", "Description": "A story.",
            "FindingProviderFields": {"Severity": {"Label": "LOW"}, "Types": ["Unusual Behaviors/User"]},
            "Resources": [{"Type": "Other", "Id": "somebody"}],
        }

        def call(finding: dict[str, Any]) -> str:
            return self.call("securityhub", "batch_import_findings", Findings=[finding])

        self.assertEqual(call(good), "AccessDeniedException")
        self.allow("securityhub:BatchImportFindings", product)
        self.assertEqual(call(good), "ok")
        self.assertEqual(call(good | {"ProductArn": product.replace("default", "other")}), "AccessDeniedException")
        self.assertIn(good, client("securityhub").get_findings()["Findings"])

        bad = [good | {"Id": str(number), **wrong} for number, wrong in enumerate((
            {"Title": "x" * 257}, {"CreatedAt": "today"}, {"FindingProviderFields": {}}, {"AwsAccountId": "1"},
            {"FindingProviderFields": good["FindingProviderFields"] | {"Types": ["Bad Behaviors"]}},
        ))]
        answer = client("securityhub").batch_import_findings(Findings=[good, *bad])
        self.assertEqual((answer["SuccessCount"], answer["FailedCount"]), (1, len(bad)))
        self.assertEqual([failed["Id"] for failed in answer["FailedFindings"]], [one["Id"] for one in bad])

    def test_each_item_of_a_transaction_is_held_against_its_own_action(self) -> None:
        self.deploy(self.template(Table={"Type": "AWS::DynamoDB::Table", "Properties": {
            "TableName": self.function, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}}))
        self.allow("dynamodb:PutItem", "*", {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["request#*"]}})
        self.allow("dynamodb:DeleteItem", "*", {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["live"]}})

        def both(put: str, deleted: str) -> str:
            return self.call("dynamodb", "transact_write_items", TransactItems=[
                {"Put": {"TableName": self.function, "Item": {"pk": {"S": put}}}},
                {"Delete": {"TableName": self.function, "Key": {"pk": {"S": deleted}}}}])

        self.assertEqual(both("request#1", "live"), "ok")
        self.assertEqual(both("request#1", "request#2"), "AccessDeniedException")
        self.assertEqual(both("live", "live"), "AccessDeniedException")

    def test_a_bus_refuses_all_but_one_role_even_root(self) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "events:PutEvents",
                "Resource": {"Fn::GetAtt": ["Bus", "Arn"]},
                "Condition": {"ForAnyValue:StringEquals": {"events:source": "egress.intake"},
                              "ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["Role", "Arn"]}}}}
        self.deploy(self.template(
            Bus={"Type": "AWS::Events::EventBus", "Properties": {"Name": self.function}},
            Policy={"Type": "AWS::Events::EventBusPolicy", "Properties": {
                "EventBusName": {"Ref": "Bus"}, "StatementId": "only", "Statement": deny}},
        ))
        self.allow("events:PutEvents", "*")

        def entry(source: str) -> dict[str, str]:
            return {"EventBusName": self.function, "Source": source, "DetailType": "T", "Detail": "{}"}

        self.assertEqual(self.call("events", "put_events", Entries=[entry("egress.intake")]), "ok")
        root = client("events")
        root.put_events(Entries=[entry("somebody")])
        for entries in ([entry("egress.intake")], [entry("somebody"), entry("egress.intake")]):
            with self.assertRaises(ClientError) as refusal:
                root.put_events(Entries=entries)
            self.assertEqual(refusal.exception.response["Error"]["Code"], "AccessDeniedException")

    def test_a_topic_that_asks_for_encryption_takes_what_a_role_may_publish(self) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": {"Ref": "Topic"},
                "Condition": {"Bool": {"aws:SecureTransport": False}}}
        outputs = self.deploy(self.template(
            Topic={"Type": "AWS::SNS::Topic"},
            Policy={"Type": "AWS::SNS::TopicPolicy", "Properties": {
                "Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [deny]}}},
        ) | {"Outputs": {"Topic": {"Value": {"Ref": "Topic"}}}})
        publish = {"TopicArn": outputs["Topic"], "Message": "a message"}
        self.assertEqual(self.call("sns", "publish", **publish), "AuthorizationError")
        self.allow("sns:Publish", outputs["Topic"])
        self.assertEqual(self.call("sns", "publish", **publish), "ok")

    def test_a_role_may_read_one_secret_and_no_other(self) -> None:
        text = json.dumps({"jira": "one", "github": "two"})
        secrets = {name: {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": text}}
                   for name in ("Mine", "Other")}
        outputs = self.deploy(self.template(**secrets) | {
            "Outputs": {name: {"Value": {"Ref": name}} for name in secrets}})
        self.allow("secretsmanager:GetSecretValue", outputs["Mine"])
        for name, answer in (("Mine", "ok"), ("Other", "AccessDeniedException")):
            self.assertEqual(self.call("secretsmanager", "get_secret_value", SecretId=outputs[name]), answer)
        read = client("secretsmanager").get_secret_value(SecretId=outputs["Mine"])["SecretString"]
        self.assertEqual(json.loads(read), json.loads(text))

    def test_a_topic_gives_to_a_queue(self) -> None:
        allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                 "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
        outputs = self.deploy({
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
                    "Queues": [{"Ref": "Queue"}],
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow]}}},
                "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": [
                    {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}]}},
            },
            "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}, "Topic": {"Value": {"Ref": "Topic"}}},
        })
        client("sns").publish(TopicArn=outputs["Topic"], Subject="a subject", Message="a message")
        message = eventually("the queue has it", lambda: client("sqs").receive_message(
            QueueUrl=outputs["Queue"], WaitTimeSeconds=1).get("Messages"))[0]
        self.assertEqual(json.loads(message["Body"])["Message"], "a message")

    def test_a_schedule_starts_the_function(self) -> None:
        self.deploy(self.template(
            Permission=self.permission("events.amazonaws.com"),
            Rule={"Type": "AWS::Events::Rule", "Properties": {
                "ScheduleExpression": "rate(1 minute)",
                "Targets": [{"Id": "f", "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                             "Input": '{"source": "egress.clock", "detail-type": "Tick"}'}]}},
        ))
        event = eventually("the clock ticks", lambda: self.told(self.function))[0]
        self.assertEqual(event, {"source": "egress.clock", "detail-type": "Tick"})


if __name__ == "__main__":
    unittest.main()
