"""Python's other signers in a loop, as contestants: process.go has the protocol. The argument says which."""

import importlib.metadata
import json
import sys
import time
from datetime import timedelta
from urllib.parse import quote

name = sys.argv[1]
setup = json.loads(sys.stdin.readline())
bucket, region, expires_in = setup["bucket"], setup["region"], setup["expires_in"]
key_id, secret, token = setup["access_key_id"], setup["secret_access_key"], setup["session_token"]

if name == "obstore":
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        bucket,
        region=region,
        access_key_id=key_id,
        secret_access_key=secret,
        session_token=token,
        virtual_hosted_style_request=True,
    )
    lifetime = timedelta(seconds=expires_in)

    def sign(keys):
        return obstore.sign(store, "GET", keys, lifetime)

elif name == "awscrt":
    from awscrt import auth, http

    provider = auth.AwsCredentialsProvider.new_static(key_id, secret, token)
    host = f"{bucket}.s3.{region}.amazonaws.com"

    def presign(key):
        request = http.HttpRequest("GET", "/" + quote(key))
        request.headers.add("host", host)
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            credentials_provider=provider,
            region=region,
            service="s3",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value="UNSIGNED-PAYLOAD",
            expiration_in_seconds=expires_in,
        )
        auth.aws_sign_request(request, config).result()
        return "https://" + host + request.path

    def sign(keys):
        return [presign(key) for key in keys]

elif name == "minio":
    from minio import Minio

    client = Minio(
        endpoint=f"s3.{region}.amazonaws.com",
        access_key=key_id,
        secret_key=secret,
        session_token=token,
        region=region,
    )
    lifetime = timedelta(seconds=expires_in)

    def sign(keys):
        return [
            client.presigned_get_object(bucket_name=bucket, object_name=key, expires=lifetime)
            for key in keys
        ]

elif name == "libpresign":  # it knows no session token, so its URLs are short
    import libpresign

    def sign(keys):
        return [
            libpresign.get(
                access_key_id=key_id,
                secret_access_key=secret,
                region=region,
                bucket=bucket,
                key=key,
                expires=expires_in,
            )
            for key in keys
        ]

else:
    sys.exit("no such signer")

print(json.dumps({"version": importlib.metadata.version(name)}), flush=True)

for line in sys.stdin:
    task = json.loads(line)
    start = time.perf_counter_ns()
    urls = sign(task["keys"])
    ns = time.perf_counter_ns() - start
    print(json.dumps({"ns": ns, "urls": urls if task["want_urls"] else None}), flush=True)
