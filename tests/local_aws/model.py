"""AWS's own service models (botocore): what a request may look like.

`botocore.validate.ParamValidator` checks names, types, required members and lower bounds; the rest of what
the model says (enums, patterns, upper bounds) the services check themselves, so it is checked here.
The sentences are those of AWS's request validation.
"""

import functools
import re
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from .errors import AwsError


@functools.lru_cache(maxsize=None)
def service_model(service: str) -> ServiceModel:
    """The model of a service by its botocore name."""
    return botocore.session.get_session().get_service_model(service)


def check_request(service: str, operation: str, request: dict[str, Any]) -> None:
    """Raise the API's ValidationException when the request is not what the model says."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise AwsError("ValidationException", report.generate_report())
    failures: list[str] = []
    _check(shape, request, "", failures)
    if failures:
        plural = "error" if len(failures) == 1 else "errors"
        raise AwsError("ValidationException", f"{len(failures)} validation {plural} detected: " + "; ".join(failures))


def _check(shape: Shape, value: Any, path: str, failures: list[str]) -> None:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if name in value and value[name] is not None:
                _check(member, value[name], _join(path, name), failures)
    elif isinstance(shape, ListShape):
        _check_size(shape, value, path, failures)
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}.{index + 1}.member", failures)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            _check(shape.key, key, f"{path}.key", failures)
            _check(shape.value, item, f"{path}.{key}.member", failures)
    elif isinstance(value, str):
        _check_string(shape, value, path, failures)
    elif isinstance(value, int) and not isinstance(value, bool):
        maximum = shape.metadata.get("max")
        if maximum is not None and value > maximum:
            _fail(failures, value, path, f"Member must have value less than or equal to {maximum}")


def _check_string(shape: Shape, value: str, path: str, failures: list[str]) -> None:
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        _fail(failures, value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.search(_python_pattern(pattern), value):
        _fail(failures, value, path, f"Member must satisfy regular expression pattern: {pattern}")
    # Limits of text are limits of bytes for the long ones (rules strings), and the same for the others.
    maximum = shape.metadata.get("max")
    if maximum is not None and len(value.encode()) > maximum:
        _fail(failures, value, path, f"Member must have length less than or equal to {maximum}")


def _check_size(shape: Shape, value: list[Any], path: str, failures: list[str]) -> None:
    maximum = shape.metadata.get("max")
    if maximum is not None and len(value) > maximum:
        _fail(failures, value, path, f"Member must have length less than or equal to {maximum}")


def _python_pattern(pattern: str) -> str:
    # Smithy's patterns are Java's; the character classes by name are the only difference that occurs here.
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")


def _join(path: str, name: str) -> str:
    camel = name[:1].lower() + name[1:]
    return f"{path}.{camel}" if path else camel


def _fail(failures: list[str], value: Any, path: str, constraint: str) -> None:
    shown = str(value)
    shown = shown if len(shown) <= 200 else shown[:200] + "..."
    failures.append(f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}")


def coerce(shape: Shape, value: Any) -> Any:
    """A template's value in the API's types: CloudFormation turns "100" and "true" into what the schema says."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {name: coerce(members[name], item) if name in members else item for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [coerce(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: coerce(shape.value, item) for key, item in value.items()}
    if shape.type_name in ("integer", "long") and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if shape.type_name == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if shape.type_name == "string" and isinstance(value, (int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
