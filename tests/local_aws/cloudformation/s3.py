"""AWS::S3::Bucket: MiniStack's own, but not deleted while something is in it."""

from ministack.services import s3

from .table import Properties, guard_delete


def complete() -> None:
    """Put the check before the deletion."""
    guard_delete("AWS::S3::Bucket", _not_empty)


def _not_empty(name: str, _properties: Properties) -> tuple[str, str] | None:
    if (s3._buckets.get(name) or {}).get("objects"):
        return "BucketNotEmpty", "The bucket you tried to delete is not empty"
    return None
