"""A portal over this service: people see names and sizes, and get a URL when they ask for it, for a minute.

python3 server.py PREFIX. Needs PRESIGN_FUNCTION and what boto3 reads; listens on 127.0.0.1, PORT or 8080. It knows no
users: put one who asks for them in front, and make the prefix the user's.
"""

import http.server
import json
import os
import sys
import urllib.parse
from html import escape

import boto3

PREFIX = sys.argv[1]
functions = boto3.client("lambda")


def ask(**request):
    response = functions.invoke(FunctionName=os.environ["PRESIGN_FUNCTION"], Payload=json.dumps(request))
    answer = json.load(response["Payload"])
    if "FunctionError" in response:
        raise ValueError(f"{answer['errorType']}: {answer['errorMessage']}")
    return answer


def page():
    files, more = {}, {}
    while True:
        answer = ask(prefix=PREFIX, verify="describe", **more)
        files |= answer.get("objects", {})
        if not answer.get("continuation_token"):
            break
        more = {"continuation_token": answer["continuation_token"]}
    rows = [f'<li><a href="get/{urllib.parse.quote(k[len(PREFIX):])}">{escape(k[len(PREFIX):])}</a> {o["size"]} bytes</li>' for k, o in files.items()]
    return f"<!doctype html><title>Files</title><ul>\n{chr(10).join(rows)}\n</ul>\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        try:
            if path == "/":
                return self.answer(200, "text/html", page())
            if path == "/upload":
                return self.answer(200, "text/html", open(os.path.join(os.path.dirname(__file__), "upload.html")).read())
            if not path.startswith("/get/"):
                return self.answer(404, "text/plain", "nothing is here\n")
            key = PREFIX + path[len("/get/"):]
            answer = ask(keys=[key], expires_in=60, verify="head", response_content_disposition="attachment")
            if key in answer.get("errors", {}):
                return self.answer(404, "text/plain", f"{answer['errors'][key]['message']}\n")
            return self.answer(302, "text/plain", "", Location=answer["urls"][key])
        except ValueError as e:
            self.answer(502, "text/plain", f"{e}\n")

    def do_POST(self):
        if self.path != "/form":
            return self.answer(404, "text/plain", "nothing is here\n")
        key = {"key": PREFIX + "inbox/", "key_starts_with": True, "content_type_starts_with": "image/"}
        try:
            answer = ask(operation="PostObject", keys=[key], content_length_range=[1, 1_000_000], expires_in=300)
            self.answer(200, "application/json", json.dumps(answer["posts"][key["key"]]))
        except (ValueError, KeyError) as e:
            self.answer(502, "text/plain", f"{e}\n")

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        # A URL is a secret: no cache keeps it, and no page is told where a link was.
        for name, value in {"Content-Type": kind, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Handler).serve_forever()
