#!/bin/sh
# make lists: lists as real tools write them, signed by the built function. docs/lists.md has what they are.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "lists: $*" >&2; exit 1; }

[ -x bin/jobs/bootstrap ] || fail "bin/jobs/bootstrap is not there; make build builds it"
scripts/debian.sh lists jq:jq rclone:rclone
scripts/venv.sh verify/lists/requirements.txt .cache/lists-venv
# The tools talk to 127.0.0.1 alone, and by nobody else's settings.
unset AWS_CA_BUNDLE AWS_PROFILE http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
mkdir -p .cache/bin
go build -o .cache/bin/lists ./verify/lists
exec .cache/bin/lists -python .cache/lists-venv/bin/python
