"""Custom resources as CloudFormation asks for them, where MiniStack leaves something out.

- The request has the ServiceToken at its top as well.
- A Create that answered FAILED is followed by a Delete of the id that its answer named: AWS sends it in the
  rollback, here it comes at once.
- So is an Update that answered FAILED with another id than it was given (aws-cdk, issue 30012), after the Update by
  which the rollback brings the former properties back.
- The ResponseURL takes what the presigned URL of S3 takes (no content type, a content length), and the answer in it
  must be what CloudFormation reads (CloudFormation user guide, "Custom resource response objects").
"""

import json
import logging
import threading
from typing import Any

from ministack import app
from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

logger = logging.getLogger("local_aws")

_execute = lambda_svc._execute_function_with_config_scope
_invoke = custom_resource.invoke_custom_resource
_deliver = custom_resource.deliver_response
_take_request = app._handle_post_body_shortcuts
# Each request runs on a thread of its own; its token leads from the request to the answer.
_request = threading.local()
_answers: dict[str, dict[str, Any]] = {}
# What a failed Update made, by stack and resource: the new id, and the properties that it was made by.
_half_replaced: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}


def register() -> None:
    """Put the wrappers in place of MiniStack's functions."""
    lambda_svc._execute_function_with_config_scope = _execute_with_token
    custom_resource.invoke_custom_resource = _invoke_with_clean_up
    custom_resource.deliver_response = _deliver_and_keep
    app._handle_post_body_shortcuts = _take_response


def _execute_with_token(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    token = (event.get("ResourceProperties") or {}).get("ServiceToken") if "ResponseURL" in event else None
    if token is not None:
        _request.token = event["ResponseURL"].rpartition("/")[2]
        event = {"ServiceToken": token, **event}
    return _execute(function, event)


async def _take_response(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any],
                         request_id: str) -> Any:
    if method == "PUT" and path.startswith("/_ministack/cfn-response/"):
        refusal = None
        if headers.get("content-type"):
            refusal = 403, "SignatureDoesNotMatch", "The content type is not the one that was signed: none"
        elif "content-length" not in headers:
            refusal = 501, "NotImplemented", "A header you provided implies functionality that is not implemented"
        if refusal:
            logger.warning("an answer of a custom resource was refused: %s", refusal[2])
            text = f"<Error><Code>{refusal[1]}</Code><Message>{refusal[2]}</Message></Error>"
            return refusal[0], {"Content-Type": "application/xml"}, text.encode()
        if len(body) > _MAX_RESPONSE:
            body = json.dumps({"Status": "FAILED", "Reason": "Response object is too long."}).encode()
    return await _take_request(method, path, headers, body, query, request_id)


_MAX_RESPONSE = 4096


def _problem(response: dict[str, Any]) -> str | None:
    """What CloudFormation can't read in an answer."""
    if response.get("Status") not in ("SUCCESS", "FAILED"):
        return "Invalid Response object: Value of property Status must be SUCCESS or FAILED"
    if response["Status"] == "FAILED":
        return None
    for name in ("PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"):
        if not isinstance(response.get(name), str) or not response[name]:
            return f"Invalid Response object: Value of property {name} must be of type String"
    data = response.get("Data") or {}
    if not isinstance(data, dict) or any(isinstance(value, (dict, list)) for value in data.values()):
        return ("Invalid Response object: Value of property Data must be an object with String (or simple type) "
                "properties")
    return None


def _deliver_and_keep(token: str, response: dict[str, Any]) -> bool:
    if problem := _problem(response):
        response = {**response, "Status": "FAILED", "Reason": problem}
    logger.info("%s answered %s: %s", response.get("LogicalResourceId"), response["Status"], response.get("Reason"))
    _answers[token] = response
    return _deliver(token, response)


def _invoke_with_clean_up(request_type: str, logical_id: str, props: dict[str, Any], stack_name: str, stack_id: str,
                          resource_type: str, physical_id: str | None = None,
                          old_props: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    _request.token = None
    half_replaced = _half_replaced.pop((stack_id, logical_id), None)
    try:
        done = _invoke(request_type, logical_id, props, stack_name, stack_id, resource_type, physical_id, old_props)
    except RuntimeError:
        answer = _answers.get(_request.token or "", {})
        made = answer.get("PhysicalResourceId")
        if request_type == "Create" and made:
            _clean_up(logical_id, props, stack_name, stack_id, resource_type, made)
        if request_type == "Update" and made not in (None, physical_id):
            half_replaced = made, props
        if half_replaced:
            _half_replaced[stack_id, logical_id] = half_replaced
        raise
    finally:
        _answers.pop(_request.token or "", None)
    if half_replaced and half_replaced[0] != done[0]:
        _clean_up(logical_id, half_replaced[1], stack_name, stack_id, resource_type, half_replaced[0])
    return done


def _clean_up(logical_id: str, props: dict[str, Any], stack_name: str, stack_id: str, resource_type: str,
              physical_id: str) -> None:
    try:
        _invoke("Delete", logical_id, props, stack_name, stack_id, resource_type, physical_id)
    except (RuntimeError, TimeoutError, ValueError) as error:
        logger.warning("%s %s: the Delete after the failure failed too: %s", resource_type, logical_id, error)
