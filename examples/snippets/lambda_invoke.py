"""boto3 invokes the function itself, without API Gateway. Needs PRESIGN_FUNCTION, AWS_REGION and credentials."""

import json
import os

import boto3

response = boto3.client("lambda", region_name=os.environ["AWS_REGION"]).invoke(
    FunctionName=os.environ["PRESIGN_FUNCTION"],
    Payload=json.dumps({"keys": ["hello world.txt", "2026/05/star.svg"], "expires_in": 300}),
)
answer = json.load(response["Payload"])
if "FunctionError" in response:  # the whole request failed; errorType is the code
    raise SystemExit(f"{answer['errorType']}: {answer['errorMessage']}")
for key, error in answer.get("errors", {}).items():
    raise SystemExit(f"{key}: {error['code']}: {error['message']}")
for url in answer["urls"].values():
    print(url)
