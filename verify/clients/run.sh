#!/bin/sh
# make clients: real HTTP clients use the URLs that the built function signs. docs/clients.md has what they make of them.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "clients: $*" >&2; exit 1; }

command -v go >/dev/null || fail "needs Go"
[ -x bin/api/bootstrap ] || fail "bin/api/bootstrap is not there; make build builds it"

scripts/debian.sh clients curl:curl wget:wget aria2c:aria2 jq:jq node:nodejs chromium:chromium firefox-esr:firefox-esr rclone:rclone git:git \
	git-annex:git-annex gdalinfo:gdal-bin samtools:samtools ffmpeg:ffmpeg mpv:mpv
node -e 'process.exit(typeof fetch === "function" ? 0 : 1)' || fail "needs Node 18 or newer, for fetch; this is $(node --version)"
scripts/venv.sh verify/clients/requirements.txt .cache/clients-venv

# A proxy would see the URLs and could rewrite them, and nobody's own settings are measured here.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
# Built rather than run with "go run", which would not hand on its exit status and signals.
mkdir -p .cache/bin
go build -o .cache/bin/clients ./verify/clients
exec .cache/bin/clients -python "$PWD/.cache/clients-venv/bin/python" "$@"
