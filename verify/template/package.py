"""Writes the template that make package leaves: plain CloudFormation, with the code's place as parameters.

  package.py template.yaml statemachine/presign.asl.json DIST

DIST has the functions' zips, named NAME-PROCESSOR-DIGEST.zip. template.json is template.yaml after the SAM transform, as it
would be for any parameters: the transform itself knows no conditions, so what it makes of a gradual Deployment stands
under one here. Nothing else may depend on parameters, or it ends with an error; packaged.py shows that it does not.
Writes SHA256SUMS, too, and says what to do next.
"""

import hashlib
import json
import logging
import os
import re
import sys
from pathlib import Path

from stack import REGION, translate

FUNCTIONS = {"ApiFunction": "api", "JobsFunction": "jobs"}
# What CloudFormation takes: a template in a request's own body, and one that lies in S3.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
INLINE, IN_S3 = 51_200, 1_000_000
PARAMETERS = {
    "CodeBucket": {
        "Type": "String", "AllowedPattern": r"^[a-z0-9][a-z0-9.-]*(REGION)?[a-z0-9.-]*$",
        "ConstraintDescription": "must be a bucket name, which may have REGION in it",
        "Description": "Bucket that the functions' zips were copied to, in this stack's region, as Lambda asks. REGION in it, as in "
                       "artifacts-REGION, stands for that region's name, so that one stack set serves many."},
    "CodePrefix": {
        "Type": "String", "Default": "bulk-presign/", "AllowedPattern": "^([A-Za-z0-9/!_.'()=+@:,-]+/)?$",
        "ConstraintDescription": "must end with '/', or be empty", "Description": "Where in that bucket the zips lie."},
}
# One level of intrinsic functions at a time, since a template has no "replace": what stands before and after REGION. With
# one more REGION at the end there is always an after.
BUCKET = {"Fn::If": ["CodeBucketNamesRegion", {"Fn::Join": ["", [
    {"Fn::Select": [0, {"Fn::Split": ["REGION", {"Fn::Sub": "${CodeBucket}REGION"}]}]}, {"Ref": "AWS::Region"},
    {"Fn::Select": [1, {"Fn::Split": ["REGION", {"Fn::Sub": "${CodeBucket}REGION"}]}]}]]}, {"Ref": "CodeBucket"}]}
NAMES_REGION = {"Fn::Not": [{"Fn::Equals": [
    {"Fn::Select": [0, {"Fn::Split": ["REGION", {"Ref": "CodeBucket"}]}]}, {"Ref": "CodeBucket"}]}]}


def zips(dist):
    """The packed functions: {name: {processor: file name}}."""
    found = {}
    for path in sorted(dist.glob("*.zip")):
        name, processor = re.fullmatch(r"([a-z]+)-(arm64|x86_64)-[0-9a-f]{16}\.zip", path.name).groups()
        if processor in found.setdefault(name, {}):
            raise SystemExit(f"package.py: two zips of {name} for {processor}")
        found[name][processor] = path.name
    if sorted(found) != sorted(FUNCTIONS.values()) or any(len(f) != 2 for f in found.values()):
        raise SystemExit(f"package.py: wants zips of {', '.join(FUNCTIONS.values())} for two processors, found {found}")
    return found


def then(choice):
    """What stands there of a gradual Deployment."""
    condition, yes, _ = choice["Fn::If"]
    if condition != "DeploysGradually":
        raise SystemExit(f"package.py: {condition} is another condition than is looked for")
    return yes


def gradual(template, other):
    """Puts what the transform makes only of a gradual Deployment into a template that lacks it, under its condition."""
    for name, resource in other["Resources"].items():
        if name not in template["Resources"]:
            if not resource["Type"].startswith("AWS::CodeDeploy::"):
                raise SystemExit(f"package.py: the transform makes {name} of a parameter; it needs a condition here")
            template["Resources"][name] = resource | {"Condition": "DeploysGradually"}
    group = template["Resources"]["ApiFunctionDeploymentGroup"]["Properties"]
    group["DeploymentConfigName"] = {"Fn::Sub": "CodeDeployDefault.Lambda${Deployment}"}
    group["ServiceRoleArn"] = then(group["ServiceRoleArn"])
    # Of the attributes of a resource this one takes Fn::If.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
    alias = template["Resources"]["ApiFunctionAliaslive"]
    update = other["Resources"]["ApiFunctionAliaslive"]["UpdatePolicy"]
    traffic = update["CodeDeployLambdaAliasUpdate"]
    traffic["BeforeAllowTrafficHook"] = then(traffic["BeforeAllowTrafficHook"])
    alias["UpdatePolicy"] = {"Fn::If": ["DeploysGradually", update, {"Ref": "AWS::NoValue"}]}
    for name, resource in other["Resources"].items():
        if name not in ("ApiFunctionDeploymentGroup", "ServerlessDeploymentApplication", "ApiFunctionAliaslive") \
                and resource != template["Resources"][name]:
            raise SystemExit(f"package.py: the transform makes another {name} of another parameter; it needs Fn::If here")


