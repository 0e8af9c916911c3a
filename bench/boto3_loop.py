"""boto3's generate_presigned_url in a loop, as a contestant: process.go has the protocol."""

import json
import sys
import time

import boto3
from botocore.config import Config

setup = json.loads(sys.stdin.readline())
client = boto3.client(
    "s3",
    region_name=setup["region"],
    aws_access_key_id=setup["access_key_id"],
    aws_secret_access_key=setup["secret_access_key"],
    aws_session_token=setup["session_token"],
    config=Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "virtual"},
    ),
)
bucket, expires_in = setup["bucket"], setup["expires_in"]
print(json.dumps({"version": boto3.__version__}), flush=True)

for line in sys.stdin:
    task = json.loads(line)
    keys = task["keys"]
    start = time.perf_counter_ns()
    urls = [
        client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=expires_in
        )
        for key in keys
    ]
    ns = time.perf_counter_ns() - start
    print(json.dumps({"ns": ns, "urls": urls if task["want_urls"] else None}), flush=True)
