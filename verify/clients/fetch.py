"""Uses each task of the JSON array on stdin with a library: fetch.py requests|urllib3. What a 200 brings goes to task["out"]."""

import json
import sys
from pathlib import Path

import requests
import urllib3


def with_requests(method, url, headers, body):
    response = requests.request(method, url, headers=headers, data=body, timeout=30)
    return response.status_code, response.content


def with_urllib3(method, url, headers, body):
    response = pool.request(method, url, headers=headers, body=body, timeout=30, retries=False)
    return response.status, response.data


pool = urllib3.PoolManager()
use = {"requests": with_requests, "urllib3": with_urllib3}[sys.argv[1]]
for task in json.load(sys.stdin):
    body = Path(task["body"]).read_bytes() if task["body"] else None
    try:
        status, content = use(task["method"], task["url"], task["headers"] or {}, body)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
        continue  # an outcome: the caller sees what arrived, and that there is no file
    if status == 200:
        Path(task["out"]).write_bytes(content)
