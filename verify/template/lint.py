"""Lints template.yaml as CloudFormation will see it: after the SAM transform, with every condition decided.

  lint.py template.yaml OUTPUT_FOLDER

Writes the transformed template and its policies to OUTPUT_FOLDER for whoever wants to look. cfn-lint and checkov read
the transformed template, as it is by default and with everything on that can be. IAM linters, however, do not know what Fn::If means and let through what they cannot
read, so the conditions are decided here for a table of parameters; parliament then reads real policies and the table
says what each must grant, no more and no less. The documents in guardrails/ are held against the template, and the
metrics that it watches against docs/audit.md.

Prints one line for each finding, then one line of figures. Exits 0 when there is no finding.
"""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import parliament
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

BIN = Path(sys.executable).parent
REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "bulk-presign"
PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
SIGNING_ROLE = "arn:aws:iam::210987654321:role/photos-signer"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
PHOTOS = "arn:aws:s3:::photos/"

# The parameters that make all there is. The other defaults are the template's own.
EVERYTHING = {
    "Operations": "GetObject,HeadObject,PutObject,DeleteObject,UploadPart", "BucketRegion": "eu-north-1", "KmsKeyArn": KEY,
    "ResultsBucket": "answers", "DataBucketPolicy": "true", "DataEvents": "true",
    "Jobs": "true", "NotifyQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told",
    "ResponseStream": "true", "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms", "Deployment": "Canary10Percent5Minutes",
}

# What a set of parameters must grant, beside the function's own log and its traces: actions and resource, by Sid.
API = [
    ("defaults", {}, {"SignReads": ("s3:GetObject", PHOTOS + "*")}),
    ("HeadObject", {"Operations": "HeadObject"}, {"SignReads": ("s3:GetObject", PHOTOS + "*")}),
    ("PutObject", {"Operations": "PutObject"}, {"SignWrites": ("s3:PutObject", PHOTOS + "*")}),
    ("UploadPart", {"Operations": "UploadPart"}, {"SignWrites": ("s3:PutObject", PHOTOS + "*")}),
    ("DeleteObject", {"Operations": "DeleteObject"}, {"SignDeletes": ("s3:DeleteObject", PHOTOS + "*")}),
    # Only reads know versions: no s3:PutObjectVersion and the like.
    ("versions of PutObject", {"Operations": "PutObject", "ObjectVersions": "true"},
     {"SignWrites": ("s3:PutObject", PHOTOS + "*")}),
    ("versions of GetObject", {"ObjectVersions": "true"},
     {"SignReads": ("s3:GetObject s3:GetObjectVersion", PHOTOS + "*")}),
    ("prefix", {"KeyPrefix": "team-a/"}, {"SignReads": ("s3:GetObject", PHOTOS + "team-a/*")}),
    ("KMS, read", {"KmsKeyArn": KEY},
     {"SignReads": ("s3:GetObject", PHOTOS + "*"), "UseKeyThroughS3": ("kms:Decrypt", KEY)}),
    # A key is of no use to DeleteObject.
    ("KMS, delete", {"KmsKeyArn": KEY, "Operations": "DeleteObject"},
     {"SignDeletes": ("s3:DeleteObject", PHOTOS + "*")}),
    ("results", {"ResultsBucket": "answers"},
     {"SignReads": ("s3:GetObject", PHOTOS + "*"),
      "KeepLargeResults": ("s3:GetObject s3:PutObject", "arn:aws:s3:::answers/results/*")}),
    ("everything",
     {"Operations": "UploadPart,DeleteObject,PutObject,HeadObject,GetObject", "ObjectVersions": "true",
      "KeyPrefix": "a/b/", "KmsKeyArn": KEY, "ResultsBucket": "answers", "ResultsPrefix": "x/y/"},
     {"SignReads": ("s3:GetObject s3:GetObjectVersion", PHOTOS + "a/b/*"),
      "SignWrites": ("s3:PutObject", PHOTOS + "a/b/*"),
      "SignDeletes": ("s3:DeleteObject s3:DeleteObjectVersion", PHOTOS + "a/b/*"),
      "UseKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", KEY),
      "KeepLargeResults": ("s3:GetObject s3:PutObject", "arn:aws:s3:::answers/x/y/*")}),
    # The signing role holds the permissions then; this one can do nothing on the bucket.
    ("signing role",
     {"SigningRoleArn": SIGNING_ROLE, "Operations": "GetObject,PutObject,DeleteObject", "KmsKeyArn": KEY},
     {"AssumeSigningRole": ("sts:AssumeRole", SIGNING_ROLE)}),
]
NOTES = f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"