def uri(found):
    """What stands for the code while the template is transformed: SAM names the version of a function after it."""
    return f"s3://code/{hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]}.zip"


def package(source, machine, found):
    """The template, with names of the zips in it."""
    code = uri(found)
    template = translate(source, code=code)
    gradual(template, translate(source, {"Deployment": "Canary10Percent5Minutes"}, code=code))
    template["Parameters"] |= PARAMETERS
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"].insert(0, {"Label": {"default": "Where the functions' code lies"}, "Parameters": list(PARAMETERS)})
    template["Conditions"]["CodeBucketNamesRegion"] = NAMES_REGION
    template["Conditions"]["OnArm"] = {"Fn::Equals": [{"Ref": "Architecture"}, "arm64"]}
    for function, name in FUNCTIONS.items():
        template["Resources"][function]["Properties"]["Code"] = {"S3Bucket": BUCKET, "S3Key": {"Fn::If": ["OnArm", *(
            {"Fn::Sub": "${CodePrefix}" + found[name][processor]} for processor in ("arm64", "x86_64"))]}}
    machine_resource = template["Resources"]["ScaleMachine"]
    del machine_resource["Properties"]["DefinitionS3Location"]
    machine_resource["Properties"]["DefinitionString"] = json.dumps(json.loads(machine.read_text()), separators=(",", ":"))
    # cfn-lint reads the definition as it is before its substitutions; packaged.py has it read what comes after them.
    machine_resource["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["E3601"]}}}
    for resource in template["Resources"].values():  # SAM's build alone reads it
        resource.get("Metadata", {}).pop("BuildMethod", None)
        if "Metadata" in resource and not resource["Metadata"]:
            del resource["Metadata"]
    # SAM gives the function's policy to the alias, too, which is never replaced.
    template["Resources"]["ApiFunctionAliaslive"]["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["W3011"]}}}
    return template


def ordered(template):
    """The sections as people expect them, resources by name: the transform's own order is not always the same."""
    sections = ["AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Rules", "Conditions", "Resources", "Outputs"]
    if sorted(template) != sorted(sections):
        raise SystemExit(f"package.py: the template has sections {sorted(template)}")
    template["Resources"] = dict(sorted(template["Resources"].items()))
    return {s: template[s] for s in sections}


def main():
    source, machine, dist = map(Path, sys.argv[1:4])
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator asks for one
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    found = zips(dist)
    path = dist / "template.json"
    path.write_text(json.dumps(ordered(package(source, machine, found)), separators=(",", ":")) + "\n")
    size = path.stat().st_size
    if size > IN_S3:
        raise SystemExit(f"package.py: {size} bytes are more than CloudFormation takes of a template in S3 ({IN_S3})")
    names = sorted(p.name for p in dist.iterdir())
    (dist / "SHA256SUMS").write_text("".join(
        f"{hashlib.sha256((dist / n).read_bytes()).hexdigest()}  {n}\n" for n in names))
    for name in names:
        print(f"{dist}/{name}  {(dist / name).stat().st_size:,} bytes")
    print(f"{dist}/SHA256SUMS\n\nIts code and its template have to lie in a bucket of the region that it is deployed to"
          f"{f' (a template over {INLINE:,} bytes is taken from S3 alone)' if size > INLINE else ''}:\n\n"
          f"    aws s3 cp {dist}/ s3://CODE-BUCKET/bulk-presign/ --recursive\n"
          f"    aws cloudformation deploy --stack-name bulk-presign --template-file {dist}/template.json --s3-bucket CODE-BUCKET \\\n"
          "        --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=CODE-BUCKET Bucket=BUCKET\n\n"
          "docs/package.md: with Terraform, CDK, stack sets, Service Catalog, and without a network")


if __name__ == "__main__":
    main()
