"""Saved queries of CloudWatch Logs Insights: the API's three operations, and AWS::Logs::QueryDefinition.

MiniStack has none. A definition is kept and told as it was given; it is not run.
"""

import json
import uuid
from typing import Any

from ministack import app
from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import cloudwatch_logs

from .cloudformation.table import Created, Properties, ResourceType, register as register_type
from .errors import AwsError

_definitions: AccountRegionScopedDict = AccountRegionScopedDict()
_handle = cloudwatch_logs.handle_request


def _put(request: dict[str, Any]) -> dict[str, Any]:
    """PutQueryDefinition: a new one, or the one of this id."""
    identity = request.get("queryDefinitionId") or str(uuid.uuid4())
    if request.get("queryDefinitionId") and identity not in _definitions:
        raise AwsError("ResourceNotFoundException", "The specified query definition does not exist.")
    if not 1 <= len(request["name"]) <= 255 or not 1 <= len(request["queryString"]) <= 10_000:
        raise AwsError("InvalidParameterException", "name or queryString is too short or too long")
    _definitions[identity] = {
        "queryDefinitionId": identity, "name": request["name"], "queryString": request["queryString"],
        "logGroupNames": request.get("logGroupNames", [])}
    return {"queryDefinitionId": identity}


def _describe(request: dict[str, Any]) -> dict[str, Any]:
    """DescribeQueryDefinitions, in one page."""
    prefix = request.get("queryDefinitionNamePrefix", "")
    found = [item for item in _definitions.values() if item["name"].startswith(prefix)]
    return {"queryDefinitions": sorted(found, key=lambda item: item["name"])}


def _delete(request: dict[str, Any]) -> dict[str, Any]:
    """DeleteQueryDefinition."""
    if _definitions.pop(request["queryDefinitionId"], None) is None:
        raise AwsError("ResourceNotFoundException", "The specified query definition does not exist.")
    return {"success": True}


_OPERATIONS = {"PutQueryDefinition": _put, "DescribeQueryDefinitions": _describe, "DeleteQueryDefinition": _delete}


async def _handle_these_too(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    operation = _OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    if operation is None:
        return await _handle(method, path, headers, body, query)
    try:
        return json_response(operation(json.loads(body or b"{}")))
    except AwsError as error:
        return error_response_json(error.code, error.message, error.status)


def _as_request(properties: Properties) -> dict[str, Any]:
    return {"name": properties["Name"], "queryString": properties["QueryString"],
            "logGroupNames": properties.get("LogGroupNames", [])}


def _create(_logical_id: str, properties: Properties, _stack: str) -> Created:
    identity = _put(_as_request(properties))["queryDefinitionId"]
    return identity, {"QueryDefinitionId": identity}


def _update(identity: str, _old: Properties, new: Properties) -> Created:
    _put({**_as_request(new), "queryDefinitionId": identity})
    return identity, {"QueryDefinitionId": identity}


def _remove(identity: str, _properties: Properties) -> None:
    _definitions.pop(identity, None)


def register() -> None:
    """Enter the operations and the type."""
    app.SERVICE_HANDLERS["logs"] = _handle_these_too
    register_type(ResourceType("AWS::Logs::QueryDefinition", _create, _remove, _update))
