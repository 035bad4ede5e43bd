"""What a deployment needs, looked at before anything is built or uploaded."""

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from problem import Problem


def check(bucket, files):
    """Says whose account it is, or what is missing: the operator's files, a Region, credentials, a bucket in that
    Region."""
    for variable, file in files:
        if not file.is_file():
            raise Problem(f"there is no {file}; name it with {variable}=…")
    session = boto3.Session()
    region = session.region_name
    if not region:
        raise Problem("no Region is set; set AWS_DEFAULT_REGION, or the profile's region")
    try:
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise Problem(f"there are no working AWS credentials ({error}); log in, or set AWS_PROFILE") from error
    print(f"account {identity['Account']}, Region {region}, as {identity['Arn']}")
    if not bucket:
        raise Problem("name a bucket for templates and code: CFN_ARTEFACT_S3_BUCKET=…; make one with `aws s3 mb s3://…`")
    home = bucket_region(session, bucket)
    if home != region:
        raise Problem(f"bucket {bucket} is in {home}, and the stack would be in {region}: take a bucket in {region}")


def bucket_region(session, bucket):
    try:
        answer = session.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        elsewhere = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if status == 301 and elsewhere:
            return elsewhere
        causes = {
            404: f"there is no bucket {bucket}; make it with `aws s3 mb s3://{bucket}`",
            403: f"bucket {bucket} is not yours, or you may not use it",
        }
        raise Problem(causes.get(status, f"bucket {bucket}: {error}")) from error
    return answer.get("BucketRegion") or session.region_name
