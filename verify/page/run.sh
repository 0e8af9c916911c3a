#!/bin/sh
# make page: the page of the service in a headless Chromium. docs/page.md says what it does.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "page: $*" >&2; exit 1; }

command -v go >/dev/null || fail "needs Go"
[ -x bin/api/bootstrap ] && [ -x bin/jobs/bootstrap ] || fail "the functions are not there; make build builds them"
scripts/debian.sh page node:nodejs npm:npm chromium:chromium fc-list:fontconfig
fc-list | grep -qi noto || scripts/debian.sh page :fonts-noto-core # for keys in Arabic
mkdir -p .cache/bin .cache/page
cmp -s verify/page/package.json .cache/page/package.json && [ -f .cache/page/node_modules/axe-core/axe.min.js ] || {
	cp verify/page/package.json .cache/page/
	npm install --prefix .cache/page --ignore-scripts --no-audit --no-fund --silent
}
# A proxy would see the URLs, and nobody's own settings are measured here.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
go build -C verify/servers -o ../../.cache/bin/versitygw ./versitygw
go build -o bin/local ./internal/cmd/local
go build -o .cache/bin/page ./verify/page
exec .cache/bin/page -chromium "$(command -v chromium)" "$@"
