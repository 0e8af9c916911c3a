"""The list of keys that boto3 signs in a loop, from S3 to S3: the script that everyone writes.

A line of JSON comes in for each run and one goes out with its time by this clock; the interpreter's start and
boto3's imports are left out."""

import csv
import gzip
import io
import json
import sys
import time

import boto3
from botocore.config import Config

setup = json.loads(sys.stdin.readline())
client = boto3.client(
    "s3",
    region_name=setup["region"],
    endpoint_url=setup["endpoint"],
    aws_access_key_id=setup["access_key_id"],
    aws_secret_access_key=setup["secret_access_key"],
    aws_session_token=setup["session_token"],
    config=Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    ),
)
print(json.dumps({"version": boto3.__version__}), flush=True)

for line in sys.stdin:
    task = json.loads(line)
    start = time.perf_counter_ns()
    listed = client.get_object(Bucket=setup["lists"], Key=task["list"])["Body"]
    out = io.BytesIO()
    with gzip.open(listed, "rt", newline="") as rows, gzip.open(out, "wt", compresslevel=6) as lines:
        for bucket, key in csv.reader(rows):
            url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=900)
            lines.write(json.dumps({"key": key, "url": url}) + "\n")
    client.put_object(Bucket=setup["results"], Key=task["result"], Body=out.getvalue())
    print(json.dumps({"ns": time.perf_counter_ns() - start}), flush=True)
