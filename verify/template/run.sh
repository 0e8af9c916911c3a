#!/bin/sh
# make lint-template: cfn-lint, checkov and parliament over template.yaml as it is after the SAM transform.
# run.sh check [PARAMETER=VALUE ...] (make check): whether the functions would start with these parameters.
set -eu
cd "$(dirname "$0")/../.."

scripts/venv.sh verify/template/requirements.txt .cache/lint-venv
if [ "${1-}" = check ]; then
	shift
	exec .cache/lint-venv/bin/python verify/template/check.py template.yaml bin "$@"
fi
exec .cache/lint-venv/bin/python verify/template/lint.py template.yaml .cache/lint-template bin
