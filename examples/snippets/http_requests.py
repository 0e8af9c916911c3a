"""requests calls, botocore signs. Needs PRESIGN_URL, AWS_REGION, and credentials where botocore finds them."""

import json
import os

import botocore.session
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

body = json.dumps({"keys": ["hello world.txt", "2026/05/star.svg"], "expires_in": 300})
call = AWSRequest("POST", os.environ["PRESIGN_URL"], data=body, headers={"content-type": "application/json"})
credentials = botocore.session.get_session().get_credentials()
SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(call)

response = requests.post(call.url, data=body, headers=dict(call.headers), timeout=30)
response.raise_for_status()
answer = response.json()
for key, error in answer.get("errors", {}).items():
    raise SystemExit(f"{key}: {error['code']}: {error['message']}")
for url in answer["urls"].values():
    print(url)
