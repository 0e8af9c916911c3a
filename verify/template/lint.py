"""Lints template.yaml as CloudFormation will see it: after the SAM transform, with every condition decided.

  lint.py template.yaml OUTPUT_FOLDER BINARIES_FOLDER

Writes the transformed template and its policies to OUTPUT_FOLDER for whoever wants to look. cfn-lint and checkov read
the transformed template, as it is by default and with everything on that can be; what they find and is meant so is in a
table of docs/deploy.md. IAM linters, however, do not know what Fn::If means and let through what they cannot read, so the
conditions are decided here for a table of parameters; parliament then reads real policies and roles.py says what each must
grant, no more and no less. The documents in guardrails/ are held against the template, and the metrics that it watches
against docs/audit.md. policies.py holds examples/policies/ against what it is for. settings.py shows that what a parameter says takes effect, and that the real functions start.

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

from policies import check_policies_to_take
from roles import CARRIED, KEY, POLICIES
from settings import check_called, check_settings, check_starts
from stack import ACCOUNT, REGION, Stack, translate

BIN = Path(sys.executable).parent

# The parameters that make all there is. The other defaults are the template's own.
EVERYTHING = {
    "Operations": "GetObject,HeadObject,PutObject,DeleteObject,UploadPart", "ListKeys": "true", "KmsKeyArn": KEY,
    "ResultsBucket": "", "ResultsKmsKeyArn": KEY, "DataBucketPolicy": "true", "DataEvents": "true", "Jobs": "true",
    "Scale": "true", "ManifestBucket": "lists", "ManifestKmsKeyArn": KEY, "SourceTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:uploads",
    "NotifyQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told", "NotifyKmsKeyArn": KEY, "LogKmsKeyArn": KEY,
    "JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web", "JwtScopes": "sign", "ResponseStream": "true",
    "AllowedOrigins": "https://app.example.com", "DomainName": "sign.example.com",
    "CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1", "VpcSubnetIds": "subnet-0123456789abcdef0",
    "VpcSecurityGroupIds": "sg-0123456789abcdef0", "ReservedConcurrency": "10", "ProvisionedConcurrency": 2,
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms", "Deployment": "Canary10Percent5Minutes",
}
# How the HTTP API knows the callers of each route: parameters, and the security scheme and scopes by path.
IAM = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
TOKENS = {"type": "oauth2", "x-amazon-apigateway-authorizer": {
    "type": "jwt", "identitySource": "$request.header.Authorization",
    "jwtConfiguration": {"issuer": "https://issuer.example.com/", "audience": ["web", "app"]}}}
CALLERS = [
    ("defaults", {}, {"/presign": (IAM, [])}),
    ("tokens, beside IAM", {"JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web,app"},
     {"/presign": (IAM, []), "/token/presign": (TOKENS, [])}),
    ("scopes", {"JwtIssuer": "https://issuer.example.com/", "JwtAudience": "web,app", "JwtScopes": "sign,admin"},
     {"/presign": (IAM, []), "/token/presign": (TOKENS, ["sign", "admin"])}),
]


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_structure(template):
    """What must hold whatever the parameters are."""
    findings = []
    roles = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    for name, resource in template["Resources"].items():
        if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy") and name not in POLICIES:
            findings.append(f"{name} has no table in roles.py of what it may do")
        if resource["Type"] == "AWS::Lambda::Function":
            role = resource["Properties"].get("Role", {}).get("Fn::GetAtt", [None])[0]
            if role not in roles:
                findings.append(f"{name} does not run under a role written in the template")
        if resource["Type"] == "AWS::ApiGateway::Stage" and resource["Properties"]["StageName"] != "live":
            findings.append(f"{name} is a stage without a throttle")
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            body = Stack(template, {"AllowedOrigins": "https://a.example"}).resolve(resource["Properties"]["Body"])
            for path, methods in body["paths"].items():
                for method, operation in methods.items():
                    # A browser's question comes without credentials, and signs nothing.
                    if operation.get("security") != ([] if method == "options" else [{"AWS_IAM": []}]):
                        findings.append(f"{name}: {method} {path} is open to callers who did not sign with IAM")
                    if "credentials" in operation["x-amazon-apigateway-integration"]:
                        findings.append(f"{name}: {method} {path} invokes the function with other credentials than the API's")
        if resource["Type"] in ("AWS::Logs::LogGroup", "AWS::S3::Bucket") and resource.get("DeletionPolicy") != "RetainExceptOnCreate":
            findings.append(f"{name} is evidence, or holds what clients still use, and ends with the stack")
    jobs = Stack(template, {"Jobs": "true"})
    allowed = {str(r["Properties"]["RedrivePolicy"]["maxReceiveCount"]) for r in template["Resources"].values()
               if r["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in r["Properties"]}
    if allowed != {jobs.environment("JobsFunction")["PRESIGN_MAX_RECEIVES"]}:
        findings.append(f"a queue gives a message up after {allowed} failures, of which the function that ends it knows nothing")
    for name, want in CARRIED.items():
        got = Stack(template, {}).resolve(roles[name]["Properties"].get("ManagedPolicyArns", []))
        if got != want:
            findings.append(f"{name} carries {got}, not {want}")
    for name, role in roles.items():
        if name not in CARRIED and role["Properties"].get("ManagedPolicyArns"):
            findings.append(f"{name} carries managed policies")
    return findings


def check_callers(api, template):
    """Every route asks who calls, and by what the parameters say."""
    findings = []
    for title, parameters, want in CALLERS:
        body = Stack(template, {"Bucket": "photos"} | parameters).resolve(template["Resources"][api]["Properties"]["Body"])
        got = {}
        for path, methods in body["paths"].items():
            for method, operation in methods.items():
                (scheme, scopes), = operation["security"][0].items()
                got[path] = (body["components"]["securitySchemes"][scheme], scopes)
                if method != "post" or len(operation["security"]) != 1:
                    findings.append(f"{api}: {title}: {method} {path} should not be there")
        if got != want:
            findings.append(f"{api}: {title}: callers are known by {got}")
    for given, want in (("", None), ("https://a.example,http://localhost:3000", ["https://a.example", "http://localhost:3000"])):
        cors = Stack(template, {"AllowedOrigins": given}).resolve(template["Resources"][api]["Properties"]["Body"]).get(
            "x-amazon-apigateway-cors", {})
        if cors.get("allowOrigins") != want or want and "content-encoding" not in cors["allowHeaders"]:
            findings.append(f"{api}: pages of {given!r} are not the only ones that may call it, or may not send gzip")
    return findings


def check_policies(title, documents, want, always):
    """Compares statements with the table's, and lets parliament read each of the documents."""
    findings = []
    got = {}
    for document in documents:
        findings += parliament_on(title, document)
        for statement in document["Statement"]:
            got[statement["Sid"]] = (statement["Effect"], sorted(as_list(statement["Action"])),
                                     as_list(statement["Resource"]), statement.get("Condition", {}))
    for sid, (actions, resources, condition) in (want | always).items():
        expected = ("Deny" if sid.startswith("Deny") else "Allow", sorted(actions.split()), resources, condition)
        found = got.pop(sid, None)
        if found != expected:
            findings.append(f"{title}: statement {sid} is not {expected} but {found}")
    findings += [f"{title}: statement {sid} should not be there: {statement}" for sid, statement in got.items()]
    return findings


