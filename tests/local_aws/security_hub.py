"""Security Hub, enabled in every account: findings of the account's own are imported, and read again.

MiniStack has no Security Hub. What the API's model doesn't say is checked here, and refused one finding at a time, as
AWS does it: lengths, the product, the namespaces of types. (AwsSecurityFinding, Security Hub API Reference.)
"""

from datetime import datetime
from typing import Any, Iterator

from ministack.core import iam_actions
from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from . import service

_OPERATIONS = {("POST", "/findings/import"): "BatchImportFindings", ("POST", "/findings"): "GetFindings"}
_NAMESPACES = ("Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors",
               "Sensitive Data Identifications")
_LONGEST = {"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512}

_findings: AccountRegionScopedDict = AccountRegionScopedDict()


class _RestService(service.JsonService):
    """A service whose operations are addressed by method and path."""

    async def handle_request(self, method: str, path: str, headers: dict[str, str], body: bytes,
                             query: dict[str, Any]) -> service.Response:
        """MiniStack's entry into a service."""
        operation = _OPERATIONS.get((method, path), f"{method} {path}")
        return await super().handle_request(method, path, {**headers, "x-amz-target": f".{operation}"}, body, query)


def import_findings(request: dict[str, Any]) -> dict[str, Any]:
    """BatchImportFindings. What is wrong with some is answered in a success."""
    failed = []
    for finding in request["Findings"]:
        reason = next(_refusals(finding), None)
        if reason is None:
            _findings[finding["Id"]] = {**_findings.get(finding["Id"], {}), **finding}
        else:
            failed.append({"Id": finding["Id"], "ErrorCode": "InvalidInput", "ErrorMessage": reason})
    return {"FailedCount": len(failed), "SuccessCount": len(request["Findings"]) - len(failed),
            "FailedFindings": failed}


def get_findings(_request: dict[str, Any]) -> dict[str, Any]:
    """GetFindings: all of them, in one page."""
    return {"Findings": list(_findings.values())}


def resource_arn(_operation: str, request: dict[str, Any], region: str, account: str) -> str:
    """The product whose findings are imported; of other requests the hub."""
    products = {finding.get("ProductArn") for finding in request.get("Findings", [])}
    if not products:
        return f"arn:aws:securityhub:{region}:{account}:hub/default"
    return products.pop() if len(products) == 1 else "*"


def register() -> None:
    """Enter the service, and its routes for the evaluation of policies."""
    SERVICE.register(resource_arn)
    iam_actions._BOTOCORE_SERVICE_MAP["securityhub"] = ["securityhub"]


def _refusals(finding: dict[str, Any]) -> Iterator[str]:
    account, given = get_account_id(), finding.get("FindingProviderFields", {})
    if finding["AwsAccountId"] != account:
        yield f"finding.AwsAccountId should be {account}"
    if finding["ProductArn"] != service.arn("securityhub", f"product/{account}/default"):
        yield "finding.ProductArn is not a product of this account and Region"
    if finding["SchemaVersion"] != "2018-10-08":
        yield "finding.SchemaVersion should be equal to constant"
    for name, most in _LONGEST.items():
        if len(finding[name]) > most:
            yield f"finding.{name} should NOT be longer than {most} characters"
    for name in ("CreatedAt", "UpdatedAt"):
        try:
            datetime.fromisoformat(finding[name])
        except ValueError:
            yield f"finding.{name} should match format \"date-time\""
    severity = finding.get("Severity") or given.get("Severity") or {}
    if not {"Label", "Normalized"} & severity.keys():
        yield "finding should have required property 'Severity'"
    types = finding.get("Types") or given.get("Types") or []
    if not types or any(kind.partition("/")[0] not in _NAMESPACES for kind in types):
        yield "finding.Types should match a namespace/category/classifier"
    if not finding["Resources"]:
        yield "finding.Resources should NOT have fewer than 1 items"
    for resource in finding["Resources"]:
        if resource.get("Region", get_region()) != get_region():
            yield "finding.Resources.Region is another one"
        for name, text in resource.get("Details", {}).get("Other", {}).items():
            if not 0 < len(name) < 128 or not 0 < len(text) < 1024:
                yield f"finding.Resources.Details.Other.{name} is too long, or empty"


SERVICE = _RestService("securityhub", "SecurityHub", "1.1",
                       {"BatchImportFindings": import_findings, "GetFindings": get_findings}, _findings.clear)
