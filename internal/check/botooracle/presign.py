"""boto3's presigner as a filter: a JSON request a line in, a JSON answer a line out.

The Go side (botooracle.go) says what a request is. An answer is {"url", "header"} with the
headers that the signature covers, {"url", "fields"} for a form, or {"error"} with the name
of boto3's exception.
"""

import datetime
import json
import re
import sys

import boto3
import botocore.auth
import botocore.compat
import botocore.signers
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

session = boto3.Session()  # one, since it parses the service's model: 0.2 s
signed_header = {}


class RecordingAuth(botocore.auth.S3SigV4QueryAuth):
    """Keeps the headers it signs, since generate_presigned_url gives the URL alone."""

    def signed_headers(self, headers_to_sign):
        signed_header.clear()
        signed_header.update(headers_to_sign.items())
        return super().signed_headers(headers_to_sign)


def set_clock(time):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: time
    botocore.signers.get_current_datetime = lambda remove_tzinfo=True: time


def client(request):
    return session.client(
        "s3",
        region_name=request["region"],
        endpoint_url=request["endpoint_url"] or None,
        aws_access_key_id=request["access_key_id"],
        aws_secret_access_key=request["secret_access_key"],
        aws_session_token=request["session_token"] or None,
        config=Config(
            signature_version="s3v4",
            # It demands a body of PutObjectTagging, and cannot presign one with a body.
            parameter_validation=request["operation"] != "PutObjectTagging",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            use_dualstack_endpoint=request["dual_stack"],
            use_fips_endpoint=request["fips"],
            s3={
                "addressing_style": "path" if request["path_style"] else "virtual",
                "use_accelerate_endpoint": request["accelerate"],
                "use_arn_region": request["use_arn_region"],
                "us_east_1_regional_endpoint": "regional",
            },
        ),
    )


def parse_time(s):
    s = re.sub(r"\.(\d+)", lambda m: "." + m[1][:6].ljust(6, "0"), s)
    return datetime.datetime.fromisoformat(s.replace("Z", "+00:00"))


def parameters(s3, request):
    """The contract's option names are the API's member names in snake_case."""
    operation = s3.meta.service_model.operation_model(request["operation"])
    members = operation.input_shape.members
    spelling = {name.lower(): name for name in members}
    params = {"Bucket": request["bucket"]}
    for name in ("Key", "Prefix"):  # ListObjectsV2 has a prefix in place of a key
        if name in members and request["key"]:
            params[name] = request["key"]
            break
    for option, value in (request["options"] or {}).items():
        name = spelling[option.replace("_", "")]
        if members[name].type_name == "timestamp":
            value = parse_time(value)
        params[name] = value
    return params


def answer(request):
    set_clock(datetime.datetime.strptime(request["time"], "%Y%m%dT%H%M%SZ"))
    s3 = client(request)
    if request.get("form"):
        form = s3.generate_presigned_post(
            request["bucket"],
            request["key"],
            Fields=request["form"]["fields"],
            Conditions=request["form"]["conditions"],
            ExpiresIn=request["expires_in"],
        )
        return {"url": form["url"], "fields": form["fields"]}
    url = s3.generate_presigned_url(
        re.sub(r"(?<!^)([A-Z])", r"_\1", request["operation"]).lower(),
        Params=parameters(s3, request),
        ExpiresIn=request["expires_in"],
    )
    return {"url": url, "header": dict(signed_header)}


def main():
    # The name that is replaced to stop the clock must be there, or it runs on.
    assert botocore.auth.get_current_datetime is botocore.compat.get_current_datetime
    assert botocore.signers.get_current_datetime is botocore.compat.get_current_datetime
    botocore.auth.AUTH_TYPE_MAPS["s3v4-query"] = RecordingAuth
    print(json.dumps({"boto3": boto3.__version__}))
    for line in sys.stdin.buffer:
        try:
            out = answer(json.loads(line))
        except (BotoCoreError, ClientError, ValueError, KeyError) as e:
            out = {"error": type(e).__name__}
        print(json.dumps(out))


main()
