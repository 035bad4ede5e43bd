"""`python -m local_aws.permissions`: what the role of each function in the account may do, as JSON.

`{function: {"role": …, "inline": {name: document}, "managed": {arn: document}}}`. The endpoint and the credentials
come from the environment.
"""

import json
import sys
from typing import Any

from .leftovers import client, pages


def of_role(role: str) -> dict[str, Any]:
    """A role's policies."""
    iam = client("iam")
    inline = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
              for name in pages("iam", "list_role_policies", "PolicyNames", RoleName=role)}
    managed = {}
    for policy in pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role):
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        managed[arn] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return {"role": role, "inline": inline, "managed": managed}


def main() -> None:
    """Write all of it to standard output."""
    functions = pages("lambda", "list_functions", "Functions")
    roles = {function["FunctionName"]: function["Role"].rpartition("/")[2] for function in functions}
    json.dump({function: of_role(role) for function, role in roles.items()}, sys.stdout)


if __name__ == "__main__":
    main()
