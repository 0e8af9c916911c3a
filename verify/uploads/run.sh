#!/bin/sh
# make uploads: whole uploads with other people's clients, by the URLs and forms that the built function signs. docs/uploads.md
# has what they are.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "uploads: $*" >&2; exit 1; }

command -v go >/dev/null || fail "needs Go"
[ -x bin/api/bootstrap ] || fail "bin/api/bootstrap is not there; make build builds it"
scripts/debian.sh uploads curl:curl node:nodejs npm:npm chromium:chromium
scripts/venv.sh verify/clients/requirements.txt .cache/clients-venv
mkdir -p .cache/bin .cache/uppy
cmp -s verify/uploads/package.json .cache/uppy/package.json && [ -f .cache/uppy/node_modules/uppy/dist/uppy.min.js ] || {
	cp verify/uploads/package.json .cache/uppy/
	npm install --prefix .cache/uppy --ignore-scripts --no-audit --no-fund --silent
}
# A proxy would see the URLs, and nobody's own settings are measured here.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
go build -C verify/servers -o ../../.cache/bin/versitygw ./versitygw
go build -o .cache/bin/uploads ./verify/uploads
exec .cache/bin/uploads -python "$PWD/.cache/clients-venv/bin/python" "$@"