# What AWS documents and parliament does not know: a key, that Lambda wants the actions for its VPC on all resources, and
# that s3:GetObjectAttributes is about objects, and states:DescribeExecution about those of standard machines, too.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
# https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
# https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
DOCUMENTED = ("kms:EncryptionContext:aws:s3:arn", "lambda:SourceFunctionArn", "ec2:CreateNetworkInterface", "s3:GetObjectAttributes",
              "states:DescribeExecution")


def parliament_on(title, document):
    return [f"{title}: parliament: {finding.issue} {finding.detail}".rstrip()
            for finding in parliament.analyze_policy_string(json.dumps(document)).findings
            if not any(key in str(finding.detail) for key in DOCUMENTED)]


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
            ({"Jobs": "true", "ManifestBucket": "lists"}, "ApiRole JobsRole")):
        policy = Stack(template, {"Bucket": "photos"} | parameters).resolve(in_template)
        roles = list(figures(policy, "aws:PrincipalArn"))[0]
        names = " ".join(arn.split("/")[-1] for arn in ([roles] if isinstance(roles, str) else roles))
        if names != want:
            findings.append(f"BucketGuardrails with {parameters} holds {names} to URLs, not {want}")
    findings += check_signing_role(template, json.loads((folder / "signing-role.json").read_text()))
    rule, = json.loads((folder / "cors.json").read_text())["CORSRules"]
    if "ETag" not in rule["ExposeHeaders"] or rule["AllowedHeaders"] != ["*"]:
        findings.append("cors.json: an upload in parts needs each part's ETag, and a signed header may be any")
    for path in (folder / name for name in ("bucket-policy.json", "rcp.json", "scp.json")):
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


