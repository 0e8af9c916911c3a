"""Says whether the functions would start with the parameters that are about to be deployed.

  check.py template.yaml BINARIES_FOLDER [PARAMETER=VALUE ...]

Without parameters, those of parameter_overrides in samconfig.toml are taken (part SAM_CONFIG_ENV, default). What
CloudFormation would refuse is looked at first, then the functions' real binaries read the environment that the template
makes of the parameters, as they do when they start. The binaries are this machine's (make build); where sam build has made
those for Lambda, their processor is compared with Architecture. Exits 0 when there is nothing to say.
"""

import logging
import os
import sys
from pathlib import Path

from settings import FUNCTIONS, starts
from stack import REGION, Stack, translate

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    tomllib = None
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}  # of an ELF file's header


def configured(folder, part):
    """The parameters that sam deploy would take from samconfig.toml."""
    if tomllib is None:
        sys.exit("check.py: needs Python 3.11 or newer to read samconfig.toml; give the parameters as PARAMETERS=...")
    config = tomllib.loads((folder / "samconfig.toml").read_text())
    overrides = config.get(part, {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", [])
    return overrides if isinstance(overrides, list) else overrides.split()


def main():
    source, binaries, *arguments = sys.argv[1:]
    source = Path(source).resolve()
    given = arguments or configured(source.parent, os.environ.get("SAM_CONFIG_ENV", "default"))
    parameters = dict(a.split("=", 1) for a in given)
    os.environ["AWS_DEFAULT_REGION"] = REGION
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    template = translate(source)
    stack = Stack(template, parameters)
    problems = [f"there is no parameter {name}" for name in parameters if name not in template["Parameters"]] or stack.problems()
    if not problems:
        for function, folder in FUNCTIONS.items():
            if not stack.there(function):
                continue
            environment = {k: v.replace("<ResultsStore>", "made-by-the-stack").replace("<ManifestQueue>", "https://sqs.example/1/lists")
                           for k, v in stack.environment(function).items()}
            good, said = starts((Path(binaries) / folder / "bootstrap").resolve(), environment)
            problems += [f"{function}: {p}" for p in (said if not good else [])]
            built = source.parent / ".aws-sam/build" / function / "bootstrap"
            if built.exists() and (made := MACHINES.get(built.read_bytes()[18])) != stack.values["Architecture"]:
                problems.append(f"{function}: sam build made it for {made}, and Architecture is {stack.values['Architecture']}:"
                                " build with ARCHITECTURE in the environment")
    for problem in problems:
        print(problem)
    print(f"check: {'would not work' if problems else 'would start'} with {' '.join(given) or 'no parameters'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
