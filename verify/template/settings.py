"""Whether what a parameter says takes effect, and whether the functions start with what the template accepts."""

import copy
import json
import os
import subprocess
import tempfile
from pathlib import Path

from roles import ALL, KEY, NOTES, OTHER, SIGNING_ROLE
from stack import ACCOUNT, REGION, Stack

# Of each parameter another value than its default, and what must be given with it.
OTHERS = {
    "Bucket": ("other", {}), "BucketRegion": ("eusc-de-east-1", {}), "BucketAccount": (OTHER, {}),
    "KeyPrefix": ("team-a/", {}), "Operations": (ALL, {}), "ObjectVersions": ("true", {}), "ListKeys": ("true", {}),
    "KmsKeyArn": (KEY, {}),
    "Policy": ('{"rules":[{"name":"all","effect":"allow","callers":[{"direct":true}]}]}', {}),
    "JwtIssuer": ("https://issuer.example.com/", {"JwtAudience": "web"}),
    "JwtAudience": ("web", {"JwtIssuer": "https://issuer.example.com/"}),
    "JwtScopes": ("sign", {"JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web"}),
    "DefaultExpiresIn": ("60", {}), "MaxExpiresIn": (600, {}), "MaxKeys": (10, {}),
    "SigningRoleArn": (SIGNING_ROLE, {}), "SigningExternalId": ("photos-1", {"SigningRoleArn": SIGNING_ROLE}),
    "SigningSession": ("service", {}), "Attribution": ("true", {}),
    "PermissionsBoundaryArn": (f"arn:aws:iam::{ACCOUNT}:policy/boundary", {}), "RolePath": ("/apps/", {}),
    "ResultsBucket": ("answers", {}), "MakeResultsBucket": ("true", {}), "ResultsPrefix": ("x/", {}),
    "ResultsDays": (1, {"MakeResultsBucket": "true"}), "ResultsKmsKeyArn": (KEY, {"MakeResultsBucket": "true"}),
    "Jobs": ("true", {}), "ManifestBucket": ("lists", {"Jobs": "true"}), "ManifestPrefix": ("in/", {"Jobs": "true"}),
    "ManifestKmsKeyArn": (KEY, {"Jobs": "true"}), "SourceTopicArn": (f"arn:aws:sns:{REGION}:{ACCOUNT}:uploads", {"Jobs": "true"}),
    "NotifyQueueArn": (NOTES, {"Jobs": "true"}), "NotifyKmsKeyArn": (KEY, {"Jobs": "true", "NotifyQueueArn": NOTES}),
    "Scale": ("true", {"Jobs": "true"}), "JobTimeout": ("900", {"Jobs": "true"}), "JobConcurrency": (2, {"Jobs": "true"}),
    "Architecture": ("x86_64", {}), "MemorySize": (512, {}), "Timeout": (300, {}), "ReservedConcurrency": ("7", {}),
    "ProvisionedConcurrency": (2, {}), "VpcSubnetIds": ("subnet-1,subnet-2", {"VpcSecurityGroupIds": "sg-1"}),
    "VpcSecurityGroupIds": ("sg-1", {"VpcSubnetIds": "subnet-1"}), "Tracing": ("PassThrough", {}),
    "ThrottlingRateLimit": (1, {}), "ThrottlingBurstLimit": (1, {}), "AllowedOrigins": ("https://app.example.com", {}),
    "DomainName": ("sign.example.com", {"CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"}),
    "CertificateArn": (f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1", {"DomainName": "sign.example.com"}),
    "ExecuteApiEndpoint": ("false", {
        "DomainName": "sign.example.com", "CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"}),
    "ResponseStream": ("true", {}), "DataBucketPolicy": ("true", {}), "DataEvents": ("true", {}),
    "LogRetentionDays": (1, {}), "LogKmsKeyArn": (KEY, {}), "Alarms": ("false", {}),
    "AlarmTopicArn": (f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms", {}), "SlowMilliseconds": (1, {}), "Refusals": (1, {}),
    "Deployment": ("Canary10Percent5Minutes", {}), "EndpointUrl": ("http://127.0.0.1:9000", {}), "Addressing": ("path", {}),
}
FUNCTIONS = {"ApiFunction": "api", "JobsFunction": "jobs"}
# What the template cannot see and the functions refuse: the parameters, and what the refusal must name.
REFUSED = [
    ({"DefaultExpiresIn": "601", "MaxExpiresIn": 600}, "PRESIGN_DEFAULT_EXPIRES_IN"),
    ({"SigningRoleArn": SIGNING_ROLE, "MaxExpiresIn": 3601}, "PRESIGN_MAX_EXPIRES_IN"),
    ({"Policy": "{}x"}, "PRESIGN_POLICY"),
    ({"Policy": "file://not-there.json"}, "PRESIGN_POLICY"),
]
# What CloudFormation must refuse: the parameters, and what the refusal must say.
UNFIT = [
    ({"Deployment": "Canary10Percent5Minutes", "Alarms": "false"}, "Alarms must be true"),
    ({"JwtIssuer": "https://issuer.example.com/"}, "JwtAudience must be set"),
    ({"DomainName": "sign.example.com"}, "go together"), ({"ExecuteApiEndpoint": "false"}, "Without a DomainName"),
    ({"Scale": "true"}, "Jobs must be true"),
    ({"Jobs": "true", "BucketRegion": "eu-north-1"}, "name a ManifestBucket"),
    ({"Jobs": "true", "BucketAccount": OTHER, "ManifestBucket": "photos"}, "name a ManifestBucket"),
    ({"DataBucketPolicy": "true", "BucketAccount": OTHER}, "DataBucketPolicy must be false"),
    ({"DataBucketPolicy": "true", "BucketRegion": "eu-north-1"}, "DataBucketPolicy must be false"),
    ({"Bucket": "photos--euw1-az1--x-s3"}, "general purpose bucket"), ({"Bucket": "s3://photos"}, "general purpose bucket"),
    ({"BucketRegion": "Frankfurt"}, "region name"), ({"DefaultExpiresIn": "604801"}, "1 to 604800"),
    ({"DefaultExpiresIn": "0"}, "1 to 604800"), ({"KeyPrefix": "a*"}, "letters, digits"), ({"JobConcurrency": 1}, "2 to 1000"),
]
REGIONS = ["eu-west-1", "us-gov-east-1", "cn-northwest-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-7", "mx-central-1"]


def differ(stack, before):
    """Whether the API's function is another than before, in what a version holds."""
    def version(s):
        properties = copy.deepcopy(s.template["Resources"]["ApiFunction"]["Properties"])
        properties["Environment"]["Variables"].pop("PRESIGN_SETTINGS")
        properties.pop("ReservedConcurrentExecutions", None)  # of the function as a whole
        properties.pop("Tags", None)
        return s.resolve(properties)
    return version(stack) != version(before)


def check_settings(template):
    """A new value of any parameter takes effect when it is deployed: calls go to the function itself, or to a version
    that is made anew for it."""
    findings = [f"{name} has no other value in settings.py" for name in template["Parameters"] if name not in OTHERS]
    properties = template["Resources"]["ApiFunction"]["Properties"]
    record = template["Resources"]["SettingsVersion"]["Properties"]["Content"]
    version = next(r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Version")
    if version.get("UpdateReplacePolicy") != "Retain" or version.get("DeletionPolicy") != "Retain":
        findings.append("a version that is replaced is deleted, and with it the way back")
    for name, (value, needed) in OTHERS.items():
        if name not in template["Parameters"]:
            findings.append(f"settings.py knows a parameter {name} that is gone")
            continue
        given = {"Bucket": "photos"} | needed
        given.pop(name, None)
        before = Stack(template, {"Bucket": "photos"} | {k: v for k, v in needed.items() if k != name})
        after = Stack(template, {"Bucket": "photos"} | needed | {name: value})
        findings += [f"{name}={value} is refused: {p}" for p in after.problems()]
        if before.resolve({k: template[k] for k in ("Resources", "Outputs")} | {
                "There": {n: before.there(n) for n in template["Resources"]}}) == after.resolve(
                    {k: template[k] for k in ("Resources", "Outputs")} | {"There": {n: after.there(n) for n in template["Resources"]}}):
            findings.append(f"{name} changes nothing")
        # Through the alias: another text of the record is another version, by its description, for which the function has
        # changed in any case, since the record's number is in its environment.
        alias = {"Deployment": "Canary10Percent5Minutes"}
        if name != "Deployment" and differ(after, before):
            was, now = (Stack(template, s.values | alias).resolve(record) for s in (before, after))
            if was == now:
                findings.append(f"{name} changes the function, and calls through the alias would not notice")
    description = Stack(template, {"Deployment": "Canary10Percent5Minutes"}).resolve(version["Properties"]["Description"])
    environment = Stack(template, {"Deployment": "Canary10Percent5Minutes"}).resolve(properties["Environment"]["Variables"])
    if "<SettingsVersion>" not in description or environment["PRESIGN_SETTINGS"] != "<SettingsVersion>":
        findings.append("another record of the settings makes no new version")
    return findings


def check_called(template):
    """Calls go to the function where all is deployed at once, else to the alias."""
    findings = []
    for parameters, want in (({}, "function:ApiFunction"), ({"Deployment": "Canary10Percent5Minutes"}, "ApiFunctionAliaslive"),
                             ({"ProvisionedConcurrency": 2}, "ApiFunctionAliaslive")):
        stack = Stack(template, {"Bucket": "photos", "JwtIssuer": "https://i.example/", "ResponseStream": "true",
                                 "AllowedOrigins": "https://a.example"} | parameters)
        called = []
        for api in ("HttpApi", "StreamApi"):
            for methods in stack.resolve(template["Resources"][api]["Properties"]["Body"])["paths"].values():
                called += [m["x-amazon-apigateway-integration"]["uri"] for m in methods.values()]
        called += [stack.resolve(template["Resources"][p]["Properties"]["FunctionName"])
                   for p in ("HttpApiPermission", "StreamApiPermission")]
        called.append(stack.resolve(template["Outputs"]["ApiFunctionArn"]["Value"]))
        findings += [f"with {parameters} a call goes to {c}" for c in called if want not in c]
        if len(called) != 7:
            findings.append(f"{len(called)} ways to call are known, not 7")
    return findings


def sets_at_bounds(template):
    """Sets of parameters that the template accepts: each parameter alone at each of its bounds, with what it needs."""
    yield "defaults", {}
    for name, p in template["Parameters"].items():
        other, needed = OTHERS[name]
        values = [other] + [str(v) for v in p.get("AllowedValues", [])] + [p[b] for b in ("MinValue", "MaxValue") if b in p]
        if "" == p.get("Default"):
            values.append("")
        for value in values:
            yield f"{name}={value}", needed | {name: value}
            yield f"{name}={value}, Jobs", {"Jobs": "true"} | ({"ManifestBucket": "lists"} if name in ("BucketRegion", "BucketAccount") else {}) | needed | {name: value}
    for region in REGIONS:
        yield f"in {region}", {"BucketRegion": region}
    for seconds in ("1", "99999", "599999", "603999", "604799", "604800"):
        yield f"DefaultExpiresIn={seconds}", {"DefaultExpiresIn": seconds, "MaxExpiresIn": 604800}


def starts(binary, environment):
    """Whether a function would start, and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([str(binary), "check"], capture_output=True, text=True, check=False, timeout=60, cwd=folder, env={
            "AWS_REGION": REGION, "LAMBDA_TASK_ROOT": folder, "PATH": os.defpath} | environment)
    try:
        said = [json.loads(line) for line in run.stdout.splitlines()]
    except ValueError:
        return False, [f"what it says is no JSON: {run.stdout}{run.stderr}"]
    return run.returncode == 0, [p for line in said for p in line.get("problems", [])]


def check_starts(template, binaries):
    """Runs the real binaries with the environment of each set; returns findings and how many sets there were."""
    findings, tried = [], set()
    count = 0

    def environments(stack):
        for function, folder in FUNCTIONS.items():
            if stack.there(function):
                # What AWS makes has its name from AWS.
                yield folder, {k: v.replace("<ResultsStore>", "made").replace("<ManifestQueue>", "https://sqs.example/1/lists")
                               for k, v in stack.environment(function).items()}

    for title, parameters in sets_at_bounds(template):
        stack = Stack(template, {"Bucket": "photos"} | parameters)
        if stack.problems():
            continue  # the template's own to refuse: UNFIT
        count += 1
        for folder, environment in environments(stack):
            key = (folder, tuple(sorted(environment.items())))
            if key in tried:
                continue
            tried.add(key)
            # With a signing role nothing lives longer than an hour: in REFUSED.
            if environment["PRESIGN_SIGNING_ROLE_ARN"] and int(environment["PRESIGN_MAX_EXPIRES_IN"]) > 3600:
                continue
            good, said = starts(Path(binaries) / folder / "bootstrap", environment)
            if not good:
                findings.append(f"with {title} the function {folder} does not start: {said}")
    for parameters, want in REFUSED:
        stack = Stack(template, {"Bucket": "photos", "Jobs": "true"} | parameters)
        findings += [f"{parameters} is refused by the template already: {p}" for p in stack.problems()]
        for folder, environment in environments(stack):
            good, said = starts(Path(binaries) / folder / "bootstrap", environment)
            if good or not any(want in s for s in said):
                findings.append(f"with {parameters} the function {folder} does not say what is wrong: {said}")
    for parameters, want in UNFIT:
        said = Stack(template, {"Bucket": "photos"} | parameters).problems()
        if not any(want in s for s in said):
            findings.append(f"{parameters} is not refused with {want!r}: {said}")
    if count < len(template["Parameters"]):
        findings.append(f"only {count} sets of parameters were tried")
    return findings, count
