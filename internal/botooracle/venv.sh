#!/bin/sh
# Makes the virtual environment with the pinned boto3 that this package's tests use:
# .cache/boto3 in the project's root. Needs python3 with venv, and PyPI once.
set -eu
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "python3 is missing; boto3's opinion cannot be asked" >&2; exit 1; }
python3 -m venv --clear .cache/boto3
.cache/boto3/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r internal/botooracle/requirements.txt
