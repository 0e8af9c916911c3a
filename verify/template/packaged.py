"""Shows that what make package leaves is what it says.

  packaged.py SOURCE_TREE DIST WORK

DIST is the package, WORK the folder with the binaries as the targets of sam build made them. For another value of each
parameter, template.json makes the resources, outputs and refusals that template.yaml does after the SAM transform with that
value, where only the code's place and the definition of the state machine may differ, and these are looked at on their
own. The package is then made once more, in a copy of the tree in another folder, with another umask, time zone and age of
its files, and without Go's cache: it must be the same bytes.

Prints one line for each finding, then one line of figures. Exits 0 when there is no finding.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lint import EVERYTHING, lint
from package import FUNCTIONS, IN_S3, uri, zips
from settings import OTHERS, UNFIT
from stack import PSEUDO, REGION, Stack, translate

CODE = {"CodeBucket": "artifacts"}
# Of what the stack names itself, how long AWS lets a name be. A stack set's stacks have names of
# StackSet-NAME- and 36 more; docs/package.md says how long NAME may be.
LONGEST = {("AWS::StepFunctions::StateMachine", "StateMachineName"): 80, ("AWS::AppConfig::Application", "Name"): 64,
           ("AWS::CloudWatch::Dashboard", "DashboardName"): 255, ("AWS::Logs::LogGroup", "LogGroupName"): 512,
           ("AWS::SQS::Queue", "QueueName"): 80}
SET_NAME = 18


def made(template, parameters):
    """All that a stack of these parameters has, without what only tools read."""
    stack = Stack(template, parameters)
    resources = {}
    for name, resource in template["Resources"].items():
        if stack.there(name):
            resolved = stack.resolve({k: v for k, v in resource.items() if k not in ("Metadata", "Condition")})
            for where in ("Code", "DefinitionS3Location", "DefinitionString"):
                if resource["Type"] in ("AWS::Lambda::Function", "AWS::StepFunctions::StateMachine") and name != "NewVersionCheck":
                    resolved["Properties"].pop(where, None)
            resources[name] = resolved
    outputs = {n: stack.resolve(o["Value"]) for n, o in template["Outputs"].items()
               if "Condition" not in o or stack.condition(o["Condition"])}
    return {"resources": resources, "outputs": outputs, "problems": stack.problems()}


def sets(template):
    """Another value of each parameter, every value of those that have a list, all that there is, and what is refused."""
    yield {}
    yield EVERYTHING
    for name, (value, needed) in OTHERS.items():
        for v in [value, *template["Parameters"][name].get("AllowedValues", [])]:
            yield needed | {name: v}
    for parameters, _ in UNFIT:
        yield parameters


def check_same(source, template, code):
    """The package's template makes what template.yaml does, whatever the parameters."""
    findings, count = [], 0
    for given in sets(template):
        parameters = {"Bucket": "photos"} | given
        want = made(translate(source, parameters, code), parameters)
        got = made(template, parameters | CODE)
        count += 1
        for part, things in want.items():
            if things == got[part]:
                continue
            if isinstance(things, dict):
                things = sorted(n for n in things.keys() | got[part].keys() if things.get(n) != got[part].get(n))
            findings.append(f"with {given} the {part} are not those of template.yaml: {things}")
    return findings, count


def check_code(template, dist, work, found, machine):
    """Each function has the zip that was built for it, from the bucket and prefix that were asked for."""
    findings = []
    for processor in ("arm64", "x86_64"):
        for bucket, want in (("artifacts", "artifacts"), ("a-REGION", f"a-{REGION}"), ("a-REGION-b", f"a-{REGION}-b")):
            stack = Stack(template, {"Bucket": "photos", "CodeBucket": bucket, "CodePrefix": "x/", "Architecture": processor})
            findings += [f"CodeBucket={bucket}: {p}" for p in stack.problems()]
            for function, name in FUNCTIONS.items():
                got = stack.resolve(template["Resources"][function]["Properties"]["Code"])
                if got != {"S3Bucket": want, "S3Key": "x/" + found[name][processor]}:
                    findings.append(f"{function} on {processor}, CodeBucket={bucket}: its code is {got}")
        for function, name in FUNCTIONS.items():
            with zipfile.ZipFile(dist / found[name][processor]) as z:
                inside = {i.filename: z.read(i) for i in z.infolist()}
                modes = {i.external_attr >> 16 & 0o777 for i in z.infolist()}
            built = {p.name: p.read_bytes() for p in (work / processor / function).iterdir()}
            if inside != built or "bootstrap" not in built or modes != {0o755}:
                findings.append(f"{found[name][processor]} is not what build-{function} makes: {sorted(inside)}, modes {modes}")
    for bucket in ("", "Artifacts", "a_b", "s3://artifacts", "a-REGION-REGION"):
        if not Stack(template, {"Bucket": "photos", "CodeBucket": bucket}).problems():
            findings.append(f"CodeBucket={bucket} is not refused")
    definition = json.loads(template["Resources"]["ScaleMachine"]["Properties"]["DefinitionString"])
    if definition != json.loads(machine.read_text()):
        findings.append("the state machine is another than statemachine/presign.asl.json")
    return findings