def check_signing_role(template, role):
    """The role to sign with must have what the functions' own would have had to sign, no more and no less."""
    parameters = {"Bucket": "amzn-s3-demo-bucket", "BucketAccount": "111122223333", "Operations": "GetObject,PutObject",
                  "ResultsBucket": "amzn-s3-demo-results"}
    stack = Stack(template, parameters)
    own = stack.resolve(template["Resources"]["SigningPolicy"]["Properties"]["PolicyDocument"])
    want = [s for s in own["Statement"] if s["Sid"].startswith("Sign")]
    got = [json.loads(json.dumps(s)) for s in role["Permissions"]["Statement"]]
    for statement in want:  # the example has all in one account
        statement["Condition"]["StringEquals"]["aws:ResourceAccount"] = "111122223333"
    findings = parliament_on("signing-role.json", role["Permissions"])
    if got != want:
        findings.append(f"signing-role.json grants {got}, and to sign takes {want}")
    trust, = role["Trust"]["Statement"]
    if trust["Action"] != "sts:AssumeRole" or "sts:ExternalId" not in trust["Condition"]["StringEquals"] or "*" in str(trust["Principal"]):
        findings.append("signing-role.json is not for the functions' roles with an external id alone")
    return findings


def check_deployment(default, everything):
    """CodeDeploy is there only where it was asked for, and does what a new version needs."""
    findings = []
    for title, template in (("by default", default), ("gradual", everything)):
        gradual = [n for n, r in template["Resources"].items() if r["Type"].startswith("AWS::CodeDeploy::")]
        if bool(gradual) != (title == "gradual"):
            findings.append(f"{title}: CodeDeploy's resources are {gradual}")
    stack = Stack(everything, {})
    group = stack.resolve(everything["Resources"]["ApiFunctionDeploymentGroup"]["Properties"])
    alarms = [a["Name"] for a in group["AlarmConfiguration"]["Alarms"]]
    if alarms != ["<NewVersionErrorsAlarm>", "<FailuresAlarm>"]:
        findings.append(f"a gradual deployment is rolled back by {alarms}")
    if group["ServiceRoleArn"] != f"arn:aws:iam::{ACCOUNT}:role/DeploymentRole":
        findings.append("a gradual deployment does not run under the role written for it")
    alias = stack.resolve(everything["Resources"]["ApiFunctionAliaslive"]["UpdatePolicy"])
    if alias["CodeDeployLambdaAliasUpdate"].get("BeforeAllowTrafficHook") != "<NewVersionCheck>":
        findings.append("a gradual deployment does not call the new version before others do")
    return findings + check_hook(everything)


def check_hook(template):
    """Runs the function that calls a new version, with clients of AWS that answer as told."""
    import types  # noqa: PLC0415  what stands in for boto3 is a module
    code = template["Resources"]["NewVersionCheck"]["Properties"]["Code"]["ZipFile"]
    findings = []
    for answer, want in (
            ({"Payload": b'{"urls":{}}'}, "Succeeded"),
            ({"FunctionError": "Unhandled", "Payload": b'{"errorType":"OperationNotAllowed"}'}, "Succeeded"),
            ({"FunctionError": "Unhandled", "Payload": b'{"errorType":"CredentialsUnavailable"}'}, "Failed"),
            ({"FunctionError": "Unhandled", "Payload": b'{"errorType":"Runtime.ExitError"}'}, "Failed"),
            ({"FunctionError": "Unhandled", "Payload": b"null"}, "Failed"),
            (None, "Failed")):
        told = []

        class Client:
            def invoke(self, FunctionName, Payload):
                if FunctionName != "arn:version" or json.loads(Payload)["operation"] != "PutObject":
                    findings.append(f"the new version is called as {FunctionName} with {Payload}")
                if answer is None:
                    raise RuntimeError("no such function")
                return answer | {"Payload": types.SimpleNamespace(read=lambda: answer["Payload"])}

            def put_lifecycle_event_hook_execution_status(self, **said):
                told.append(said)

        os.environ |= {"VERSION": "arn:version", "OPERATION": "PutObject"}
        stand_in = types.ModuleType("boto3")
        stand_in.client = lambda service: Client()
        sys.modules["boto3"], before = stand_in, sys.modules.get("boto3")
        space = {"print": lambda *_: None}
        try:
            exec(code, space)  # noqa: S102  the template's own
            space["handler"]({"DeploymentId": "d", "LifecycleEventHookExecutionId": "h"}, None)
        except Exception:  # noqa: BLE001  Lambda logs it
            pass
        finally:
            sys.modules["boto3"] = before
        if told != [{"deploymentId": "d", "lifecycleEventHookExecutionId": "h", "status": want}]:
            findings.append(f"of a new version that answers {answer} CodeDeploy is told {told}")
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


