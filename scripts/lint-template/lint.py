"""Lints template.yaml as CloudFormation will see it: after the SAM transform, with every condition decided.

  lint.py template.yaml OUTPUT_FOLDER

Writes the transformed template and its policies to OUTPUT_FOLDER for whoever wants to look. cfn-lint and checkov read
the transformed template. IAM linters, however, do not know what Fn::If means and let through what they cannot
read, so the conditions are decided here for a table of parameters; parliament then reads real policies and the table
says what each must grant, no more and no less.

Prints one line for each finding, then one line of figures. Exits 0 when there is no finding.
"""

import json
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

# What a set of parameters must grant, beside the function's own log and its traces: actions and resource, by Sid.
ROLES = [
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
ALWAYS = {
    "WriteOwnLog": ("logs:CreateLogStream logs:PutLogEvents",
                    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-api:*"),
    "SendTraces": ("xray:PutTelemetryRecords xray:PutTraceSegments", "*"),
}
CONDITIONS = {
    "SignReads": {"s3:authType": "REST-QUERY-STRING"},
    "SignWrites": {"s3:authType": "REST-QUERY-STRING"},
    "SignDeletes": {"s3:authType": "REST-QUERY-STRING"},
    "UseKeyThroughS3": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"},
}
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
            return re.sub(r"\$\{([^}]+)\}", lambda m: str(names.get(m[1]) or self.call("Ref", m[1])), text)
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
        if function == "Select":
            return argument[1][int(argument[0])]
        raise NotImplementedError(f"Fn::{function} in the template; teach {Path(__file__).name} what it means")

    def attribute(self, resource, name):
        properties = self.template["Resources"][resource].get("Properties", {})
        if self.template["Resources"][resource]["Type"] == "AWS::Logs::LogGroup" and name == "Arn":
            return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.resolve(properties['LogGroupName'])}:*"
        return f"<{resource}.{name}>"


def translate(path):
    """The template after AWS::Serverless-2016-10-31, as a dict."""
    template = yaml_parse(Path(path).read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artifacts/function.zip"  # the translator wants an uploaded one

    class NoManagedPolicies:
        def load(self):
            return {}

    return transform(template, {}, NoManagedPolicies())


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_structure(template):
    """What must hold whatever the parameters are."""
    findings = []
    roles = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    for name, role in roles.items():
        if name != "ApiRole":
            findings.append(f"{name} has no table here of what it may do")
        if role["Properties"].get("ManagedPolicyArns"):
            findings.append(f"{name} has managed policies")
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            role = resource["Properties"].get("Role", {}).get("Fn::GetAtt", [None])[0]
            if role not in roles or role == f"{name}Role":
                findings.append(f"{name} does not run under a role written in the template")
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            for path, methods in resource["Properties"]["Body"]["paths"].items():
                for method, operation in methods.items():
                    if operation.get("security") != [{"AWS_IAM": []}]:
                        findings.append(f"{name}: {method} {path} is open to callers who did not sign with IAM")
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            if not skip.get("comment"):
                findings.append(f"{name} suppresses {skip['id']} without saying why")
    return findings


def check_role(title, policies, want):
    """Compares the statements of a role with the table's, and lets parliament read each of its policies."""
    findings = []
    got = {}
    for policy in policies:
        document = policy["PolicyDocument"]
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
            findings.append(f"{title}: parliament: {finding.issue} {finding.detail}".rstrip())
        for statement in document["Statement"]:
            condition = statement.get("Condition", {})
            got[statement["Sid"]] = (
                statement["Effect"], sorted(as_list(statement["Action"])), as_list(statement["Resource"]), condition)
    for sid, (actions, resource) in (want | ALWAYS).items():
        condition = {"StringEquals": CONDITIONS[sid]} if sid in CONDITIONS else {}
        expected = ("Allow", sorted(actions.split()), [resource], condition)
        if got.pop(sid, None) != expected:
            findings.append(f"{title}: statement {sid} is not {expected}")
    findings += [f"{title}: statement {sid} should not be there: {statement}" for sid, statement in got.items()]
    return findings


def run(*command):
    return subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=False)


def main():
    source, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator asks for one
    template = translate(source)
    transformed = folder / "template.json"
    transformed.write_text(json.dumps(template, indent=2))

    findings = check_structure(template)

    templates = [source, str(transformed)]
    clean = 0
    for path in templates:
        result = run("cfn-lint", "--include-checks", "I", "--format", "parseable", "--", path)
        output = (result.stdout + result.stderr).strip()
        if result.returncode or output:
            findings += output.splitlines() or [f"cfn-lint failed on {path}"]
        else:
            clean += 1

    # The guidelines that checkov would fetch are only links to its vendor's pages.
    result = run("checkov", "--file", str(transformed), "--framework", "cloudformation", "--skip-download",
                 "--output", "json")
    report = json.loads(result.stdout)
    summary = report["summary"]
    findings += [f"checkov: {c['check_id']} {c['resource']}: {c['check_name']}"
                 for c in report["results"]["failed_checks"]]
    if summary["parsing_errors"] or not summary["passed"]:
        findings.append("checkov could not read the transformed template")

    right = 0
    for title, parameters, want in ROLES:
        stack = Stack(template, {"Bucket": "photos"} | parameters)
        role = stack.resolve(template["Resources"]["ApiRole"]["Properties"])
        (folder / f"role-{re.sub('[^a-z]+', '-', title.lower())}.json").write_text(json.dumps(role, indent=2))
        wrong = check_role(title, role["Policies"], want)
        findings += wrong
        right += not wrong

    for finding in findings:
        print(finding)
    print(f"lint-template: cfn-lint {clean}/{len(templates)} templates clean, checkov {summary['passed']}/"
          f"{summary['passed'] + summary['failed']} checks passed and {summary['skipped']} suppressed with a reason, "
          f"parliament and table {right}/{len(ROLES)} roles as written, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
