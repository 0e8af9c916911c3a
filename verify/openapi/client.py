"""A client in Python, typed by openapi.yaml: what docs/openapi.md shows. Its argument is where the service is."""

import collections.abc
import sys

import httpx
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from presign_client import AuthenticatedClient
from presign_client.api.presign import presign
from presign_client.models import Answer, KeyCode, KeyWithOptions, Operation, Problem, ProblemCode, Request
from presign_client.types import Unset


class SigV4(httpx.Auth):
    """Sign each call as a deployed service wants it; the local one does not look."""

    requires_request_body = True

    def __init__(self, credentials: Credentials, region: str) -> None:
        self.signer = SigV4Auth(credentials, "execute-api", region)

    def auth_flow(self, request: httpx.Request) -> collections.abc.Generator[httpx.Request, httpx.Response]:
        signed = AWSRequest(request.method, str(request.url), data=request.content)
        self.signer.add_auth(signed)
        request.headers.update(dict(signed.headers))
        yield request


signer = SigV4(Credentials("localuser", "localsecret"), "eu-west-1")
service = AuthenticatedClient(base_url=sys.argv[1], token="", httpx_args={"auth": signer})

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