def check_names(template):
    """Names that have the stack's in them fit for a stack of a stack set."""
    findings = []
    PSEUDO["AWS::StackName"] = f"StackSet-{'s' * SET_NAME}-{'0' * 36}"
    stack = Stack(template, {"Bucket": "photos"} | CODE | EVERYTHING)
    for name, resource in template["Resources"].items():
        for (kind, property_), longest in LONGEST.items():
            if resource["Type"] == kind and len(said := stack.resolve(resource["Properties"].get(property_, ""))) > longest:
                findings.append(f"{name}: {said} is longer than {longest}")
    return findings


def check_again(tree, dist):
    """Makes the package anew, elsewhere and otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "elsewhere"
        run = lambda *command, **how: subprocess.run(command, check=True, capture_output=True, text=True, **how)  # noqa: E731
        run("git", "clone", "--quiet", "--shared", str(tree), str(copy))
        for name in run("git", "-C", str(tree), "ls-files", "--modified", "--others", "--exclude-standard").stdout.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((tree / name).read_bytes())
            (copy / name).chmod((tree / name).stat().st_mode & 0o777)
        if (policy := tree / "policy.json").exists():
            (copy / "policy.json").write_bytes(policy.read_bytes())
        for path in copy.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                os.utime(path, (1e9, 1e9))
        (copy / ".cache").mkdir()
        (copy / ".cache/lint-venv").symlink_to((tree / ".cache/lint-venv").resolve())
        again = subprocess.run(["make", "-s", "package"], cwd=copy, capture_output=True, text=True, check=False, umask=0o077, env=os.environ | {
            "GOCACHE": f"{folder}/cache", "TZ": "Asia/Kathmandu", "LC_ALL": "C"})
        if again.returncode:
            return [f"elsewhere: {line}" for line in again.stderr.splitlines()]
        names = sorted(p.name for p in (copy / "dist").iterdir())
        if names != sorted(p.name for p in dist.iterdir()):
            return [f"made again elsewhere, the package has {names}"]
        return [f"made again elsewhere, {n} has other bytes" for n in names if (copy / "dist" / n).read_bytes() != (dist / n).read_bytes()]


def main():
    tree, dist, work = (Path(a).resolve() for a in sys.argv[1:4])
    os.environ["AWS_DEFAULT_REGION"] = REGION
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    found = zips(dist)
    path = dist / "template.json"
    template = json.loads(path.read_text())
    findings = []
    if "Transform" in template or any(r["Type"].startswith("AWS::Serverless") for r in template["Resources"].values()):
        findings.append("the template still wants a transform")
    if path.stat().st_size > IN_S3:
        findings.append(f"the template has {path.stat().st_size} bytes, over {IN_S3}")
    lint(str(path), findings)
    # The state machine as it is after its substitutions.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        machine = template["Resources"]["ScaleMachine"]
        properties = machine["Properties"] | {"DefinitionString": machine["Properties"]["DefinitionString"].replace(
            "${Partition}", "aws").replace("${JobsFunction}", "arn:aws:lambda:eu-west-1:123456789012:function:jobs")}
        json.dump(template | {"Resources": template["Resources"] | {"ScaleMachine": {
            k: v for k, v in machine.items() if k != "Metadata"} | {"Properties": properties}}}, file)
        file.flush()
        lint(file.name, findings)
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    if sums != {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in dist.iterdir() if p.name != "SHA256SUMS"}:
        findings.append("SHA256SUMS are not those of the files")
    findings += check_code(template, dist, work, found, tree / "statemachine/presign.asl.json")
    different, count = check_same(tree / "template.yaml", template, uri(found))
    findings += different + check_names(template) + check_again(tree, dist)
    for finding in findings:
        print(finding)
    print(f"check-package: {sum(map(len, found.values()))} zips are what sam build makes, template.json makes the stack of template.yaml "
          f"with {count} sets of parameters, the same bytes when made again, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
