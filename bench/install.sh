#!/bin/sh
# Installs the benchmark's contestants that are not Go into .cache: boto3 where there is Python, the JavaScript SDK
# where there is Node. What is missing or fails is left out; the benchmark says so.
set -eu
cd "$(dirname "$0")/.."

if command -v python3 >/dev/null; then
	scripts/venv.sh internal/check/botooracle/requirements.txt .cache/boto3 || echo "bench: boto3 could not be installed" >&2
fi

installed=.cache/bench-javascript
if command -v node >/dev/null && command -v npm >/dev/null &&
	! cmp -s bench/javascript/package-lock.json "$installed/complete"; then
	mkdir -p "$installed"
	cp bench/javascript/package.json bench/javascript/package-lock.json "$installed"
	if (cd "$installed" && npm ci --no-audit --no-fund --loglevel=error >/dev/null); then
		cp "$installed/package-lock.json" "$installed/complete" # last: half an installation is none
	else
		echo "bench: the JavaScript SDK could not be installed" >&2
	fi
fi
