"""Deploys template.yaml to an emulator of AWS, as far as the emulator goes, and prints what came of it as JSON.

  deploy.py template.yaml BOOTSTRAP [--no-functions] [--decide-conditions] [--no-auth-type] [PARAMETER=VALUE ...]

The SAM transform is done here, by the same package that AWS's own runs; the emulator's CloudFormation gets plain
resources. What an emulator cannot take is left out by name, not by trial: --no-functions leaves out the function and
its API; --decide-conditions replaces each condition by its value, for an emulator that does not know Fn::Split there;
--no-auth-type takes the condition s3:authType out of the role, for one that evaluates policies and does not know it.

The environment (AWS_ENDPOINT_URL, AWS_REGION, credentials) says where to. Exits 1 unless every resource that is not
left out is complete.
"""

import io
import json
import os
import re
import sys
import zipfile
from pathlib import Path

import boto3
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

STACK, ARTIFACTS, PACKAGE = "bulk-presign-local", "artifacts", "function.zip"
FUNCTIONS = ("AWS::Lambda::", "AWS::ApiGatewayV2::")


class NoManagedPolicies:
    """The translator asks AWS for the names of managed policies. The template has none."""

    def load(self):
        return {}


def translate(path):
    template = yaml_parse(Path(path).read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{ARTIFACTS}/{PACKAGE}"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = f"s3://{ARTIFACTS}/machine.asl.json"
    return transform(template, {}, NoManagedPolicies())


def references(node):
    """The names of resources that a part of a template refers to."""
    if isinstance(node, list):
        for child in node:
            yield from references(child)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "Fn::Sub":
                text = value[0] if isinstance(value, list) else value
                yield from (part.split("}")[0].split(".")[0] for part in text.split("${")[1:])
            yield from references(value)


def without_functions(template):
    left_out = [n for n, r in template["Resources"].items() if r["Type"].startswith(FUNCTIONS)]
    gone, before = set(left_out), set()
    while gone != before:  # and what refers to what is gone
        before = set(gone)
        for section in ("Resources", "Outputs"):
            for name, node in list(template[section].items()):
                if name in gone and section == "Resources" or not gone.isdisjoint(references(node)):
                    del template[section][name]
                    if section == "Resources":
                        gone.add(name)
    return left_out


def evaluate(template, values, node):
    """What a condition comes to. Only the functions that may stand in one are known."""
    if not isinstance(node, dict):
        return node
    (function, argument), = node.items()
    if function == "Ref":
        return values[argument]
    if function == "Condition":
        return evaluate(template, values, template["Conditions"][argument])
    if function == "Fn::Sub":
        return re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], argument)
    a = [evaluate(template, values, x) for x in argument]
    return {
        "Fn::Equals": lambda: str(a[0]) == str(a[1]), "Fn::Not": lambda: not a[0],
        "Fn::And": lambda: all(a), "Fn::Or": lambda: any(a),
        "Fn::Split": lambda: a[1].split(a[0]), "Fn::Join": lambda: a[0].join(a[1].split(",")), "Fn::Select": lambda: a[1][int(a[0])],
    }[function]()


def decisions(template, parameters):
    """What each condition comes to."""
    values = {n: p["Default"] for n, p in template["Parameters"].items() if "Default" in p} | parameters
    return {n: evaluate(template, values, c) for n, c in template["Conditions"].items()}


def without_auth_type(template):
    """Removes the condition from the role's statements, wherever Fn::If has put them. Returns how many had it."""
    def statements(node):
        if isinstance(node, list):
            for child in node:
                yield from statements(child)
        elif isinstance(node, dict):
            if "Effect" in node:
                yield node
            for child in node.values():
                yield from statements(child)

    found = 0
    for statement in statements(template["Resources"]["SigningPolicy"]["Properties"]["PolicyDocument"]):
        if statement.get("Condition", {}).get("StringEquals", {}).pop("s3:authType", None):
            found += 1
    return found


def upload(s3, bootstrap):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as z:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        z.writestr(info, Path(bootstrap).read_bytes(), zipfile.ZIP_DEFLATED, 1)
    s3.put_object(Bucket=ARTIFACTS, Key=PACKAGE, Body=package.getvalue())


def main():
    source, bootstrap, *arguments = sys.argv[1:]
    options = {a for a in arguments if a.startswith("--")}
    parameters = dict(a.split("=", 1) for a in arguments if a not in options)

    template = translate(source)
    environment = template["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS)
    left_out = []
    if "--no-functions" in options:
        left_out = without_functions(template)
    else:
        upload(s3, bootstrap)
    if "--no-auth-type" in options and not without_auth_type(template):
        sys.exit("deploy.py: no statement of the role has the condition s3:authType any more; drop --no-auth-type")
    decided = decisions(template, parameters)
    if "--decide-conditions" in options:
        template["Conditions"] = {n: {"Fn::Equals": ["true", "true" if v else "false"]} for n, v in decided.items()}
    # The emulator resolves what the function's environment would be, also where it cannot have the function.
    # Names of outputs have no underscores.
    names = {name.replace("_", "0"): name for name in environment}
    for output, name in names.items():
        template["Outputs"][output] = {"Value": environment[name]}

    # In S3, as sam deploy has it: what is sent along may have 51,200 bytes.
    s3.put_object(Bucket=ARTIFACTS, Key="template.json", Body=json.dumps(template).encode())
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK, TemplateURL=f"{os.environ['AWS_ENDPOINT_URL']}/{ARTIFACTS}/template.json",
        Capabilities=["CAPABILITY_IAM"], OnFailure="DO_NOTHING",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()])
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    except Exception as e:  # the resources below say more
        print(e, file=sys.stderr)

    resources = {r["LogicalResourceId"]: r for r in
                 cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]}
    outputs = {o["OutputKey"]: o.get("OutputValue", "")
               for o in cloudformation.describe_stacks(StackName=STACK)["Stacks"][0].get("Outputs", [])}
    wanted = [n for n, r in template["Resources"].items() if decided.get(r.get("Condition"), True)]
    complete = [n for n in wanted if resources.get(n, {}).get("ResourceStatus") == "CREATE_COMPLETE"]
    for name in set(wanted) - set(complete):
        r = resources.get(name, {})
        print(f"{name}: {r.get('ResourceStatus', 'not made')} {r.get('ResourceStatusReason', '')}", file=sys.stderr)
    json.dump({
        "complete": sorted(complete), "left_out": sorted(left_out), "wanted": len(wanted),
        "environment": {name: outputs.get(output, "") for output, name in names.items()},
        "outputs": {k: v for k, v in outputs.items() if k not in names},
    }, sys.stdout, indent=2)
    sys.exit(0 if len(complete) == len(wanted) else 1)


if __name__ == "__main__":
    main()
