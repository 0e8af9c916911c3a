"""docs/migrate.md's two halves, timed in one run: a thousand keys by boto3's loop, and by one call of the function."""

import json
import os
import time

import boto3
from botocore.config import Config

keys = [f"2026/photo {i}.jpg" for i in range(1000)]
region = os.environ["AWS_REGION"]
s3 = boto3.client("s3", region_name=region, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
functions = boto3.client("lambda", region_name=region)


def before():
    return {k: s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": k}, ExpiresIn=900) for k in keys}


def after():
    payload = json.dumps({"keys": keys, "expires_in": 900})
    response = functions.invoke(FunctionName=os.environ["PRESIGN_FUNCTION"], Payload=payload)
    return json.load(response["Payload"])["urls"]


for name, sign in ("boto3 loop", before), ("one invoke", after):
    sign()  # connections, models and the function are warm
    start = time.perf_counter()
    urls = sign()
    took = time.perf_counter() - start
    if list(urls) != keys or not all("X-Amz-Signature=" in url for url in urls.values()):
        raise SystemExit(f"{name}: not every key has its URL")
    print(f"{name}: {len(urls)} URLs in {took * 1000:.1f} ms")
