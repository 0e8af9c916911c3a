"""A client in Python, typed by openapi.yaml: what docs/openapi.md shows. Its argument is where the service is."""

import sys

import httpx
from presign_client import AuthenticatedClient
from presign_client.api.presign import presign
from presign_client.models import Answer, KeyCode, KeyWithOptions, Operation, Problem, ProblemCode, Request
from presign_client.types import Unset

service = AuthenticatedClient(base_url=sys.argv[1], token="at the local service nobody looks")

answer = presign.sync(client=service, body=Request(keys=["hello world.txt", "../x"], expires_in=300))
assert isinstance(answer, Answer) and not isinstance(answer.urls, Unset) and not isinstance(answer.errors, Unset)
assert httpx.get(answer.urls["hello world.txt"]).text.startswith("Hello")
assert answer.errors["../x"].code == KeyCode.UNSAFEKEY

upload = presign.sync(
    client=service,
    body=Request(operation=Operation.PUTOBJECT, keys=[KeyWithOptions(key="typed.py.txt", content_type="text/plain")]),
)
assert isinstance(upload, Answer) and not isinstance(upload.urls, Unset)
assert not isinstance(upload.item_headers, Unset)
headers = upload.item_headers["typed.py.txt"].additional_properties
assert httpx.put(upload.urls["typed.py.txt"], content=b"typed", headers=headers).status_code == 200

refused = presign.sync(client=service, body=Request(keys=[], expires_in=300))
assert isinstance(refused, Problem) and refused.code == ProblemCode.INVALIDREQUEST

print("Python: downloaded, uploaded, refused")
