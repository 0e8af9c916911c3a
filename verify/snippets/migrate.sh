#!/bin/sh
# Times docs/migrate.md's two halves against the local service; make build comes first.
set -eu
cd "$(dirname "$0")/../.."
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY AWS_SESSION_TOKEN AWS_PROFILE
scripts/venv.sh verify/snippets/requirements.txt .cache/snippets-venv
mkdir -p .cache/snippets .cache/bin
. verify/snippets/serve.sh
serve "$PWD/.cache/snippets"
.cache/snippets-venv/bin/python verify/snippets/migrate.py
