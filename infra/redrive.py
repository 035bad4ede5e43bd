#!/usr/bin/env python3
"""Sends what lies in the stack's dead-letter queues to where it came from.

A channel's messages go back into its queue. SQS has a call for that, StartMessageMoveTask, also for FIFO queues,
and it isn't used: it takes only what came out of another queue, so that the functions' dead letters would need
another way all the same; it tells how many it has moved about when it is asked again and again, and not which; and
it says nothing of the deduplication ids that it sends, by which a message can be accepted and never come.

What lies in the dead letters of a function is what the function was given, in `requestPayload`, where Lambda has
put it there, or as it is, where EventBridge has. The function is invoked with it. But for lines of the firewall's
log that the function `alerts` could not read, and has kept there itself: the rest of their batch is worked off, so
they are for people, and stay.

Nothing is deleted that was not accepted first. A run that is broken off may have sent something twice; nothing is
done twice, since every event carries an id that the functions remember.
"""

import argparse
import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stack import Problem, client, describe

# Those that EventBridge or the log invokes, and those that a queue feeds.
FUNCTIONS = ("requests", "alerts", "notify", "intake-partner")
CHANNELS = ("slack", "teams", "tickets", "topics")
# How long nobody else gets what is being sent, in seconds: of a batch of ten, some seconds for each.
HELD = 120
# What an asynchronous invocation answers.
ACCEPTED = 202


def main():
    options = arguments()
    try:
        project = project_name(options.stack_name)
        queues = list(dead_letters(project))
        if not queues:
            raise Problem(f"the project {project} has no dead-letter queues in this account and Region")
        left = sum(report(queue, options.dry_run) for queue in queues)
    except Problem as problem:
        sys.exit(f"redrive: {problem}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"redrive: AWS answers: {error}")
    except KeyboardInterrupt:
        sys.exit("\nredrive: interrupted; what was not sent is still there")
    if left:
        sys.exit(f"redrive: {left} could not be sent, and stay where they were")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stack-name", required=True)
    parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
    return parser.parse_args()


def project_name(stack_name):
    stack = describe(client(), stack_name)
    if not stack:
        raise Problem(f"there is no stack {stack_name} in this account and Region")
    parameters = {entry["ParameterKey"]: entry.get("ParameterValue") for entry in stack.get("Parameters", [])}
    if not parameters.get("ProjectName"):
        raise Problem(f"the stack {stack_name} has no parameter ProjectName: it is not one of ours")
    return parameters["ProjectName"]


def dead_letters(project):
    """Those that are there: channels, and the partner's function, are there only when they are set up."""
    sqs = boto3.client("sqs")
    ways = [(f"{project}-{name}-dead-letters", to_function(f"{project}-{name}")) for name in FUNCTIONS]
    for channel in CHANNELS:
        source = f"{project}-notify-{channel}"
        ways.append((f"{source}-dead-letters.fifo", to_queue(sqs, f"{source}.fifo")))
    for name, send in ways:
        url = queue_url(sqs, name)
        if url:
            yield DeadLetters(sqs, name, url, send)


def queue_url(sqs, name):
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return None


def report(queue, dry_run):
    """Works one queue off, says what became of it, and answers how many could not be sent."""
    waiting, held = queue.count()
    line = f"{queue.name}: {waiting} waiting" + (f", {held} that somebody is looking at" if held else "")
    if dry_run or not waiting:
        print(line, flush=True)
        return 0
    sent, refused = queue.send_all(waiting)
    print(f"{line}, {sent} sent" + (f", {len(refused)} not" if refused else ""), flush=True)
    for message_id, reason in refused.items():
        print(f"  {message_id}: {reason}", flush=True)
    return len(refused)


class DeadLetters:
    """One queue of dead letters, and how a message of it is sent again."""

    def __init__(self, sqs, name, url, send):
        self.sqs = sqs
        self.name = name
        self.url = url
        self.send = send

    def count(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    def send_all(self, limit):
        """Sends `limit` messages at most, as many as lay here at the start: what fails again comes back, and with
        it there would be no end. Answers how many were sent, and for each that was not, why.
        """
        sent, refused, handles, stuck = 0, {}, {}, {}
        try:
            while sent + len(refused) < limit:
                messages = self.receive(min(10, limit - sent - len(refused)))
                if not messages:
                    break
                for message in messages:
                    message_id, group = message["MessageId"], message["Attributes"].get("MessageGroupId")
                    # What follows in a group must not overtake what could not be sent.
                    reason = f"waits for {stuck[group]}" if group in stuck else self.try_to_send(message)
                    if reason is None:
                        sent += 1
                        continue
                    refused.setdefault(message_id, reason)
                    handles[message_id] = message["ReceiptHandle"]
                    if group:
                        stuck.setdefault(group, message_id)
        finally:
            self.let_go(handles.values())
        return sent, refused

    def receive(self, count):
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=count, WaitTimeSeconds=1, VisibilityTimeout=HELD,
            MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def try_to_send(self, message):
        """Sends a message and deletes it, or answers why it was not sent."""
        try:
            self.send(message)
        except (Problem, BotoCoreError, ClientError) as error:
            return str(error)
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return None

    def let_go(self, handles):
        """Shows what was not sent to others at once: the alarm counts only what can be seen."""
        for handle in handles:
            try:
                self.sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=0)
            except (self.sqs.exceptions.MessageNotInflight, self.sqs.exceptions.ReceiptHandleIsInvalid):
                continue  # it can be seen already: sending the others took longer than it was held


def to_queue(sqs, name):
    """Puts a message back into the queue that it came from, into its group."""
    def send(message):
        url = queue_url(sqs, name)
        if not url:
            raise Problem(f"there is no queue {name}")
        sqs.send_message(
            QueueUrl=url, MessageBody=message["Body"], MessageGroupId=message["Attributes"]["MessageGroupId"],
            # With the id of its first sending it would be accepted and thrown away, were that not five minutes ago
            # yet. The message's own id is new each time that it is sent, and the same for as long as it lies here:
            # it comes back once, though a run is broken off between sending and deleting.
            MessageDeduplicationId=f"redrive-{message['MessageId']}",
            MessageAttributes=message.get("MessageAttributes", {}),
        )
    return send


def to_function(name):
    """Invokes a function with what it was given, and doesn't wait for what comes of it."""
    functions = boto3.client("lambda")

    def send(message):
        try:
            body = json.loads(message["Body"])
        except ValueError as error:
            raise Problem(f"this is no event: {error}") from error
        if isinstance(body, dict) and "unreadable" in body:
            raise Problem(unreadable(body["unreadable"]))
        event = body["requestPayload"] if isinstance(body, dict) and "requestPayload" in body else body
        answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())
        if answer["StatusCode"] != ACCEPTED:
            raise Problem(f"{name} answered {answer['StatusCode']}")
    return send


def unreadable(kept):
    """What a letter is that the function `alerts` has written: `{"batch", "log_stream", "lines": […], "more"}`."""
    lines = len(kept.get("lines", [])) + kept.get("more", 0)
    return (
        f"this is no event: lines of the firewall's log that could not be read, {lines} of them, of the log stream "
        f"{kept.get('log_stream')}. Look at them (and tell the project of their shape), then delete this message"
    )


if __name__ == "__main__":
    main()
