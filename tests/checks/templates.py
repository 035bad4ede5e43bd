"""`python -m checks.templates CHECKOV`: what checkov and the rules here find in the templates, but for what
`explained.yaml` explains. An explanation of what isn't found any more is a finding, too.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import yaml

from .statements import TEMPLATES, Statement, identity_statements, templates

EXPLAINED = Path(__file__).with_name("explained.yaml")
# Those of the role that notebooks and jobs have: what is said there of functions is not said of people.
OF_NOTEBOOKS = ("identity.yaml", "spaces.yaml")


@dataclass(frozen=True, order=True)
class Finding:
    """Something that has to be put right, or explained."""

    rule: str
    place: str
    what: str


def of_checkov(program: str) -> Iterator[Finding]:
    """What checkov finds in the templates, and what looks like a secret beside them. It asks nobody on the network."""
    command = [program, "--directory", str(TEMPLATES), "--framework", "cloudformation", "secrets", "--output", "json",
               "--compact", "--skip-download"]
    run = subprocess.run(command, capture_output=True, text=True, check=False,
                         env={**os.environ, "LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"})
    try:
        said = json.loads(run.stdout)
        reports = {report["check_type"]: report for report in (said if isinstance(said, list) else [said])}
        summary = reports["cloudformation"]["summary"]
        failed = [check for report in reports.values() for check in report["results"]["failed_checks"]]
    except (ValueError, KeyError, TypeError) as error:
        sys.exit(f"checkov has not reported ({error!r}): {run.stdout[-2000:]}{run.stderr[-2000:]}")
    resources = sum(len(template["Resources"]) for _, template in templates())
    if summary["parsing_errors"] or summary["resource_count"] < resources / 2:
        sys.exit(f"checkov has not read all of {resources} resources: {summary}")
    for check in failed:
        kind, _, name = check["resource"].rpartition(".")
        place = f"{Path(check['file_path']).name} {name}"
        yield Finding(check["check_id"], place, f"{check['check_name']} ({kind}, line {check['file_line_range'][0]})")


def of_permissions() -> Iterator[Finding]:
    """Permissions of functions name their actions and their resources; where AWS has no resource to name, a comment
    beside it says so."""
    for one in identity_statements():
        if one.body["Effect"] != "Allow":
            continue
        place = f"{one.file} {one.sid or one.resource}"
        if any("*" in action for action in one.texts("Action")):
            yield Finding("WILDCARD_ACTION", place, f"line {one.line}: an action with a * in it")
        if "*" in one.texts("Resource") and not _is_commented(one):
            yield Finding("ANY_RESOURCE", place, f"line {one.line}: on any resource, and no comment says why")
        if one.file not in OF_NOTEBOOKS and not one.sid:
            yield Finding("NO_SID", place, f"line {one.line}: a statement without a Sid")


def _is_commented(one: Statement) -> bool:
    lines = (TEMPLATES / one.file).read_text(encoding="utf-8").splitlines()
    start, end = one.body.start_mark.line, one.body.end_mark.line
    stars = [number for number in range(start, end + 1) if lines[number].strip() in ("Resource: '*'", 'Resource: "*"')]
    return bool(stars) and all(lines[number - 1].strip().startswith("#") for number in stars)


def of_operation() -> Iterator[Finding]:
    """What can't be worked off is kept, and looked at: each function that nobody waits for has a destination of
    failures or a queue, and each queue of dead letters an alarm."""
    for file, template in templates():
        alarms = json.dumps([*_of(template, "AWS::CloudWatch::Alarm").values()])
        asynchronous = _of(template, "AWS::Lambda::EventInvokeConfig").values()
        kept = json.dumps([one for one in asynchronous if "DestinationConfig" in one]
                          + [*_of(template, "AWS::Lambda::EventSourceMapping").values()])
        for name in _of(template, "AWS::Lambda::Function"):
            if json.dumps({"Ref": name}) not in kept:
                yield Finding("NO_DESTINATION", f"{file} {name}", "what fails at every try is kept nowhere")
        for name in _of(template, "AWS::SQS::Queue"):
            if "DeadLetters" in name and json.dumps({"Fn::GetAtt": [name, "QueueName"]}) not in alarms:
                yield Finding("NO_ALARM", f"{file} {name}", "a queue of dead letters without an alarm")


def _of(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type."""
    return {name: one.get("Properties", {}) for name, one in template["Resources"].items() if one["Type"] == kind}


def of_encryption() -> Iterator[Finding]:
    """Queues are encrypted, by whichever key; buckets and topics are reached by TLS alone."""
    for file, template in templates():
        for name, properties in _of(template, "AWS::SQS::Queue").items():
            if "KmsMasterKeyId" not in properties and properties.get("SqsManagedSseEnabled") is not True:
                yield Finding("PLAIN_QUEUE", f"{file} {name}", "what is in the queue is not said to be encrypted")
        for kind, policy, reference in (("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
                                        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics")):
            policies = _of(template, policy).values()
            shut = [json.dumps(one[reference]) for one in policies
                    if any(_refuses_plain_text(statement) for statement in one["PolicyDocument"]["Statement"])]
            for name in _of(template, kind):
                if not any(json.dumps({"Ref": name}) in text for text in shut):
                    yield Finding("PLAIN_TEXT", f"{file} {name}", "may be reached without TLS")


def _refuses_plain_text(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement["Effect"] == "Deny" and str(condition).lower() == "false"


def unexplained(found: list[Finding]) -> Iterator[str]:
    """What nobody has explained, and explanations of nothing."""
    explained = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8"))
    for one in found:
        places = (explained.get(one.rule) or {}).get("places", [])
        if one.rule not in explained or places != "all" and one.place not in places:
            yield f"{one.rule} {one.place}: {one.what}"
    for rule, explanation in explained.items():
        if len(explanation.get("because", "").split()) < 5:
            yield f"{rule}: explained.yaml doesn't say why"
        there = {one.place for one in found if one.rule == rule}
        places = explanation["places"]
        gone = sorted(set(places) - there) if places != "all" else [] if there else ["any template"]
        yield from (f"{rule} is not found in {place} any more: take it out of explained.yaml" for place in gone)


def main() -> None:
    """Print what is unexplained, and fail if there is something."""
    found = sorted([*of_checkov(sys.argv[1]), *of_permissions(), *of_operation(), *of_encryption()])
    lines = list(unexplained(found))
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
