"""Stories about queues in the local AWS: their order, their dead letters, and the functions that they feed."""

import json
import unittest
from typing import Any

from .testing import ROLE, FunctionStory, client, eventually, unique

COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class Queues(FunctionStory):
    """The telling function, fed by a FIFO queue; each message says what becomes of it (fixtures/tell.py)."""

    def fed(self, actions: str | list[str] = "sqs:*", **properties: Any) -> dict[str, Any]:
        """A template with the function, its queue, that one's dead letters, and the mapping between."""
        dead_letters = {"QueueName": f"{self.function}-dead-letters.fifo", "FifoQueue": True, "RedriveAllowPolicy": {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [{"Fn::Sub": f"arn:aws:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{self.function}.fifo"}]}}
        queue = {"QueueName": f"{self.function}.fifo", "FifoQueue": True, "VisibilityTimeout": 360, "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": 3}}
        template = self.template(
            DeadLetters={"Type": "AWS::SQS::Queue", "Properties": dead_letters},
            Queue={"Type": "AWS::SQS::Queue", "Properties": queue | properties},
            Work={"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "FunctionName": {"Ref": "Function"},
                "BatchSize": 1, "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 5}}},
        )
        resources = template["Resources"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
        role = resources["Role"]["Properties"] | {"Policies": [*ROLE["Properties"]["Policies"], {
            "PolicyName": "queue", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}]}
        resources["Role"] = {"Type": "AWS::IAM::Role", "Properties": role}
        resources["Function"]["Properties"]["Environment"] = {"Variables": {"QUEUE_URL": {"Ref": "Queue"}}}
        template["Outputs"] = {name: {"Value": {"Ref": name}} for name in ("Queue", "DeadLetters", "Work")}
        return template

    def start(self) -> None:
        """Deploy it all."""
        self.outputs = self.deploy(self.fed())
        self.sqs = client("sqs")

    def send(self, name: str, group: str = "a", **wanted: Any) -> str:
        """Send a message, whose name is its deduplication id, too; its id."""
        body = json.dumps({"name": name, **wanted})
        return self.sqs.send_message(QueueUrl=self.outputs["Queue"], MessageBody=body, MessageGroupId=group,
                                     MessageDeduplicationId=name)["MessageId"]

    def names(self) -> list[str]:
        """The names of the messages that the function was given, in order."""
        return [json.loads(event["Records"][0]["body"])["name"] for event in self.told(self.function)]

    def counts(self, queue: str = "Queue") -> tuple[int, ...]:
        """How many messages can be seen, and how many are being worked on."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=COUNTS)["Attributes"]
        return tuple(int(found[name]) for name in COUNTS)

    def test_a_message_is_given_to_the_function_and_goes_when_it_is_taken(self) -> None:
        self.start()
        identity = self.send("one")
        record = eventually("the function is told", lambda: self.told(self.function))[0]["Records"][0]
        self.assertEqual((record["messageId"], record["eventSource"]), (identity, "aws:sqs"))
        self.assertTrue(record["eventSourceARN"].endswith(f":{self.function}.fifo"))
        self.assertEqual({key: record["attributes"][key] for key in (
            "MessageGroupId", "MessageDeduplicationId", "ApproximateReceiveCount")},
            {"MessageGroupId": "a", "MessageDeduplicationId": "one", "ApproximateReceiveCount": "1"})
        eventually("it goes", lambda: self.counts() == (0, 0))
        # The same again is accepted, and not delivered.
        self.assertEqual(self.send("one"), identity)
        self.send("two")
        eventually("the next comes", lambda: "two" in self.names())
        self.assertEqual(self.names(), ["one", "two"])

    def test_a_failed_message_comes_again_when_the_function_said_and_holds_up_its_own_group_alone(self) -> None:
        # Given a message that fails twice, and each time wants to be seen again after a second, not after six minutes,
        self.start()
        self.send("a1", failures=2, visible=1)
        self.send("a2")
        self.send("b1", group="b")
        # then what follows in its group waits for it, and the other group doesn't.
        eventually("all are told", lambda: len(self.names()) == 5)
        names = self.names()
        self.assertEqual([name for name in names if name[0] == "a"], ["a1", "a1", "a1", "a2"])
        self.assertLess(names.index("b1"), 3)
        eventually("all go", lambda: self.counts() == (0, 0))

    def test_groups_are_worked_on_at_the_same_time(self) -> None:
        self.start()
        self.send("a1", waits_for_others=True)
        self.send("b1", group="b")
        eventually("both are told", lambda: sorted(self.names()) == ["a1", "b1"])

    def test_what_fails_too_often_goes_to_the_dead_letters_and_its_group_goes_on(self) -> None:
        self.start()
        identity = self.send("a1", failures=9, visible=0)
        self.send("a2")
        # The last try gives it back before it ends, so that the log may have the next before it.
        eventually("the next is told", lambda: len(self.names()) == 4)
        self.assertEqual(sorted(self.names()), ["a1", "a1", "a1", "a2"])
        message = eventually("it is kept", lambda: self.sqs.receive_message(
            QueueUrl=self.outputs["DeadLetters"], MessageSystemAttributeNames=["All"]).get("Messages"))[0]
        self.assertEqual(message["MessageId"], identity)
        attributes = message["Attributes"]
        self.assertEqual((attributes["MessageGroupId"], attributes["MessageDeduplicationId"]), ("a", identity))
        self.assertTrue(attributes["DeadLetterQueueSourceArn"].endswith(f":{self.function}.fifo"))

    def test_an_answer_that_can_t_be_read_is_a_failure_and_none_is_not(self) -> None:
        self.start()
        unread = ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"batchItemFailures": [{"id": "x"}]},
                  {"batchItemFailures": [{"itemIdentifier": "nobody"}]}, "text")
        for number, answer in enumerate(unread):
            self.send(f"failure-{number}", group=f"failure-{number}", answer=answer)
        for number, answer in enumerate((None, {}, {"batchItemFailures": None}, {"batchItemFailures": []})):
            self.send(f"success-{number}", group=f"success-{number}", answer=answer)
        eventually("all are told", lambda: len(self.names()) == 8)
        eventually("those that were read are gone", lambda: self.counts() == (0, len(unread)))

    def test_a_mapping_needs_a_role_that_may(self) -> None:
        self.refused(self.fed(actions=["sqs:ReceiveMessage", "sqs:DeleteMessage"]),
                     "The provided execution role does not have permissions to call GetQueueAttributes on SQS")

    def test_a_mapping_needs_a_queue_that_waits_as_long_as_the_function_may_work(self) -> None:
        self.refused(self.fed(VisibilityTimeout=10),
                     "Queue visibility timeout: 10 seconds is less than Function timeout: 20 seconds")

    def test_dead_letters_are_only_of_queues_that_they_name(self) -> None:
        other = f"{self.function}-other.fifo"
        self.refused(self.fed(QueueName=other),
                     f"Dead-letter target {self.function}-dead-letters.fifo doesn't allow {other} as its source.")

    def test_dead_letters_are_of_one_kind_with_their_queue(self) -> None:
        self.refused(self.fed(QueueName=self.function, FifoQueue=False),
                     "Dead-letter target must be same type of queue as the source.")

    def refused(self, template: dict[str, Any], reason: str) -> None:
        """That a stack isn't created, and why."""
        with self.assertRaises(AssertionError):
            self.deploy(template)
        self.assertIn(reason, "\n".join(self.failures()))

    def test_nothing_is_left_of_a_mapping_that_is_deleted(self) -> None:
        self.start()
        functions = client("lambda")
        mapping = functions.get_event_source_mapping(UUID=self.outputs["Work"])
        self.assertEqual((mapping["BatchSize"], mapping["FunctionResponseTypes"], mapping["ScalingConfig"]),
                         (1, ["ReportBatchItemFailures"], {"MaximumConcurrency": 5}))
        self.delete()
        found = functions.list_event_source_mappings()["EventSourceMappings"]
        self.assertNotIn(self.outputs["Work"], [row["UUID"] for row in found])
        queues = client("sqs").list_queues(QueueNamePrefix=self.function)
        self.assertEqual(queues.get("QueueUrls", []), [])


if __name__ == "__main__":
    unittest.main()
