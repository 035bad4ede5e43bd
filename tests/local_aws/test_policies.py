"""Stories about what Network Firewall refuses in a policy and in a large rule group."""

import unittest
from typing import Any

from botocore.exceptions import ClientError

from .testing import client, unique

FORWARD = {"StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"]}
STRICT = {"StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"}}
RULE = 'pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:"{}"; sid:{};)\n'


class Policies(unittest.TestCase):
    """Policies on groups of both orders."""

    def setUp(self) -> None:
        self.api = client("network-firewall")

    def group(self, order: str, rules: str = RULE.format("a.example", 1), capacity: int = 10) -> str:
        """A rule group; its ARN."""
        body = {"RulesSource": {"RulesString": rules}, "StatefulRuleOptions": {"RuleOrder": order}}
        answer = self.api.create_rule_group(RuleGroupName=unique("group"), Type="STATEFUL", Capacity=capacity,
                                            RuleGroup=body)
        arn = answer["RuleGroupResponse"]["RuleGroupArn"]
        self.addCleanup(lambda: self.api.delete_rule_group(RuleGroupArn=arn))
        return arn

    def refusal(self, **policy: Any) -> str:
        """The message that refuses a policy."""
        with self.assertRaises(ClientError) as refusal:
            self.api.create_firewall_policy(FirewallPolicyName=unique("policy"), FirewallPolicy={**FORWARD, **policy})
        self.assertEqual(refusal.exception.response["Error"]["Code"], "InvalidRequestException")
        return refusal.exception.response["Error"]["Message"]

    def test_default_actions_have_an_order_and_go_together(self) -> None:
        self.assertEqual(self.refusal(StatefulDefaultActions=["aws:drop_strict"]),
                         "StatefulDefaultActions has invalid rule order, parameter: [DEFAULT_ACTION_ORDER]")
        together = "StatefulDefaultActions cannot exist together"
        for actions in (["aws:drop_strict", "aws:drop_established"],
                        ["aws:drop_established", "aws:alert_established_app_layer_to_server"]):
            self.assertEqual(self.refusal(**STRICT, StatefulDefaultActions=actions), together)
        self.assertIn("aws:drop_everything", self.refusal(**STRICT, StatefulDefaultActions=["aws:drop_everything"]))

    def test_a_policy_and_its_groups_have_the_same_order(self) -> None:
        references = [{"ResourceArn": self.group("DEFAULT_ACTION_ORDER"), "Priority": 1}]
        self.assertEqual(self.refusal(**STRICT, StatefulRuleGroupReferences=references),
                         "ResourceArn has invalid rule order, context: StatefulRuleGroupReferences[0].ResourceArn")
        self.assertIn("Priority cannot be provided", self.refusal(StatefulRuleGroupReferences=references))
        unordered = [{"ResourceArn": self.group("STRICT_ORDER")}]
        self.assertIn("Priority cannot be null", self.refusal(**STRICT, StatefulRuleGroupReferences=unordered))

    def test_a_policy_has_at_most_twenty_groups(self) -> None:
        arn = self.group("STRICT_ORDER")
        references = [{"ResourceArn": arn, "Priority": number} for number in range(1, 22)]
        self.assertEqual(self.refusal(**STRICT, StatefulRuleGroupReferences=references),
                         "StatefulRuleGroupReferences limit exceeded")

    def test_a_dry_run_says_what_an_update_would_take_and_changes_nothing(self) -> None:
        arn = self.group("STRICT_ORDER")
        before = self.api.describe_rule_group(RuleGroupArn=arn)

        def update(rules: int, **more: Any) -> dict[str, Any]:
            body = before["RuleGroup"] | {"RulesSource": {
                "RulesString": "".join(RULE.format(f"{n}.example", n) for n in range(1, rules + 1))}}
            return self.api.update_rule_group(RuleGroupArn=arn, RuleGroup=body, **more)

        token = before["UpdateToken"]
        self.assertEqual(update(7, UpdateToken=token, DryRun=True)["RuleGroupResponse"]["ConsumedCapacity"], 7)
        with self.assertRaises(ClientError) as refusal:
            update(11, UpdateToken=token, DryRun=True)
        self.assertEqual(refusal.exception.response["Error"]["Message"],
                         "StatefulRules capacity exceeded, parameter: [11], context: RulesSource.StatefulRules")
        with self.assertRaises(self.api.exceptions.InvalidTokenException):
            update(1, UpdateToken="00000000-0000-0000-0000-000000000000", DryRun=True)
        after = self.api.describe_rule_group(RuleGroupArn=arn)
        for answer in (before, after):
            answer.pop("ResponseMetadata")
        self.assertEqual(after, before)
        # What is no dry run has a time, too.
        update(7, UpdateToken=token)
        response = self.api.describe_rule_group(RuleGroupArn=arn)["RuleGroupResponse"]
        self.assertGreater(response["LastModifiedTime"], before["RuleGroupResponse"]["LastModifiedTime"])

    def test_thousands_of_rules_are_taken_and_two_megabytes_are_not(self) -> None:
        rules = "".join(RULE.format(f"host-{number}.example", number) for number in range(1, 10_001))
        arn = self.group("STRICT_ORDER", rules, 10_000)
        response = self.api.describe_rule_group(RuleGroupArn=arn)["RuleGroupResponse"]
        self.assertEqual(response["ConsumedCapacity"], 10_000)
        with self.assertRaises(ClientError) as refusal:
            self.group("STRICT_ORDER", "# " + "x" * 2_000_000)
        self.assertIn("Member must have length less than or equal to 2000000",
                      refusal.exception.response["Error"]["Message"])


if __name__ == "__main__":
    unittest.main()
