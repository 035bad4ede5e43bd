"""What a service with a JSON protocol is made of: a table of operations, and the way to and from HTTP."""

import json
import logging
import threading
from typing import Any, Callable, Mapping

from ministack import app
from ministack.core import iam_actions, responses, router

from . import model
from .errors import AwsError

Operation = Callable[[dict[str, Any]], dict[str, Any]]
Response = tuple[int, dict[str, str], bytes]

logger = logging.getLogger("local_aws")

# CloudFormation works on threads of its own beside the event loop; a read and the write that follows from it
# are one step.
_lock = threading.RLock()


class JsonService:
    """A service that is addressed by `X-Amz-Target: <prefix>.<operation>`.

    It stands in MiniStack's registry in a module's place, hence `handle_request` and `reset`.
    """

    def __init__(self, name: str, target_prefix: str, json_version: str, operations: Mapping[str, Operation],
                 reset: Callable[[], None]) -> None:
        self.name = name
        self.target_prefix = target_prefix
        self._json_version = json_version
        self._operations = operations
        self._reset = reset

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one operation, from the API or from CloudFormation; raises `AwsError`."""
        handler = self._operations.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"{operation} is not part of the local AWS", 400)
        model.check_request(self.name, operation, request)
        with _lock:
            return handler(request)

    async def handle_request(self, _method: str, _path: str, headers: dict[str, str], body: bytes,
                             _query: dict[str, Any]) -> Response:
        """MiniStack's entry into a service."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            return self._response(200, self.call(operation, json.loads(body or b"{}")))
        except AwsError as error:
            logger.info("%s %s: %s: %s", self.name, operation, error.code, error.message)
            answer = self._response(error.status, {"__type": error.code, "Message": error.message})
            answer[1]["x-amzn-errortype"] = error.code
            return answer

    def reset(self) -> None:
        """Forget everything (MiniStack's `/_ministack/reset`)."""
        self._reset()

    def get_state(self) -> None:
        """Nothing is kept over a restart."""

    def _response(self, status: int, answer: dict[str, Any]) -> Response:
        content = {key: value for key, value in answer.items() if value is not None}
        return status, {"Content-Type": f"application/x-amz-json-{self._json_version}"}, json.dumps(content).encode()

    def register(self, resource_arn: Callable[[str, dict[str, Any], str, str], str]) -> None:
        """Enter the service into MiniStack's tables: routing, dispatch, and IAM with `AUTH=true`.

        `resource_arn(operation, request, region, account)` is what a policy's Resource is held against.
        """
        app.SERVICE_REGISTRY[self.name] = {"module": self.name}
        app._loaded_modules[self.name] = self
        app.SERVICE_HANDLERS[self.name] = self.handle_request
        router.SERVICE_PATTERNS[self.name] = {
            "host_patterns": [rf"(^|\.){self.name}\."], "target_prefixes": [self.target_prefix + "."],
        }
        iam_actions.SERVICE_TO_IAM_NAMESPACE[self.name] = self.name
        _arn_sources[self.name] = resource_arn


_arn_sources: dict[str, Callable[[str, dict[str, Any], str, str], str]] = {}
_ministack_resource_arn = iam_actions.extract_resource_arn


def _resource_arn(service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any],
                  region: str, account: str) -> str:
    source = _arn_sources.get(service)
    if source is None:
        return _ministack_resource_arn(service, method, path, headers, body, query, region, account)
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        return source(operation, json.loads(body or b"{}"), region, account)
    except ValueError:
        return "*"


iam_actions.extract_resource_arn = _resource_arn


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the caller's account and Region."""
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}:{resource}"


def page(rows: list[Any], request: dict[str, Any], default: int = 100) -> tuple[list[Any], str | None]:
    """One page of `rows` by the request's MaxResults and NextToken, and the token of the next page."""
    start = int(request.get("NextToken") or 0)
    end = start + (request.get("MaxResults") or default)
    return rows[start:end], str(end) if end < len(rows) else None
