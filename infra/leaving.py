"""What stands in the way of a stack's deletion, and what outlives it."""

import boto3
from botocore.exceptions import ClientError

# SageMaker makes it for whoever opens an app of Studio Classic, and writes streams of all domains into it.
STUDIO_LOGS = "/aws/sagemaker/studio"


class Leaving:
    """A stack that is to go, with the stacks nested in it, as it is before."""

    def __init__(self, cloudformation, stack):
        self.parameters = {row["ParameterKey"]: row.get("ParameterValue", "") for row in stack.get("Parameters", [])}
        self.outputs = {row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", [])}
        self.name = stack["StackName"]
        self.resources = list(resources(cloudformation, stack["StackId"]))

    def filled_buckets(self):
        """The buckets that would go, and in which something is. That of the log is kept, as it is."""
        s3, kept = boto3.client("s3"), self.outputs.get("LogBucketName")
        return [bucket for bucket in self._ids("AWS::S3::Bucket") if bucket != kept and is_filled(s3, bucket)]

    def live_grants(self):
        """The requests whose grants nobody would end: where the rule groups are another stack's, they stay."""
        table = self.outputs.get("TableName")
        if not table or not self.parameters.get("GrantRuleGroupArns"):
            return []
        dynamodb = boto3.client("dynamodb")
        query = {"KeyConditionExpression": "pk = :live", "ExpressionAttributeValues": {":live": {"S": "live"}}}
        try:
            pages = list(dynamodb.get_paginator("query").paginate(TableName=table, ConsistentRead=True, **query))
        except dynamodb.exceptions.ResourceNotFoundException:
            return []  # an earlier attempt has deleted it
        return [row["sk"]["S"] for page in pages for row in page["Items"]]

    def keeps(self):
        """What is kept because the stack says so; in words."""
        kept = []
        file_system = self.outputs.get("HomeFileSystemId")
        if self.parameters.get("HomeDirectories") == "Retain" and file_system:
            kept.append(f"file system {file_system}: the users' home directories (HOME_DIRECTORIES=Retain)")
        if bucket := self.outputs.get("LogBucketName"):
            kept.append(f"bucket {bucket} and its key: the firewall's log, which is evidence")
        return kept

    def leaves(self):
        """What is there after the deletion; in words, each with what to do about it."""
        left = [*self.keeps(), *self._keys(), *self._logs()]
        for table in self._ids("AWS::DynamoDB::Table"):
            left.append(f"a system backup of the table {table}, which DynamoDB keeps for 35 days")
        if bucket := self.parameters.get("ConfigurationBucket"):
            where = f"s3://{bucket}/{self.name}/"
            left.append(f"code and templates in your own bucket: `aws s3 rm --recursive {where}` removes them")
        return left

    def _ids(self, kind):
        return [identity for row_kind, identity in self.resources if row_kind == kind]

    def _keys(self):
        kms = boto3.client("kms")
        for key in self._ids("AWS::KMS::Key"):
            try:
                about = kms.describe_key(KeyId=key)["KeyMetadata"]
            except kms.exceptions.NotFoundException:
                continue
            if about["KeyState"] == "PendingDeletion":
                yield (
                    f"KMS key {key} ({about.get('Description', '')}) until {about['DeletionDate']:%Y-%m-%d}: until then "
                    f"`aws kms cancel-key-deletion --key-id {key}` saves what it encrypts"
                )

    def _logs(self):
        logs = boto3.client("logs")
        names = self._ids("AWS::Logs::LogGroup") + [f"/aws/lambda/{name}" for name in self._ids("AWS::Lambda::Function")]
        for name in dict.fromkeys(names):
            if has_log_group(logs, name):
                yield f"log group {name}: `aws logs delete-log-group --log-group-name {name}` deletes it"
        for domain in self._ids("AWS::SageMaker::Domain"):
            if has_log_group(logs, STUDIO_LOGS) and logs.describe_log_streams(
                logGroupName=STUDIO_LOGS, logStreamNamePrefix=f"{domain}/", limit=1
            )["logStreams"]:
                yield f"log streams {domain}/… in {STUDIO_LOGS}, a log group of all domains of this Region"


def resources(cloudformation, stack):
    """The type and the physical id of each resource, of nested stacks after their own row."""
    try:
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
            for row in page["StackResourceSummaries"]:
                identity = row.get("PhysicalResourceId")
                if not identity:
                    continue
                yield row["ResourceType"], identity
                if row["ResourceType"] == "AWS::CloudFormation::Stack":
                    yield from resources(cloudformation, identity)
    except ClientError as error:
        # A nested stack that an earlier attempt has deleted may be forgotten.
        if "does not exist" not in str(error):
            raise


def has_log_group(logs, name):
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])


# The buckets' policies let nobody read or list objects but through the VPC's endpoint. What is called below they leave
# to the account: listing versions (s3:ListBucketVersions, which an unversioned object has, too) and uploads that were
# never finished, and deleting both.


def is_filled(s3, bucket):
    """Whether there is an object, a former version of one, or a marker that one was deleted: any of them keeps a bucket
    from being deleted."""
    try:
        answer = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    except s3.exceptions.NoSuchBucket:
        return False
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))


def empty(s3, bucket):
    """Deletes all objects, versions, markers and unfinished uploads; how many, and what could not be deleted."""
    count, stuck = 0, []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not rows:
            continue
        objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        stuck += [f"{row['Key']}: {row['Code']}: {row.get('Message', '')}" for row in answer.get("Errors", [])]
        count += len(rows)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            count += 1
    return count - len(stuck), stuck
