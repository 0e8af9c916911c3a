#!/bin/sh
# make openapi: openapi.yaml is linted, the local service is asked with what a program makes up of it, and clients that are
# generated of it compile and work. docs/openapi.md has what that is.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "openapi: $*" >&2; exit 1; }

[ -x bin/api/bootstrap ] && [ -x bin/jobs/bootstrap ] || fail "bin/api/bootstrap or bin/jobs/bootstrap is not there; make build builds them"
command -v node >/dev/null && command -v npm >/dev/null || fail "needs Node 20 or newer (node, npm)"
scripts/venv.sh verify/openapi/requirements.txt .cache/openapi-venv
work=$PWD/.cache/openapi
mkdir -p "$work"
cmp -s verify/openapi/package.json "$work/package.json" && [ -d "$work/node_modules/openapi-fetch" ] || {
	cp verify/openapi/package.json "$work/"
	npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
}
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
tools=$work/node_modules/.bin venv=$PWD/.cache/openapi-venv/bin
export SCHEMATHESIS_HOOKS="$PWD/verify/openapi/refused.py" DESCRIPTION="$work/narrow/all.json"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true SCHEMATHESIS_COVERAGE=false

# A signed URL must not be shown, whatever fails.
hidden() { sed -E 's/(X-Amz-[A-Za-z-]+=)[^&" ]+/\1.../g'; }

"$tools/redocly" lint --config verify/openapi/redocly.yaml --max-problems 1000 openapi.yaml >"$work/lint.log" 2>&1 || { cat "$work/lint.log"; fail "the lint finds errors"; }
if grep -qE 'Warning was generated|[0-9] warning' "$work/lint.log"; then cat "$work/lint.log"; fail "the lint finds warnings"; fi
echo "lint: 0 errors, 0 warnings"

go build -o .cache/bin/local ./internal/cmd/local
operations=$("$venv/python" -c 'import yaml; print(",".join(yaml.safe_load(open("openapi.yaml"))["components"]["schemas"]["Operation"]["enum"]))')
: >"$work/serve.log" # here, lest an earlier address be read below
.cache/bin/local serve -addr 127.0.0.1:0 -operations "$operations" >"$work/serve.log" 2>&1 &
service=$!
trap 'kill $service 2>/dev/null || true; wait $service 2>/dev/null || true' EXIT
url=
for _ in $(seq 100); do
	url=$(sed -n 's|^  HTTP *\(http://[0-9.:]*\)/presign.*|\1|p' "$work/serve.log")
	[ -z "$url" ] || break
	kill -0 $service 2>/dev/null || { hidden <"$work/serve.log"; fail "the local service ended"; }
	sleep 0.1
done
[ -n "$url" ] || fail "the local service does not come up"

rm -rf "$work/narrow"
mkdir "$work/narrow"
"$venv/python" verify/openapi/narrow.py openapi.yaml "$work/narrow"
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,refused
# ask NAME EXAMPLES SEED: what is made up of a description, at most so much.
requests=0
ask() {
	(cd "$work" && "$venv/schemathesis" run "narrow/$1.json" --url "$url" --checks "$checks" --phases examples,coverage,fuzzing \
		--max-examples "$2" --seed "$3" --generation-database none --no-color) >"$work/ask.log" 2>&1 ||
		{ hidden <"$work/ask.log"; fail "schemathesis, $1"; }
	requests=$((requests + $(sed -n 's/^ *\([0-9]*\) generated.*/\1/p' "$work/ask.log")))
}
SEED=${SEED:-$(date +%s)}
ask all "${EXAMPLES:-150}" "$SEED"
for operation in $(echo "$operations" | tr , ' '); do
	ask "$operation" "${OPERATION_EXAMPLES:-25}" "$SEED"
done
signed=$(grep -cE ' [1-9][0-9]* of [0-9]+ keys signed' "$work/serve.log" || true)
[ "$signed" -gt 100 ] || fail "of $requests requests $signed were signed: what is made up is too wild"
echo "schemathesis: $requests requests (SEED=$SEED), $signed of them signed: no 5xx, no answer that is not described, nothing taken that the schemas refuse"

"$tools/openapi-typescript" openapi.yaml -o "$work/api.d.ts" >/dev/null 2>&1
cp verify/openapi/client.ts "$work/client.ts"
"$tools/tsc" --strict --noUncheckedIndexedAccess --target es2022 --module nodenext --lib es2022,dom,dom.iterable --outDir "$work" "$work/client.ts"
node "$work/client.js" "$url" 2>&1 | hidden

rm -rf "$work/python"
mkdir "$work/python"
"$venv/openapi-python-client" generate --path openapi.yaml --meta none --config verify/openapi/python.yaml --output-path "$work/python/presign_client" >"$work/python.log" 2>&1 ||
	{ cat "$work/python.log"; fail "no Python client is generated"; }
cp verify/openapi/client.py "$work/python/"
(cd "$work/python" && "$venv/mypy" --strict --no-error-summary client.py presign_client)
PYTHONPATH=$work/python "$venv/python" "$work/python/client.py" "$url" 2>&1 | hidden
echo "openapi: linted, asked and used by two generated clients, all as described"
