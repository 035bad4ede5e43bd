"""Stories about `make redrive` (infra/redrive.py): what lies in dead letters goes to where it came from, once."""

import json
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from .testing import FunctionStory, client, eventually, unique

REDRIVE = Path(__file__).parents[2] / "infra" / "redrive.py"


class Redrive(FunctionStory):
    """A project with a channel and a function, which is the telling one, and with dead letters of a second function."""

    def setUp(self) -> None:
        self.project = unique("project")
        super().setUp()
        self.function = f"{self.project}-requests"
        self.sqs = client("sqs")

    def start(self, without: tuple[str, ...] = ()) -> None:
        """Deploy it, or all but some."""
        def queue(name: str, **properties: Any) -> dict[str, Any]:
            return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": f"${{ProjectName}}-{name}"}}
                    | properties}

        redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["ChannelDead", "Arn"]}, "maxReceiveCount": 1}
        template = self.template(
            Channel=queue("notify-slack.fifo", FifoQueue=True, VisibilityTimeout=0, RedrivePolicy=redrive),
            ChannelDead=queue("notify-slack-dead-letters.fifo", FifoQueue=True),
            RequestsDead=queue("requests-dead-letters"),
            AlertsDead=queue("alerts-dead-letters"),
        )
        for name in without:
            del template["Resources"][name]
        template["Parameters"] = {"ProjectName": {"Type": "String"}}
        template["Outputs"] = {name: {"Value": {"Ref": name}} for name in template["Resources"]}
        self.urls = self.deploy(template, {"ProjectName": self.project})

    def redrive(self, *options: str) -> tuple[int, str]:
        """Run it: its exit code, and what it says."""
        command = [sys.executable, REDRIVE, "--stack-name", self.stack, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).replace(f"{self.project}-", "")

    def said(self, name: str, group: str) -> None:
        """Send a message into the channel's queue."""
        self.sqs.send_message(QueueUrl=self.urls["Channel"], MessageBody=name, MessageGroupId=group,
                              MessageDeduplicationId=name)

    def dead(self, name: str, group: str) -> None:
        """Send a message straight into the channel's dead letters."""
        self.sqs.send_message(QueueUrl=self.urls["ChannelDead"], MessageBody=name, MessageGroupId=group,
                              MessageDeduplicationId=name)

    def failed(self, queue: str, body: Any) -> None:
        """Put something into a function's dead letters."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.urls[queue], MessageBody=text)

    def read(self, queue: str = "Channel") -> list[tuple[str, str]]:
        """Receive what is in a FIFO queue, in order: text and group."""
        messages = self.sqs.receive_message(QueueUrl=self.urls[queue], MaxNumberOfMessages=10, VisibilityTimeout=0,
                                            MessageSystemAttributeNames=["All"]).get("Messages", [])
        return [(message["Body"], message["Attributes"]["MessageGroupId"]) for message in messages]

    def left(self, queue: str) -> int:
        """How many can be seen in a queue."""
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=[name])["Attributes"][name])

    def test_what_a_channel_could_not_deliver_goes_back_as_often_as_it_fails(self) -> None:
        # Given three messages that were tried as often as may be, all within the five minutes of deduplication,
        self.start()
        sent = [("a1", "a"), ("a2", "a"), ("b1", "b")]
        for name, group in sent:
            self.said(name, group)
        for _ in range(2):
            self.assertEqual(self.read(), sent)
            self.assertEqual(self.read(), [])
            self.assertEqual(self.left("ChannelDead"), 3)
            # when they are sent again, they are in the channel's queue once more, in their order and groups.
            self.assertEqual(self.redrive(), (0, (
                "requests-dead-letters: 0 waiting\n"
                "alerts-dead-letters: 0 waiting\n"
                "notify-slack-dead-letters.fifo: 3 waiting, 3 sent\n")))
            self.assertEqual(self.left("ChannelDead"), 0)
        self.assertEqual(self.read(), sent)

    def test_a_function_is_invoked_with_what_it_was_given(self) -> None:
        # Given what Lambda keeps of an event, and what EventBridge keeps of one that it could not hand over,
        self.start()
        self.failed("RequestsDead", {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {"n": 1}})
        self.failed("RequestsDead", {"source": "egress.intake", "detail": {"n": 2}})
        # when they are sent again, the function has both, as they were.
        self.assertIn("requests-dead-letters: 2 waiting, 2 sent\n", self.redrive()[1])
        told = eventually("the function has both", lambda: (all_told := self.told(self.function))[1:] and all_told)
        self.assertCountEqual(told, [{"n": 1}, {"source": "egress.intake", "detail": {"n": 2}}])
        self.assertEqual(self.left("RequestsDead"), 0)

    def test_a_dry_run_counts_and_moves_nothing(self) -> None:
        self.start()
        self.failed("RequestsDead", {"n": 1})
        self.dead("a1", "a")
        self.assertEqual(self.redrive("--dry-run"), (0, (
            "requests-dead-letters: 1 waiting\n"
            "alerts-dead-letters: 0 waiting\n"
            "notify-slack-dead-letters.fifo: 1 waiting\n")))
        self.assertEqual((self.left("RequestsDead"), self.left("ChannelDead")), (1, 1))
        self.assertEqual(self.told(self.function), [])

    def test_what_can_t_be_sent_stays_and_is_named_and_the_rest_goes(self) -> None:
        # Given dead letters of a function that is not there, one that is no event, and one that is fine,
        self.start()
        self.failed("AlertsDead", {"n": 1})
        self.failed("RequestsDead", "no event")
        self.failed("RequestsDead", {"n": 2})
        code, said = self.redrive()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"requests-dead-letters: 2 waiting, 1 sent, 1 not\n  [0-9a-f-]+: this is no event: ")
        self.assertRegex(said, r"alerts-dead-letters: 1 waiting, 0 sent, 1 not\n  [0-9a-f-]+: .*Function not found")
        self.assertTrue(said.endswith("redrive: 2 could not be sent, and stay where they were\n"), said)
        # they can be seen by whoever looks next, the alarm too.
        self.assertEqual((self.left("RequestsDead"), self.left("AlertsDead")), (1, 1))

    def test_lines_that_could_not_be_read_stay_and_are_said_to_be_that(self) -> None:
        # Given what the function `alerts` has kept for people to look at,
        self.start()
        lines = [{"id": "1", "reason": "it is not JSON", "line": "?"}, {"id": "2", "reason": "it has no `event`", "line": "{}"}]
        kept = {"batch": "b", "log_stream": "alert/demo_2026-05-14-09", "lines": lines, "more": 40}
        self.failed("AlertsDead", {"unreadable": kept})
        self.failed("RequestsDead", {"n": 1})
        # when the rest is sent again, it is left where it is, and nobody is invoked with it.
        code, said = self.redrive()
        self.assertEqual(code, 1)
        self.assertIn("requests-dead-letters: 1 waiting, 1 sent\n", said)
        self.assertRegex(said, r"alerts-dead-letters: 1 waiting, 0 sent, 1 not\n  [0-9a-f-]+: this is no event: "
                               r"lines of the firewall's log that could not be read, 42 of them, of the log stream "
                               r"alert/demo_2026-05-14-09\. ")
        self.assertEqual(self.left("AlertsDead"), 1)

    def test_nothing_overtakes_in_a_group_what_can_t_be_sent(self) -> None:
        # Given a channel that is taken away, and its dead letters are not,
        self.start(without=("Channel",))
        for name, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
            self.dead(name, group)
        code, said = self.redrive()
        self.assertEqual(code, 1)
        self.assertIn("notify-slack-dead-letters.fifo: 3 waiting, 0 sent, 3 not", said)
        self.assertEqual(said.count("there is no queue notify-slack.fifo"), 2, said)
        self.assertEqual(said.count(": waits for "), 1, said)
        self.assertEqual(self.read("ChannelDead"), [("a1", "a"), ("a2", "a"), ("b1", "b")])

    def test_a_stack_that_is_not_there_is_named(self) -> None:
        self.stack = unique("nobody")
        self.assertEqual(self.redrive(), (1, (
            f"redrive: there is no stack {self.stack} in this account and Region\n")))


if __name__ == "__main__":
    unittest.main()
