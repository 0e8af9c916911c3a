"""Git LFS's batch API over this service: POST .../objects/batch asks it for URLs, and git lfs moves the bytes itself.

Needs PRESIGN_FUNCTION and what boto3 reads; listens on 127.0.0.1. It knows no users: put one who asks for them in front.
"""

import http.server
import json
import os

import boto3

functions = boto3.client("lambda")
OPERATIONS = {"download": "GetObject", "upload": "PutObject"}


def batch(asked):
    operation, objects = asked["operation"], asked["objects"]
    keys = {o["oid"]: f"lfs/{o['oid'][:2]}/{o['oid']}" for o in objects}
    request = {"operation": OPERATIONS[operation], "keys": list(keys.values())}
    response = functions.invoke(FunctionName=os.environ["PRESIGN_FUNCTION"], Payload=json.dumps(request))
    answer = json.load(response["Payload"])
    if "FunctionError" in response:
        raise ValueError(f"{answer['errorType']}: {answer['errorMessage']}")
    for o in objects:
        key = keys[o["oid"]]
        if key in answer["urls"]:
            o["authenticated"] = True  # the URL is: git lfs must not add credentials
            o["actions"] = {operation: {"href": answer["urls"][key], "header": answer.get("headers", {}), "expires_at": answer["expires_at"]}}
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
