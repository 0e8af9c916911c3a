#!/bin/sh
# make lint-template: cfn-lint, checkov and parliament over template.yaml as it is after the SAM transform.
set -eu
cd "$(dirname "$0")/../.."

scripts/venv.sh verify/template/requirements.txt .cache/lint-venv
exec .cache/lint-venv/bin/python verify/template/lint.py template.yaml .cache/lint-template bin