def documented_findings(path):
    """The findings of checkov that are meant so: (id, resource) of the table in docs/deploy.md."""
    rows = re.findall(r"^\| `(CKV\w+)` \| ([^|]+) \| ([^|]+) \|$", path.read_text(), re.M)
    return {(check, name) for check, names, _ in rows for name in re.findall(r"`(\w+)`", names)}


def scan(path, meant, findings):
    """checkov on a template: returns how many checks passed, and which of the findings that are meant so it had."""
    # The guidelines that checkov would fetch are only links to its vendor's pages.
    result = run("checkov", "--file", str(path), "--framework", "cloudformation", "--skip-download", "--output", "json")
    report = json.loads(result.stdout)
    met = set()
    for c in report["results"]["failed_checks"]:
        finding = (c["check_id"], c["resource"].split(".")[-1])
        met.add(finding)
        if finding not in meant:
            findings.append(f"checkov: {c['check_id']} {c['resource']}: {c['check_name']}")
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        findings.append(f"checkov could not read {path}")
    return report["summary"]["passed"], met & meant


def main():
    source, folder, binaries = (Path(a).resolve() for a in sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator asks for one
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of switches that only AWS itself has
    default, everything = translate(source), translate(source, EVERYTHING)
    findings = check_structure(everything) + check_callers("HttpApi", default)
    findings += check_guardrails(default, source.parent / "guardrails")
    findings += check_policies_to_take(
        source.parent / "examples/policies", {r["Type"] for r in everything["Resources"].values()}, parliament_on)
    findings += check_deployment(default, everything)
    findings += check_metrics(everything, source.parent / "docs/audit.md")
    findings += check_settings(default) + check_called(default)
    started, sets = check_starts(default, binaries)
    findings += started

    meant = documented_findings(source.parent / "docs/deploy.md")
    clean = lint(str(source), findings)
    checked, met = 0, set()
    for name, template in (("template.json", default), ("everything.json", everything)):
        path = folder / name
        # SAM gives the function's policy to the alias, too, which is never replaced.
        template["Resources"]["ApiFunctionAliaslive"]["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["W3011"]}}}
        path.write_text(json.dumps(template, indent=2))
        clean += lint(str(path), findings)
        passed, some = scan(path, meant, findings)
        checked, met = checked + passed, met | some
    findings += [f"docs/deploy.md explains {check} of {name}, which checkov does not find" for check, name in meant - met]

    right, tables = 0, 0
    for name, (always, table) in POLICIES.items():
        for title, parameters, want in table:
            stack = Stack(default, {"Bucket": "photos"} | parameters)
            findings += [f"{name}, {title}: {p}" for p in stack.problems()]
            properties = stack.resolve(default["Resources"][name]["Properties"])
            documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else [
                p["PolicyDocument"] for p in properties["Policies"]]
            file = f"{name}-{re.sub('[^a-z]+', '-', title.lower())}.json"
            (folder / file).write_text(json.dumps(properties, indent=2))
            wrong = check_policies(f"{name}, {title}", documents, want, always)
            if len(json.dumps(documents[0], separators=(",", ":"))) > 6144:
                wrong.append(f"{name}, {title}: longer than IAM lets a managed policy be")
            findings += wrong
            right += not wrong
            tables += 1

    for finding in findings:
        print(finding)
    print(f"lint-template: cfn-lint {clean}/3 templates clean, checkov {checked} checks passed and {len(met)} findings explained, "
          f"parliament and table {right}/{tables} policies as written, functions start with {sets} sets of parameters, "
          f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
