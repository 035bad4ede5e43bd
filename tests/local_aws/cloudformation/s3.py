"""AWS::S3::Bucket: MiniStack's own, but with its encryption and its lifecycle, and not deleted while something is in it,
be it a version or a delete marker.
"""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from .table import Properties, guard_delete


def complete() -> None:
    """Enter the two configurations, and put the check before the deletion."""
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", _encryption, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", _lifecycle, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
    )
    guard_delete("AWS::S3::Bucket", _not_empty)


def _not_empty(name: str, _properties: Properties) -> tuple[str, str] | None:
    versions = any(bucket == name and rows for (bucket, _), rows in s3._object_versions.items())
    if versions or (s3._buckets.get(name) or {}).get("objects"):
        return "BucketNotEmpty", "The bucket you tried to delete is not empty"
    return None


def _encryption(given: dict[str, Any]) -> bytes:
    """The body of PutBucketEncryption."""
    root = Element("ServerSideEncryptionConfiguration", xmlns=s3.S3_NS)
    for rule in given["ServerSideEncryptionConfiguration"]:
        element, default = SubElement(root, "Rule"), rule["ServerSideEncryptionByDefault"]
        _texts(SubElement(element, "ApplyServerSideEncryptionByDefault"), default, "SSEAlgorithm", "KMSMasterKeyID")
        _texts(element, rule, "BucketKeyEnabled")
    return tostring(root)


def _lifecycle(given: dict[str, Any]) -> bytes:
    """The body of PutBucketLifecycleConfiguration, of the properties that the templates use."""
    root = Element("LifecycleConfiguration", xmlns=s3.S3_NS)
    for rule in given["Rules"]:
        element = SubElement(root, "Rule")
        _texts(element, {"ID": rule.get("Id")}, "ID")
        SubElement(SubElement(element, "Filter"), "Prefix").text = rule.get("Prefix", "")
        _texts(element, rule, "Status")
        expiration = {"Days": rule.get("ExpirationInDays"),
                      "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker")}
        if any(value is not None for value in expiration.values()):
            _texts(SubElement(element, "Expiration"), expiration, *expiration)
        if later := rule.get("NoncurrentVersionExpiration"):
            _texts(SubElement(element, "NoncurrentVersionExpiration"), later, "NoncurrentDays")
        if unfinished := rule.get("AbortIncompleteMultipartUpload"):
            _texts(SubElement(element, "AbortIncompleteMultipartUpload"), unfinished, "DaysAfterInitiation")
    return tostring(root)


def _texts(parent: Element, values: dict[str, Any], *names: str) -> None:
    for name in names:
        if values.get(name) is not None:
            value = values[name]
            SubElement(parent, name).text = str(value).lower() if isinstance(value, bool) else str(value)
