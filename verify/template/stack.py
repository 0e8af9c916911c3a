"""template.yaml as CloudFormation will see it: after the SAM transform, its conditions decided for given parameters."""

import re
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "bulk-presign"
ID = "1a2b3c4d"  # the part of the stack's own in names
PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/{ID}-0000-0000-0000-000000000000",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()


def translate(path, parameters=None, code="s3://artifacts/function.zip"):
    """The template after AWS::Serverless-2016-10-31, as a dict, with these parameters as its defaults. The environment's
    AWS_DEFAULT_REGION must be set, which the translator asks for. code is where the functions' packages lie."""
    parameters = parameters or {}
    template = yaml_parse(Path(path).read_text())
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code  # the translator wants an uploaded one
        if resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = "s3://artifacts/machine.asl.json"

    class NoManagedPolicies:
        def load(self):
            return {}

    template = transform(template, parameters, NoManagedPolicies())
    del template["Mappings"]["Deployments"]  # the translator alone reads it
    return template


class Stack:
    """A template with its parameters given: resolve turns intrinsic functions into values."""

    def __init__(self, template, parameters):
        self.template = template
        self.values = PSEUDO | {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
        self.values |= parameters
        for name, p in template["Parameters"].items():
            if p["Type"] == "CommaDelimitedList" and isinstance(self.values.get(name), str):
                self.values[name] = self.values[name].split(",")

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def there(self, resource):
        """Whether the resource is made."""
        condition = self.template["Resources"][resource].get("Condition")
        return condition is None or self.condition(condition)

    def problems(self):
        """What CloudFormation says of the parameters before it begins."""
        found = []
        for name, p in self.template["Parameters"].items():
            value = self.values.get(name)
            if value is None:
                found.append(f"{name} must be given")
                continue
            text = ",".join(value) if isinstance(value, list) else str(value)
            if "AllowedValues" in p and text not in map(str, p["AllowedValues"]):
                found.append(f"{name} must be one of {', '.join(map(str, p['AllowedValues']))}")
            if not re.fullmatch(p.get("AllowedPattern", "(?s).*"), text):
                found.append(f"{name} {p['ConstraintDescription']}")
            if p["Type"] == "Number":
                if not re.fullmatch("[0-9]+", text):
                    found.append(f"{name} must be a number")
                elif not p.get("MinValue", 0) <= int(text) <= p.get("MaxValue", int(text)):
                    found.append(f"{name} must be {p.get('MinValue', 0)} to {p.get('MaxValue', 'any')}")
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" not in rule or self.resolve(rule["RuleCondition"]):
                found += [a["AssertDescription"] for a in rule["Assertions"] if not self.resolve(a["Assert"])]
        return found

    def environment(self, function):
        """A function's environment variables."""
        return {k: str(v) for k, v in self.resolve(
            self.template["Resources"][function]["Properties"]["Environment"]["Variables"]).items()}

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
        if function in ("And", "Or"):
            return (all if function == "And" else any)(map(self.resolve, argument))
        argument = self.resolve(argument)
        if function == "Equals":
            return str(argument[0]) == str(argument[1])
        if function == "Not":
            return not argument[0]
        if function == "Split":
            return argument[1].split(argument[0])
        if function == "Join":
            return argument[0].join(argument[1])
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
            "AWS::SQS::Queue": lambda: f"sqs:{REGION}:{ACCOUNT}:{self.resolve(properties.get('QueueName', resource))}",
        }
        arn = arns.get(self.template["Resources"][resource]["Type"])
        return f"arn:aws:{arn()}" if arn and name == "Arn" else f"<{resource}.{name}>"
