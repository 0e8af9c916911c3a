#!/bin/sh
# make localstack: template.yaml deployed to an emulator of AWS on 127.0.0.1:4566, and the function's URLs used there.
# LOCALSTACK=ministack runs the same against MiniStack. docs/localstack.md says what each can show.
set -eu
cd "$(dirname "$0")/../.."

emulator=${LOCALSTACK:-localstack}
here=verify/localstack endpoint=http://127.0.0.1:4566

fail() { echo "localstack: $*" >&2; exit 1; }

case $(uname -m) in
x86_64) arch=x86_64 ;;
aarch64) arch=arm64 ;;
*) fail "needs x86_64 or aarch64, this is $(uname -m)" ;;
esac
command -v go >/dev/null || fail "needs Go"
command -v python3 >/dev/null || fail "needs Python 3.10 or newer (python3)"
[ -x bin/api/bootstrap ] || fail "bin/api/bootstrap is not there; make build builds it"

case $emulator in
localstack)
	# LocalStack from 4.14 on needs Python 3.12; its packages say 3.10.
	requirements=$here/localstack-4.13.txt
	if python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then requirements=$here/localstack-2026.3.txt; fi
	options=--no-functions # without Docker and a download it cannot run them
	;;
ministack)
	requirements=$here/ministack.txt
	options="--decide-conditions --no-auth-type Alarms=false" # it does not know alarms on an expression
	;;
*) fail "LOCALSTACK is localstack or ministack, not $emulator" ;;
esac
venv=.cache/$(basename "$requirements" .txt)-venv
scripts/venv.sh "$requirements" "$venv"
python=$PWD/$venv/bin/python
if "$python" -c 'import socket; socket.create_connection(("127.0.0.1", 4566), 2)' 2>/dev/null; then
	fail "something listens on 127.0.0.1:4566 already"
fi

scratch=$(mktemp -d)
pid=''
cleanup() {
	status=$?
	trap - EXIT INT TERM
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$scratch"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The emulator gets an environment of its own: nothing here may depend on whose machine it is, and nothing goes out.
mkdir "$scratch/home" "$scratch/tmp"
common="PATH=$PATH HOME=$scratch/home TMPDIR=$scratch/tmp"
case $emulator in
localstack)
	env -i $common GATEWAY_LISTEN=127.0.0.1:4566 S3_SKIP_SIGNATURE_VALIDATION=0 DISABLE_EVENTS=1 DNS_ADDRESS=0 \
		SKIP_SSL_CERT_DOWNLOAD=1 "$python" -m localstack.runtime.main >"$scratch/log" 2>&1 &
	;;
ministack)
	env -i $common BIND_HOST=127.0.0.1 GATEWAY_PORT=4566 MINISTACK_HOST=127.0.0.1 AUTH=true \
		"$python" -m ministack >"$scratch/log" 2>&1 &
	;;
esac
pid=$!
tries=0
until "$python" -c "import urllib.request; urllib.request.urlopen('$endpoint/_localstack/health', timeout=5)" 2>/dev/null; do
	tries=$((tries + 1))
	if [ $tries -gt 240 ] || ! kill -0 "$pid" 2>/dev/null; then
		tail -n 20 "$scratch/log" >&2
		fail "$emulator did not start; its last lines are above"
	fi
	sleep 0.5
done

if ! env -i $common AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 \
	AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true \
	"$python" $here/deploy.py template.yaml bin/api/bootstrap $options "Architecture=$arch" Bucket=photos \
	Operations=GetObject,HeadObject,PutObject,DeleteObject ListKeys=true "EndpointUrl=$endpoint" >"$scratch/deployed.json"; then
	fail "$emulator did not take the template; see above"
fi
# Built rather than run with "go run", which would not hand on its exit status.
go build -o "$scratch/check" ./verify/localstack
"$scratch/check" -python "$python" -emulator "$emulator" -endpoint $endpoint -deployed "$scratch/deployed.json"
