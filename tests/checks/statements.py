"""The IAM statements in the templates: `python -m checks.statements` writes them as JSON, for the test that takes each
permission from its role.

Both branches of an `Fn::If` count. Intrinsic functions become text: what `Fn::Sub` has in braces stays in them.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

from cfnlint.decode import cfn_yaml

TEMPLATES = Path(__file__).parents[2] / "infra"
# Where a resource has documents of permissions; the policies of roles' trust are another thing.
_IDENTITY = {"AWS::IAM::Role": "Policies", "AWS::IAM::Policy": "PolicyDocument",
             "AWS::IAM::ManagedPolicy": "PolicyDocument"}


@dataclass(frozen=True)
class Statement:
    """A statement, where it stands, and all that it names as lists."""

    file: str
    line: int
    resource: str
    body: dict[str, Any]

    @property
    def sid(self) -> str:
        """Its name, or an empty text."""
        return self.body.get("Sid", "")

    def texts(self, name: str) -> list[str]:
        """The texts of `Action` or `Resource`."""
        return [text for value in _many(self.body.get(name)) for text in _texts(value)]


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each template with its file's name."""
    for path in sorted(TEMPLATES.glob("*.yaml")):
        yield path.name, cfn_yaml.load(str(path))


def identity_statements() -> Iterator[Statement]:
    """Those of roles and of policies attached to roles."""
    for file, template in templates():
        for name, resource in template["Resources"].items():
            found = resource.get("Properties", {}).get(_IDENTITY.get(resource["Type"], ""))
            for document in _documents(found):
                for body in _many(document["Statement"]):
                    for branch in _branches(body):
                        yield Statement(file, branch.start_mark.line, name, branch)


def _documents(found: Any) -> Iterator[dict[str, Any]]:
    for one in _many(found):
        yield one["PolicyDocument"] if "PolicyDocument" in one else one


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _branches(value: Any) -> Iterator[Any]:
    """The value, or what an `Fn::If` may make of it."""
    if isinstance(value, dict) and list(value) == ["Fn::If"]:
        for branch in value["Fn::If"][1:]:
            yield from _branches(branch)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def _texts(value: Any) -> Iterator[str]:
    for branch in _branches(value):
        if isinstance(branch, str):
            yield branch
        elif "Fn::Sub" in branch:
            yield str(branch["Fn::Sub"] if isinstance(branch["Fn::Sub"], str) else branch["Fn::Sub"][0])
        else:
            yield json.dumps(branch)


def main() -> None:
    """Write each permission that some role has: `[{"file": …, "sid": …, "action": …}]`."""
    json.dump([{"file": one.file, "sid": one.sid, "action": action}
               for one in identity_statements() if one.body["Effect"] == "Allow" for action in one.texts("Action")],
              sys.stdout)


if __name__ == "__main__":
    main()
