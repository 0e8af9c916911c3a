"""Holds examples/terraform and examples/cdk against the package that they deploy, and lints examples/mail; nothing is applied.

  examples.py ROOT DIST SYNTHESIZED

SYNTHESIZED is what the CDK application wrote. Terraform's provider for AWS cannot be had here, so of main.tf it is known
that it is well-formed HCL, that its references lead somewhere, and that it gives the template the parameters that are its own.
Prints one line for each finding, then one line of figures. Exits 0 when there is no finding.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import hcl2

BIN = Path(sys.executable).parent


def terraform(path, parameters):
    text = path.read_text()
    document = hcl2.loads(text)
    findings = []
    there = {"var": {n for v in document["variable"] for n in v}, "local": set(), "data": set()}
    resources = {}
    for block in document["resource"]:
        for kind, named in block.items():
            for name, body in named.items():
                resources[f"{kind}.{name}"] = body
    for block in document["data"]:
        there["data"] |= {f"{kind}.{name}" for kind, named in block.items() for name in named}
    code = re.sub(r'(?m)^\s*#.*$|(description|error_message)\s*=\s*".*"', "", text)
    findings += [f"main.tf: no variable {n}" for n in set(re.findall(r"\bvar\.([a-z_]+)", code)) - there["var"]]
    findings += [f"main.tf: no data {n}" for n in set(re.findall(r"\bdata\.([a-z_]+\.[a-z_]+)", code)) - there["data"]]
    findings += [f"main.tf: no resource {n}" for n in set(re.findall(r"(?<![a-z_.])(?<!data\.)(aws_[a-z_0-9]+\.[a-z_]+)", code))
                 - resources.keys() - there["data"]]
    stack = resources["aws_cloudformation_stack.presigner"]
    own = set(re.findall(r"\b([A-Z][A-Za-z]+)\s*=", re.search(r"(?m)^\s*parameters\s*=(.*)$", code)[1]))
    if own != {"CodeBucket", "CodePrefix"} or not own <= parameters:
        findings.append(f"main.tf gives the stack {own} of its own")
    if "CAPABILITY_IAM" not in str(stack["capabilities"]):
        findings.append("main.tf: roles are made, so CAPABILITY_IAM is needed")
    return findings


def cdk(folder, parameters):
    path = folder / "BulkPresign.template.json"
    template = json.loads(path.read_text())
    stack, = (r for r in template["Resources"].values() if r["Type"] == "AWS::CloudFormation::Stack")
    copied, = (r for r in template["Resources"].values() if r["Type"] == "Custom::CDKBucketDeployment")
    given, findings = stack["Properties"]["Parameters"], []
    if given != {"Bucket": "photos", "MaxExpiresIn": "900", "CodeBucket": "amzn-s3-demo-code",
                 "CodePrefix": copied["Properties"]["DestinationBucketKeyPrefix"]} or not given.keys() <= parameters:
        findings.append(f"app.mjs gives the stack {given}")
    if f"/{given['CodePrefix']}template.json" not in json.dumps(stack["Properties"]["TemplateURL"]):
        findings.append("app.mjs takes the template from elsewhere than it copies it to")
    if not any("BucketDeployment" in json.dumps(template["Resources"][n]) for n in stack["DependsOn"]):
        findings.append("app.mjs makes the stack before its code is there")
    # W3005 and the like of what CDK itself writes around it are CDK's; errors are not.
    lint = subprocess.run([BIN / "cfn-lint", "--non-zero-exit-code", "error", "--format", "parseable", path], capture_output=True, text=True)
    if lint.returncode:
        findings += lint.stdout.splitlines() + lint.stderr.splitlines()
    return findings


def mail(path):
    """The template for mails is sound; its pattern is what S3's events have (docs/how-to/mail.md)."""
    lint = subprocess.run([BIN / "cfn-lint", "--format", "parseable", path], capture_output=True, text=True)
    findings = lint.stdout.splitlines() + lint.stderr.splitlines() if lint.returncode else []
    text = path.read_text()
    if "/summary.json" not in text or "X-Amz" in text or "result_url" in text:
        findings.append(f"{path.name}: it does not wait for summary.json, or tells of a URL")
    return findings


def main():
    root, dist, synthesized = map(Path, sys.argv[1:4])
    parameters = json.loads((dist / "template.json").read_text())["Parameters"].keys()
    findings = terraform(root / "examples/terraform/main.tf", parameters) + cdk(synthesized, parameters) + mail(root / "examples/mail/template.yaml")
    for finding in findings:
        print(finding)
    print(f"examples: Terraform's reads as HCL, CDK's was synthesized, both deploy the package, the template for mails is clean, {len(findings)} findings")
    return 1 if findings else 0


sys.exit(main())