def job(queue):
    """The table of a role that does jobs."""
    always = own_log({"RequestQueue": "queue", "ManifestQueue": "manifest"}[queue]) | {
        "UseOwnQueue": ("sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility sqs:SendMessage",
                        f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")}
    reads = {"SignReads": ("s3:GetObject", PHOTOS + "*")}

    def kept(lists, bucket, results):
        return {"ReadManifests": ("s3:GetObject s3:GetObjectVersion", f"arn:aws:s3:::{lists}*"),
                "ListPrefixes": ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
                "KeepResults": ("s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload", f"arn:aws:s3:::{results}*")}
    jobs = {"Jobs": "true", "ResultsBucket": "answers"}
    return always, [
        ("lists in the data bucket", jobs, reads | kept("photos/manifests/", "photos", "answers/results/")),
        ("lists apart, and notes", jobs | {"ManifestBucket": "lists", "ManifestPrefix": "in/", "NotifyQueueArn": NOTES},
         reads | kept("lists/in/", "photos", "answers/results/") | {"TellOfResults": ("sqs:SendMessage", NOTES)}),
        ("a results bucket of the stack's own", {"Jobs": "true", "MakeResultsBucket": "true"},
         reads | kept("photos/manifests/", "photos", "<ResultsStore>/results/")),
        ("everything", jobs | {
            "Operations": "UploadPart,DeleteObject,PutObject,HeadObject,GetObject", "ObjectVersions": "true",
            "KmsKeyArn": KEY},
         {"SignReads": ("s3:GetObject s3:GetObjectVersion", PHOTOS + "*"),
          "SignWrites": ("s3:PutObject", PHOTOS + "*"),
          "SignDeletes": ("s3:DeleteObject s3:DeleteObjectVersion", PHOTOS + "*"),
          "UseKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", KEY)} | kept("photos/manifests/", "photos", "answers/results/")),
        ("signing role", jobs | {"SigningRoleArn": SIGNING_ROLE},
         kept("photos/manifests/", "photos", "answers/results/") | {"AssumeSigningRole": ("sts:AssumeRole", SIGNING_ROLE)}),
    ]


DEPLOYMENT = [("gradual", {"Deployment": "Canary10Percent5Minutes"}, {
    "MoveAlias": ("lambda:GetAlias lambda:UpdateAlias", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ApiFunction"),
    "ReadAlarms": ("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"),
})]


def own_log(name):
    """What every function's role grants, whatever the parameters are."""
    return {
        "WriteOwnLog": ("logs:CreateLogStream logs:PutLogEvents",
                        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-{name}:*"),
        "SendTraces": ("xray:PutTelemetryRecords xray:PutTraceSegments", "*"),
    }


# Each role of the template: what it always grants, and its table.
ROLES = {
    "ApiRole": (own_log("api"), API),
    "DeploymentRole": ({}, DEPLOYMENT),
    "QueueRole": job("RequestQueue"),
    "ManifestRole": job("ManifestQueue"),
}
CONDITIONS = {
    "SignReads": {"s3:authType": "REST-QUERY-STRING"},
    "SignWrites": {"s3:authType": "REST-QUERY-STRING"},
    "SignDeletes": {"s3:authType": "REST-QUERY-STRING"},
    "UseKeyThroughS3": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"},
}
# How the HTTP API knows its callers.
CALLERS = [
    ("defaults", {},
     {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}),
    ("tokens", {"JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web,app"},
     {"type": "oauth2", "x-amazon-apigateway-authorizer": {
         "type": "jwt", "identitySource": "$request.header.Authorization",
         "jwtConfiguration": {"issuer": "https://issuer.example.com/", "audience": ["web", "app"]}}}),
]
# Those of other operators than StringEquals.
OTHER_CONDITIONS = {"ListPrefixes": {"StringLike": {"s3:prefix": "*"}}}
NO_VALUE = object()


class Stack:
    """A template with its parameters given: resolve turns intrinsic functions into values."""

    def __init__(self, template, parameters):
        self.template = template
        self.values = PSEUDO | {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
        self.values |= parameters

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, node):
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (function, argument), = node.items()
            if function == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if function == "Ref" or function.startswith("Fn::"):
                return self.call(function.removeprefix("Fn::"), argument)
        resolved = {k: self.resolve(v) for k, v in node.items()}
        return {k: v for k, v in resolved.items() if v is not NO_VALUE}

    def call(self, function, argument):
        if function == "If":
            return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])
        if function == "GetAtt":
            return self.attribute(*argument)
        if function == "Ref":
            if argument == "AWS::NoValue":
                return NO_VALUE
            return self.values[argument] if argument in self.values else f"<{argument}>"
        if function == "Sub":
            text, names = argument if isinstance(argument, list) else (argument, {})
            names = self.resolve(names)
            return re.sub(r"\$\{([^}]+)\}", lambda m: str(names[m[1]] if m[1] in names else self.named(m[1])), text)
        argument = self.resolve(argument)
        if function == "Equals":
            return argument[0] == argument[1]
        if function == "Not":
            return not argument[0]
        if function == "And":
            return all(argument)
        if function == "Or":
            return any(argument)
        if function == "Split":
            return argument[1].split(argument[0])
        if function == "FindInMap":
            return self.template["Mappings"][argument[0]][argument[1]][argument[2]]
        if function == "Select":
            return argument[1][int(argument[0])]
        raise NotImplementedError(f"Fn::{function} in the template; teach {Path(__file__).name} what it means")

    def named(self, name):
        """What ${name} stands for in Fn::Sub."""
        if "." in name:
            return self.attribute(*name.split(".", 1))
        return self.call("Ref", name)

    def attribute(self, resource, name):
        properties = self.template["Resources"][resource].get("Properties", {})
        arns = {
            "AWS::Logs::LogGroup": lambda: f"logs:{REGION}:{ACCOUNT}:log-group:{self.resolve(properties['LogGroupName'])}:*",
            "AWS::Lambda::Function": lambda: f"lambda:{REGION}:{ACCOUNT}:function:{resource}",
            "AWS::IAM::Role": lambda: f"iam::{ACCOUNT}:role/{resource}",
            "AWS::S3::Bucket": lambda: f"s3:::{resource.lower()}",
            "AWS::SQS::Queue": lambda: f"sqs:{REGION}:{ACCOUNT}:{resource}",
        }
        arn = arns.get(self.template["Resources"][resource]["Type"])
        return f"arn:aws:{arn()}" if arn and name == "Arn" else f"<{resource}.{name}>"


def translate(path, parameters):
    """The template after AWS::Serverless-2016-10-31, as a dict, with these parameters as its defaults."""
    template = yaml_parse(Path(path).read_text())
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artifacts/function.zip"  # the translator wants an uploaded one

    class NoManagedPolicies:
        def load(self):
            return {}

    apis = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::Serverless::Api"}
    template = transform(template, parameters, NoManagedPolicies())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::Stage":  # the translator leaves what is said of it on the API alone
            resource["Metadata"] = apis[resource["Properties"]["RestApiId"]["Ref"]]["Metadata"]
    del template["Mappings"]["Deployments"]  # the translator alone reads it
    if not template["Mappings"]:
        del template["Mappings"]
    return template


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_structure(template):
    """What must hold whatever the parameters are."""
    findings = []
    roles = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    for name, role in roles.items():
        if name not in ROLES:
            findings.append(f"{name} has no table here of what it may do")
        if role["Properties"].get("ManagedPolicyArns"):
            findings.append(f"{name} has managed policies")
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            role = resource["Properties"].get("Role", {}).get("Fn::GetAtt", [None])[0]
            if role not in roles or role == f"{name}Role":
                findings.append(f"{name} does not run under a role written in the template")
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            findings += check_callers(name, template)
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            for path, methods in resource["Properties"]["Body"]["paths"].items():
                for method, operation in methods.items():
                    if operation.get("security") != [{"AWS_IAM": []}]:
                        findings.append(f"{name}: {method} {path} is open to callers who did not sign with IAM")
                    if "credentials" in operation["x-amazon-apigateway-integration"]:
                        findings.append(f"{name}: {method} {path} invokes the function with other credentials than the API's")
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            if not skip.get("comment"):
                findings.append(f"{name} suppresses {skip['id']} without saying why")
    return findings


def check_callers(api, template):
    """Every route asks who calls, and by what the parameters say."""
    findings = []
    for title, parameters, want in CALLERS:
        body = Stack(template, {"Bucket": "photos"} | parameters).resolve(template["Resources"][api]["Properties"]["Body"])
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                if operation.get("security") != [{"Caller": []}]:
                    findings.append(f"{api}: {method} {path} is open to everyone")
        if body["components"]["securitySchemes"] != {"Caller": want}:
            findings.append(f"{api}: {title}: callers are not known by {want}")
    for given, want in (("", None), ("https://a.example,http://localhost:3000", ["https://a.example", "http://localhost:3000"])):
        body = Stack(template, {"AllowedOrigins": given}).resolve(template["Resources"][api]["Properties"]["Body"])
        if body.get("x-amazon-apigateway-cors", {}).get("allowOrigins") != want:
            findings.append(f"{api}: pages of {given!r} are not the only ones that may call it")
    return findings


def check_role(title, policies, want, always):
    """Compares the statements of a role with the table's, and lets parliament read each of its policies."""
    findings = []
    got = {}
    for policy in policies:
        document = policy["PolicyDocument"]
        findings += parliament_on(title, document)
        for statement in document["Statement"]:
            condition = statement.get("Condition", {})
            got[statement["Sid"]] = (
                statement["Effect"], sorted(as_list(statement["Action"])), as_list(statement["Resource"]), condition)
    for sid, (actions, resource) in (want | always).items():
        condition = OTHER_CONDITIONS.get(sid) or ({"StringEquals": CONDITIONS[sid]} if sid in CONDITIONS else {})
        expected = ("Allow", sorted(actions.split()), [resource], condition)
        if got.pop(sid, None) != expected:
            findings.append(f"{title}: statement {sid} is not {expected}")
    findings += [f"{title}: statement {sid} should not be there: {statement}" for sid, statement in got.items()]
    return findings


def parliament_on(title, document):
    return [f"{title}: parliament: {finding.issue} {finding.detail}".rstrip()
            for finding in parliament.analyze_policy_string(json.dumps(document)).findings]


# Actions of S3 that are no request which one could sign for an object, so that their conditions know no signature.
UNSIGNED = ("for action s3:InitiateReplication", "for action s3:PutAccessPointPublicAccessBlock")


def parliament_on_guardrail(title, document):
    return [f for f in parliament_on(title, document) if not f.endswith(UNSIGNED)]


def figures(node, name):
    """Every value of a condition key, wherever it stands in a policy."""
    if isinstance(node, list):
        for child in node:
            yield from figures(child, name)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == name:
                yield value
            yield from figures(value, name)


def check_guardrails(template, folder):
    """The template's bucket policy and the documents to merge by hand must say the same, in milliseconds."""
    findings = []
    seconds = template["Parameters"]["MaxExpiresIn"]["Default"]
    in_template = template["Resources"]["BucketGuardrails"]["Properties"]["PolicyDocument"]
    for other in (1, 900, seconds, 604800):
        policy = Stack(template, {"Bucket": "photos", "MaxExpiresIn": str(other)}).resolve(in_template)
        findings += parliament_on_guardrail(f"BucketGuardrails, {other} s", policy)
        if list(figures(policy, "s3:signatureAge")) != [str(other * 1000)]:
            findings.append(f"BucketGuardrails: s3:signatureAge is not the milliseconds of {other} seconds")
    if "DenySignerAllButURLs" in [s["Sid"] for s in Stack(
            template, {"Bucket": "photos", "ResultsBucket": "photos"}).resolve(in_template)["Statement"]]:
        findings.append("BucketGuardrails: the function could not put its large answers into the data bucket")
    for parameters, want in (
            ({}, "ApiRole"),
            ({"Jobs": "true"}, "ApiRole"),  # lists lie in the data bucket
            ({"Jobs": "true", "ManifestBucket": "photos"}, "ApiRole"),
            ({"Jobs": "true", "ManifestBucket": "lists"}, "ApiRole QueueRole ManifestRole")):
        policy = Stack(template, {"Bucket": "photos"} | parameters).resolve(in_template)
        roles = list(figures(policy, "aws:PrincipalArn"))[0]
        names = " ".join(arn.split("/")[-1] for arn in ([roles] if isinstance(roles, str) else roles))
        if names != want:
            findings.append(f"BucketGuardrails with {parameters} holds {names} to URLs, not {want}")
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        findings += parliament_on_guardrail(path.name, document)
        ages = list(figures(document, "s3:signatureAge"))
        if ages != [str(seconds * 1000)]:
            findings.append(f"{path.name}: s3:signatureAge is {ages}, not the milliseconds of {seconds} seconds")
        for statement in document["Statement"]:
            if statement["Effect"] != "Deny":
                findings.append(f"{path.name}: {statement['Sid']} is no Deny: a guardrail gives nothing")
    stack = Stack(template, {"Bucket": "amzn-s3-demo-bucket", "SigningRoleArn": "arn:aws:iam::111122223333:role/bulk-presign"})
    if json.loads((folder / "bucket-policy.json").read_text()) != stack.resolve(in_template):
        findings.append("bucket-policy.json is not what the template makes of its parameters")
    return findings


def check_deployment(default, everything):
    """Calls come in through the alias, and CodeDeploy is there only where it was asked for."""
    findings = []
    for title, template in (("by default", default), ("gradual", everything)):
        body = template["Resources"]["HttpApi"]["Properties"]["Body"]["paths"]["/presign"]["post"]
        if "${ApiFunctionAliaslive}" not in body["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]:
            findings.append(f"{title}: the API does not call the alias")
        gradual = [n for n, r in template["Resources"].items() if r["Type"].startswith("AWS::CodeDeploy::")]
        if bool(gradual) != (title == "gradual"):
            findings.append(f"{title}: CodeDeploy's resources are {gradual}")
    group = Stack(everything, {}).resolve(everything["Resources"]["ApiFunctionDeploymentGroup"]["Properties"])
    alarms = [a["Name"] for a in group["AlarmConfiguration"]["Alarms"]]
    if alarms != ["<NewVersionErrorsAlarm>", "<FailuresAlarm>"]:
        findings.append(f"a gradual deployment is rolled back by {alarms}")
    if group["ServiceRoleArn"] != f"arn:aws:iam::{ACCOUNT}:role/DeploymentRole":
        findings.append("a gradual deployment does not run under the role written for it")
    description = next(r for r in default["Resources"].values() if r["Type"] == "AWS::Lambda::Version")["Properties"]["Description"]
    before = Stack(default, {}).resolve(description)
    for name in ("Release", "Operations", "DefaultExpiresIn", "MaxExpiresIn", "MaxKeys", "MemorySize", "Timeout", "ResponseStream"):
        if Stack(default, {name: "7"}).resolve(description) == before:
            findings.append(f"a new {name} makes no new version, so the alias would keep the old one")
    return findings


def check_metrics(template, documentation):
    """What alarms and dashboard watch is there: the function's own metrics are those of docs/audit.md."""
    stack = Stack(template, {})
    known = set(re.findall(r"`([A-Z][A-Za-z]+)`", documentation.read_text()))
    watched = set()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            properties = stack.resolve(resource["Properties"])
            for metric in [properties] + [m["MetricStat"]["Metric"] for m in properties.get("Metrics", []) if "MetricStat" in m]:
                if metric.get("Namespace") == "BulkPresign":
                    watched.add(metric["MetricName"])
    dashboard = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    json.loads(Stack(template, {"Jobs": "false"}).resolve(dashboard))  # it must be JSON without them, too
    body = json.loads(stack.resolve(dashboard))
    for widget in body["widgets"]:
        namespace = None
        for metric in widget["properties"].get("metrics", []):
            namespace = namespace if metric[0] in (".", "...") else metric[0]
            if namespace == "BulkPresign" and metric[0] != "...":
                watched.add(metric[1])
    findings = [f"no function has a metric {name}" for name in watched - known]
    if len(watched) < 5:
        findings.append(f"only {sorted(watched)} of the function's metrics are watched")
    return findings


def run(*command):
    return subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=False)


def lint(path, findings):
    """cfn-lint on a template. Says whether it was clean."""
    result = run("cfn-lint", "--include-checks", "I", "--format", "parseable", "--", path)
    output = (result.stdout + result.stderr).strip()
    if result.returncode or output:
        findings += output.splitlines() or [f"cfn-lint failed on {path}"]
        return False
    return True


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator asks for one
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of switches that only AWS itself has
    default, everything = translate(source, {}), translate(source, EVERYTHING)
    findings = check_structure(everything)
    findings += check_guardrails(default, source.parent / "guardrails")
    findings += check_deployment(default, everything)
    findings += check_metrics(everything, source.parent / "docs/audit.md")

    clean = lint(str(source), findings)
    checked, skipped = 0, 0
    for name, template in (("template.json", default), ("everything.json", everything)):
        path = folder / name
        path.write_text(json.dumps(template, indent=2))
        clean += lint(str(path), findings)
        # The guidelines that checkov would fetch are only links to its vendor's pages.
        result = run("checkov", "--file", str(path), "--framework", "cloudformation", "--skip-download", "--output", "json")
        report = json.loads(result.stdout)
        findings += [f"checkov: {c['check_id']} {c['resource']}: {c['check_name']}"
                     for c in report["results"]["failed_checks"]]
        if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
            findings.append(f"checkov could not read {path}")
        checked += report["summary"]["passed"]
        skipped += report["summary"]["skipped"]

    right, tables = 0, 0
    for name, (always, table) in ROLES.items():
        for title, parameters, want in table:
            stack = Stack(default, {"Bucket": "photos"} | parameters)
            role = stack.resolve(default["Resources"][name]["Properties"])
            file = f"{name}-{re.sub('[^a-z]+', '-', title.lower())}.json"
            (folder / file).write_text(json.dumps(role, indent=2))
            wrong = check_role(f"{name}, {title}", role["Policies"], want, always)
            findings += wrong
            right += not wrong
            tables += 1

    for finding in findings:
        print(finding)
    print(f"lint-template: cfn-lint {clean}/3 templates clean, checkov {checked} checks passed and {skipped} suppressed with "
          f"a reason, parliament and table {right}/{tables} roles as written, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
