#!/bin/sh
# make snippets: each file of examples/snippets asks the local service as it stands there; what it prints must work.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "snippets: $*" >&2; exit 1; }

[ -x bin/api/bootstrap ] && [ -x bin/jobs/bootstrap ] || fail "bin/api/bootstrap or bin/jobs/bootstrap is not there; make build builds them"
scripts/debian.sh snippets curl:curl node:nodejs npm:npm chromium:chromium
scripts/venv.sh verify/snippets/requirements.txt .cache/snippets-venv
python=$PWD/.cache/snippets-venv/bin/python
work=$PWD/.cache/snippets
mkdir -p "$work" .cache/bin
cmp -s verify/snippets/package.json "$work/package.json" && [ -d "$work/node_modules/aws4fetch" ] || {
	cp verify/snippets/package.json "$work/"
	npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
}
cp examples/snippets/aws4fetch.mjs "$work/" # Node looks for a package beside the file that imports it
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY AWS_SESSION_TOKEN AWS_PROFILE

# A host for browser.html, on a port of its own choice: the origin that the service must know.
"$python" -u -m http.server --bind 127.0.0.1 --directory examples/snippets 0 >"$work/pages.log" 2>&1 &
pages=$!
trap 'kill $pages 2>/dev/null || true' EXIT
for _ in $(seq 100); do
	origin=$(sed -n 's|.*(\(http://[0-9.:]*\)/).*|\1|p' "$work/pages.log")
	[ -z "$origin" ] || break
	sleep 0.1
done
[ -n "$origin" ] || fail "no host for browser.html comes up"
. verify/snippets/serve.sh
serve "$work" -origins "$origin"

browser() {
	chromium --headless --no-sandbox --disable-quic --disable-background-networking --disable-component-update --disable-sync --no-first-run \
		--user-data-dir="$work/chromium" --virtual-time-budget=10000 --dump-dom "$origin/browser.html?service=$PRESIGN_URL" 2>/dev/null |
		grep -o 'href="[^"]*"' | sed 's/^href="//; s/"$//; s/&amp;/\&/g'
}

count=0
# works NAME COMMAND: what it prints is two URLs, of the two objects.
works() {
	name=$1
	shift
	"$@" >"$work/urls" 2>"$work/errors" || { sed -E 's/(X-Amz-[A-Za-z-]+=)[^&" ]+/\1.../g' "$work/errors" >&2; fail "$name fails"; }
	got=$(tr -d '\r' <"$work/urls" | grep '^http' | while read -r url; do curl -sf "$url" | cksum; done | sort)
	[ "$got" = "$wanted" ] || fail "$name: the URLs do not lead to the two objects"
	echo "$name: 2 URLs, both work"
	count=$((count + 1))
}
s3() { curl -sf --aws-sigv4 "aws:amz:$AWS_REGION:s3" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$AWS_ENDPOINT_URL_S3/photos/$1"; }
wanted=$({ s3 hello%20world.txt | cksum; s3 2026/05/star.svg | cksum; } | sort)
[ "$(echo "$wanted" | wc -l)" = 2 ] && ! echo "$wanted" | grep -q ' 0$' || fail "the two objects are not there"

# These come without a signature: a token is API Gateway's to check, and here nobody does.
works fetch.mjs node examples/snippets/fetch.mjs
works browser.html browser

# These sign, and whoever has another secret is refused.
refused=0
signed() {
	works "$@"
	name=$1
	shift
	if AWS_SECRET_ACCESS_KEY=another "$@" >"$work/urls" 2>"$work/errors" || [ -s "$work/urls" ] && grep -q X-Amz-Signature "$work/urls"; then
		fail "$name gets URLs with another secret"
	fi
	refused=$((refused + 1))
}
serve "$work" -iam
wanted=$({ s3 hello%20world.txt | cksum; s3 2026/05/star.svg | cksum; } | sort)
signed curl.sh sh examples/snippets/curl.sh
signed http_requests.py "$python" examples/snippets/http_requests.py
signed lambda_invoke.py "$python" examples/snippets/lambda_invoke.py
signed aws4fetch.mjs node "$work/aws4fetch.mjs"
signed signed.go go run examples/snippets/signed.go
[ "$(curl -s -o /dev/null -w '%{http_code}' -d '{"keys": ["a"]}' "$PRESIGN_URL")" = 403 ] || fail "a call that is not signed is answered"
echo "snippets: $count/7 work, $refused/5 that sign are refused with another secret"
