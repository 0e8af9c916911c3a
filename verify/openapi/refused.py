"""A check for schemathesis: what the description refuses is refused.

An option of an item fails that key alone, and the request is answered with 200, so schemathesis's own check
(negative_data_rejection) does not do.
"""

import json
import os

import jsonschema_rs
import schemathesis
from schemathesis.core import NotSet

with open(os.environ["DESCRIPTION"]) as file:
    components = json.load(file)["components"]
request = jsonschema_rs.Draft202012Validator({"$ref": "#/components/schemas/Request", "components": components})
codes = components["schemas"]["KeyCode"]["enum"]


@schemathesis.check
def refused(context, response, case) -> None:
    if isinstance(case.body, NotSet | bytes) or case.method != "POST" or response.status_code != 200:
        return
    try:
        sent = json.loads(json.dumps(case.body))
    except (TypeError, ValueError):
        return
    if request.is_valid(sent):
        return
    keys = sent.get("keys") if isinstance(sent, dict) else None
    of_batch = not keys or not request.is_valid({**sent, "keys": ["k"]})
    if of_batch or not any(code in response.text for code in codes):
        raise AssertionError("the description refuses the request, and the service signs all of it: " + str(next(request.iter_errors(sent)).message)[:300])
