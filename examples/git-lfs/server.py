"""Git LFS's batch API over this service: POST .../objects/batch asks it for URLs, and git lfs moves the bytes itself.

Needs PRESIGN_FUNCTION and what boto3 reads; listens on 127.0.0.1. It knows no users: put one who asks for them in front.

An upload's size and SHA-256, which is its name in LFS, are signed, so that S3 takes nothing else under that name. They
are headers of each object's own, and git lfs sends them. An object goes up in one PUT, of at most 5 GiB: what git lfs
does by itself (its transfer "basic") has no parts, so a larger one gets the service's error.
"""

import base64
import http.server
import json
import os

import boto3

functions = boto3.client("lambda")
OPERATIONS = {"download": "GetObject", "upload": "PutObject"}


def batch(asked):
    operation, objects = asked["operation"], asked["objects"]
    keys = {o["oid"]: f"lfs/{o['oid'][:2]}/{o['oid']}" for o in objects}
    items = [{"key": keys[o["oid"]]} for o in objects]
    if operation == "upload":
        for item, o in zip(items, objects):
            item["content_length"] = o["size"]
            item["checksum_sha256"] = base64.b64encode(bytes.fromhex(o["oid"])).decode()
    request = {"operation": OPERATIONS[operation], "keys": items}
    response = functions.invoke(FunctionName=os.environ["PRESIGN_FUNCTION"], Payload=json.dumps(request))
    answer = json.load(response["Payload"])
    if "FunctionError" in response:
        raise ValueError(f"{answer['errorType']}: {answer['errorMessage']}")
    for o in objects:
        key = keys[o["oid"]]
        if key in answer["urls"]:
            o["authenticated"] = True  # the URL is: git lfs must not add credentials
            header = answer.get("item_headers", {}).get(key, answer.get("headers", {}))
            o["actions"] = {operation: {"href": answer["urls"][key], "header": header, "expires_at": answer["expires_at"]}}
        else:
            o["error"] = {"code": 422, "message": answer["errors"][key]["message"]}
    return {"transfer": "basic", "hash_algo": "sha256", "objects": objects}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            status, answer = 200, batch(json.loads(body))
        except (ValueError, KeyError, TypeError) as e:
            status, answer = 422, {"message": str(e)}
        text = json.dumps(answer).encode()
        self.send_response(status if self.path.endswith("/objects/batch") else 404)
        self.send_header("content-type", "application/vnd.git-lfs+json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
