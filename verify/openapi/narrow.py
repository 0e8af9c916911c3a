"""Write a description of the local service for each operation alone, so that what is made up of it is mostly signed.

python narrow.py openapi.yaml FOLDER writes FOLDER/all.json, of every request, and FOLDER/OPERATION.json. The local service asks
for no signature, and has the first path alone.
"""

import copy
import json
import pathlib
import sys

import yaml

# What an operation cannot do without: the description's own examples of it.
NEEDED = {
    "UploadPart": ["upload_id", "part_number"],
    "UploadPartCopy": ["upload_id", "part_number", "copy_source"],
    "CompleteMultipartUpload": ["upload_id"],
    "AbortMultipartUpload": ["upload_id"],
    "ListParts": ["upload_id"],
    "CopyObject": ["copy_source"],
    "GetObjectAttributes": ["object_attributes"],
    "MultipartUpload": ["size", "upload_id"],
}

description = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
folder = pathlib.Path(sys.argv[2])
description["paths"] = {"/presign": description["paths"]["/presign"]}
del description["paths"]["/presign"]["post"]["security"]
(folder / "all.json").write_text(json.dumps(description))

for operation in description["components"]["schemas"]["Operation"]["enum"]:
    one = copy.deepcopy(description)
    content = one["components"]["requestBodies"]["Request"]["content"]["application/json"]
    content["examples"] = {n: e for n, e in content["examples"].items() if e["value"].get("operation", "GetObject") == operation}
    request = one["components"]["schemas"]["Request"]
    options = one["components"]["schemas"]["KeyWithOptions"]["properties"]
    needed = NEEDED.get(operation, [])
    for properties in (request["properties"], options):
        for name, schema in list(properties.items()):
            if operation not in schema.get("x-operations", [operation]):
                del properties[name]
    for name in needed:
        request["properties"][name] = {"const": options[name]["examples"][0]}
    for name in ("prefix", "manifest", "encoding", "explain", "continuation_token", "suffix", "start_after", "folder_markers"):
        request["properties"].pop(name, None)
    if operation == "HeadBucket":
        del request["properties"]["keys"]
    request["properties"]["operation"] = {"const": operation}
    request["properties"]["expires_in"] = {"type": "integer", "minimum": 1, "maximum": 3600}
    request["required"] = ["operation", *([] if operation == "HeadBucket" else ["keys"]), *needed]
    for condition in ("if", "else"):
        request.pop(condition, None)
    if not content["examples"]:
        del content["examples"]
    (folder / f"{operation}.json").write_text(json.dumps(one))
