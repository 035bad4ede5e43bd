"""SageMaker Studio: domains, user profiles, spaces and apps. API 2017-07-24, JSON 1.1."""

from typing import Any

from ..service import JsonService
from . import apps, domains, state, tags, user_profiles

OPERATIONS = {
    "CreateDomain": domains.create,
    "DescribeDomain": domains.describe,
    "UpdateDomain": domains.update,
    "DeleteDomain": domains.delete,
    "ListDomains": domains.list_all,
    "CreateUserProfile": user_profiles.create_profile,
    "DescribeUserProfile": user_profiles.describe_profile,
    "UpdateUserProfile": user_profiles.update_profile,
    "DeleteUserProfile": user_profiles.delete_profile,
    "ListUserProfiles": user_profiles.list_profiles,
    "CreateSpace": user_profiles.create_space,
    "DescribeSpace": user_profiles.describe_space,
    "DeleteSpace": user_profiles.delete_space,
    "ListSpaces": user_profiles.list_spaces,
    "CreateApp": apps.create,
    "DescribeApp": apps.describe,
    "DeleteApp": apps.delete,
    "ListApps": apps.list_all,
    "AddTags": tags.add,
    "DeleteTags": tags.remove,
    "ListTags": tags.list_all,
}

SERVICE = JsonService("sagemaker", "SageMaker", "1.1", OPERATIONS, state.reset)


def resource_arn(_operation: str, request: dict[str, Any], region: str, account: str) -> str:
    """The resource that a request acts on, for IAM."""
    domain = request.get("DomainId")
    if "ResourceArn" in request or domain is None:
        return request.get("ResourceArn", "*")
    owner = request.get("UserProfileName") or request.get("SpaceName")
    if "AppName" in request:
        resource = f"app/{domain}/{owner}/{request['AppType'].lower()}/{request['AppName']}"
    elif owner:
        resource = f"{'user-profile' if 'UserProfileName' in request else 'space'}/{domain}/{owner}"
    else:
        resource = f"domain/{domain}"
    return f"arn:aws:sagemaker:{region}:{account}:{resource}"
