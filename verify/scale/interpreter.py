"""interpreter.py LAMBDA S3: LocalStack with its interpreter of Amazon States Language, whose tasks call another Lambda and read another S3.

LocalStack itself runs functions in Docker alone. So the clients that its interpreter makes are led to this project's stand-ins:
the Invoke API in front of the real binary, and the S3 server that verifies signatures, with the credentials of this process.
"""
import sys
import threading

import boto3


class Lock:
    """threading.Lock, which is a function before Python 3.13, in an annotation: LocalStack 4.13 writes Lock | None."""

    made = staticmethod(threading.Lock)

    def __call__(self):
        return self.made()

    def __or__(self, other):
        return self


plain, threading.Lock = threading.Lock, Lock()
import localstack.packages.api  # noqa: E402, F401

threading.Lock = plain
from localstack.services.stepfunctions.asl.utils import boto_client  # noqa: E402

ENDPOINTS = {"lambda": sys.argv[1], "s3": sys.argv[2]}


def client_for(service, region, state_credentials):
    return boto3.client(service, region_name=region, endpoint_url=ENDPOINTS[service], config=boto_client._BOTO_CLIENT_CONFIG)


boto_client.boto_client_for = client_for  # before any state's module takes the name

from localstack.runtime.main import main  # noqa: E402

sys.argv = sys.argv[:1]
main()
