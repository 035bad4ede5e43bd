"""What CloudFormation reports of a stack and of the stacks nested in it, as lines to read."""

from botocore.exceptions import ClientError

STACK = "AWS::CloudFormation::Stack"
# What CloudFormation says of a resource that failed only because another one did.
CONSEQUENCES = ("cancelled", "The following resource(s) failed", "Embedded stack")


class Events:
    """The events of a stack and its nested stacks, each told once, in the order in which they came."""

    def __init__(self, cloudformation):
        self.cloudformation = cloudformation
        self.root = None
        self.seen = set()
        self.failures = []
        # The stacks to be asked, and what stands before the names of their resources.
        self.stacks = {}

    def of(self, stack_id):
        self.root = stack_id
        self.stacks = {stack_id: ""}
        return self

    def skip_past(self):
        """Leaves untold what was before now."""
        self.new_lines()
        self.failures.clear()
        self.stacks = {self.root: ""}

    def new_lines(self):
        lines = []
        for stack, prefix, event in self._new_events():
            name = prefix + event["LogicalResourceId"]
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
            if status.endswith("FAILED"):
                self.failures.append((event["Timestamp"], name, status, reason))
            if event.get("PhysicalResourceId") == stack and stack != self.root:
                continue  # a nested stack of itself: its parent says the same
            at = event["Timestamp"].strftime("%H:%M:%S")
            lines.append(f"{at}  {status:28}  {name}" + (f"  {reason}" if reason else ""))
        return lines

    def first_failure(self):
        """The failure that the others follow from: the earliest, since one of a nested stack may be heard of later."""
        failures = sorted(self.failures, key=lambda entry: entry[0])
        causes = [entry for entry in failures if not any(text in entry[3] for text in CONSEQUENCES)]
        for _, name, status, reason in causes or failures:
            return f"{name}: {status}: {reason}"
        return None

    def _new_events(self):
        """Asks every stack under way, parents first; one that turns up in an answer is asked as well."""
        found, todo = [], list(self.stacks)
        for stack in todo:
            prefix = self.stacks[stack]
            for event in self._unseen(stack):
                found.append((stack, prefix, event))
                nested = event.get("PhysicalResourceId")
                if event["ResourceType"] != STACK or not nested or nested == stack:
                    continue
                if nested not in self.stacks:
                    self.stacks[nested] = f"{prefix}{event['LogicalResourceId']}/"
                    todo.append(nested)
        found.sort(key=lambda entry: entry[2]["Timestamp"])
        for _, _, event in found:
            # What has come to rest has been asked for the last time, until its parent names it again.
            if event["ResourceType"] == STACK and not event["ResourceStatus"].endswith("_IN_PROGRESS"):
                nested = event.get("PhysicalResourceId")
                if nested != self.root:
                    self.stacks.pop(nested, None)
        return found

    def _unseen(self, stack):
        """The new events of one stack, the oldest first."""
        events = []
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        try:
            for page in pages:
                new = [event for event in page["StackEvents"] if event["EventId"] not in self.seen]
                events += new
                if len(new) < len(page["StackEvents"]):
                    break
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
        self.seen.update(event["EventId"] for event in events)
        return reversed(events)
