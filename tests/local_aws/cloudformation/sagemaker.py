"""The resource types of SageMaker Studio, through the API's own operations."""

import time
from typing import Any

from .. import model
from ..errors import AwsError
from ..sagemaker import SERVICE
from .table import Created, Properties, ResourceType, register

_POLL_SECONDS = 0.02


def _call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    shape = model.service_model(SERVICE.name).operation_model(operation).input_shape
    known = {key: value for key, value in request.items() if key in shape.members}
    return SERVICE.call(operation, model.coerce(shape, known))


def _wait(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Wait for InService, as AWS's handlers do."""
    while True:
        answer = _call(operation, request)
        if answer["Status"] == "InService":
            return answer
        if "ailed" in answer["Status"]:
            raise AwsError("NotStabilized", answer.get("FailureReason", answer["Status"]))
        time.sleep(_POLL_SECONDS)


def _gone(delete: str, describe: str, request: dict[str, Any]) -> None:
    try:
        _call(delete, request)
        while True:
            _call(describe, request)
            time.sleep(_POLL_SECONDS)
    except AwsError as error:
        if error.code != "ResourceNotFound":
            raise


# AWS::SageMaker::Domain

def _create_domain(_logical_id: str, properties: Properties, _stack: str) -> Created:
    identity = _call("CreateDomain", properties)["DomainId"]
    return identity, _domain_attributes(identity)


def _update_domain(identity: str, _old: Properties, new: Properties) -> Created:
    _call("UpdateDomain", {"DomainId": identity, **new})
    return identity, _domain_attributes(identity)


def _delete_domain(identity: str, _properties: Properties) -> None:
    # The schema has no retention policy: the file system always stays.
    _gone("DeleteDomain", "DescribeDomain", {"DomainId": identity})


def _domain_attributes(identity: str) -> dict[str, Any]:
    answer = _wait("DescribeDomain", {"DomainId": identity})
    return {name: answer[name] for name in ("DomainArn", "DomainId", "HomeEfsFileSystemId", "Url")}


# AWS::SageMaker::UserProfile

def _create_profile(_logical_id: str, properties: Properties, _stack: str) -> Created:
    _call("CreateUserProfile", properties)
    return _profile(properties)


def _update_profile(_physical_id: str, _old: Properties, new: Properties) -> Created:
    _call("UpdateUserProfile", new)
    return _profile(new)


def _delete_profile(_physical_id: str, properties: Properties) -> None:
    _gone("DeleteUserProfile", "DescribeUserProfile", _profile_key(properties))


def _profile(properties: Properties) -> Created:
    answer = _wait("DescribeUserProfile", _profile_key(properties))
    return f"{properties['UserProfileName']}|{properties['DomainId']}", {"UserProfileArn": answer["UserProfileArn"]}


def _profile_key(properties: Properties) -> dict[str, Any]:
    return {name: properties[name] for name in ("DomainId", "UserProfileName")}


def register_types() -> None:
    """Enter the types."""
    register(ResourceType(
        "AWS::SageMaker::Domain", _create_domain, _delete_domain, _update_domain,
        create_only=("AuthMode", "DomainName", "KmsKeyId", "VpcId"), custom_name="DomainName", tagged=True, waits=True))
    register(ResourceType(
        "AWS::SageMaker::UserProfile", _create_profile, _delete_profile, _update_profile,
        create_only=("DomainId", "UserProfileName", "SingleSignOnUserIdentifier", "SingleSignOnUserValue", "Tags"),
        waits=True))
