#!/bin/sh
# make sam-local: the built function in the SAM CLI's Lambda emulator, on a machine that has none of it installed.
# docs/sam-local.md says what this shows and what it cannot.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "sam-local: $*" >&2; exit 1; }

case $(uname -s)-$(uname -m) in
Linux-x86_64) arch=x86_64 ;;
Linux-aarch64) arch=arm64 ;;
*) fail "needs Linux on x86_64 or aarch64, this is $(uname -s) on $(uname -m)" ;;
esac
command -v go >/dev/null || fail "needs Go"
command -v make >/dev/null || fail "needs make: the SAM CLI builds with it"

scratch=$(mktemp -d)
dockerd_pid='' image='' rapid=''
cleanup() {
	status=$?
	trap - EXIT INT TERM
	# A stand-in left behind under its official name would be taken for the real image.
	if [ -n "$image" ]; then
		docker image rm --force "$rapid" "$image" >/dev/null 2>&1 || true
	fi
	if [ -n "$dockerd_pid" ]; then
		kill "$dockerd_pid" 2>/dev/null || true
		wait "$dockerd_pid" 2>/dev/null || true
	fi
	rm -rf "$scratch"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

scripts/venv.sh verify/samlocal/requirements.txt .cache/sam-venv
sam=$PWD/.cache/sam-venv/bin/sam
export SAM_CLI_TELEMETRY=0
# The SAM CLI wants a region, and nothing here may depend on whose machine it is.
export AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
# It asks STS who it is, only to fill in AWS::AccountId. The credentials are made up, so nothing is asked.
export AWS_ENDPOINT_URL_STS=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=1
unset ARCHITECTURE AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT

echo "== template" >&2
"$sam" validate --lint --template template.yaml --config-env local >&2

echo "== docker" >&2
if ! docker version >/dev/null 2>&1; then
	[ "$(id -u)" = 0 ] || fail "needs a Docker engine that runs, or root to start one"
	if ! command -v dockerd >/dev/null; then
		command -v apt-get >/dev/null || fail "needs a Docker engine (dockerd); only on Debian is it installed from here"
		echo "installing docker.io" >&2
		apt-get update -qq >&2
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io >"$scratch/apt.log" 2>&1 ||
			{ cat "$scratch/apt.log" >&2; fail "could not install docker.io"; }
	fi
	export DOCKER_HOST="unix://$scratch/docker.sock"
	dockerd --host "$DOCKER_HOST" --data-root "$scratch/data" --exec-root "$scratch/exec" \
		--pidfile "$scratch/docker.pid" >"$scratch/dockerd.log" 2>&1 &
	dockerd_pid=$!
	tries=0
	until docker version >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 120 ] || ! kill -0 "$dockerd_pid" 2>/dev/null; then
			tail -n 20 "$scratch/dockerd.log" >&2
			fail "dockerd did not start; its last lines are above"
		fi
		sleep 0.5
	done
fi
docker version --format 'Docker engine {{.Server.Version}}' >&2

# The SAM CLI runs a function in AWS's image of the runtime, with the runtime interface emulator that the CLI itself
# carries added. Where that image is not to be had, a root file system with what the CLI's Dockerfile calls (sh, mv,
# chmod) does: the function is one static binary and asks nothing else of its image.
name=public.ecr.aws/lambda/provided:al2023-$arch
if ! docker image inspect "$name" >/dev/null 2>&1; then
	echo "building a stand-in for $name" >&2
	root=$scratch/root
	mkdir -p "$root/tmp" "$root/var/task" "$root/etc/ssl/certs"
	for program in /bin/sh /bin/mv /bin/chmod; do
		cp -L --parents "$program" $(ldd "$program" | grep -o '/[^ )]*') "$root"
	done
	if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
		cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	fi
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	image=$name rapid=${name%:*}:al2023-rapid-$arch
	docker image rm --force "$rapid" >/dev/null 2>&1 || true # one that stands on another base
	tar -C "$root" -c . | docker import --change 'WORKDIR /var/task' - "$image" >/dev/null
fi

echo "== build" >&2
build=.cache/sam-local/build
ARCHITECTURE=$arch "$sam" build --config-env local --build-in-source --build-dir "$build" \
	--template template.yaml --parameter-overrides "Architecture=$arch" >&2

# The builder tells make nothing of the architecture. A plain sam build must all the same fit the template's default,
# else the function deploys and then cannot start.
make -s build-ApiFunction ARTIFACTS_DIR="$scratch/default" >&2
go version -m "$scratch/default/bootstrap" | grep -q 'GOARCH=arm64$' ||
	fail "make build-ApiFunction does not build for arm64, the template's default, when ARCHITECTURE is not set"

echo "== run" >&2
# Built rather than run with "go run", which would not hand on its exit status and signals.
go build -o "$scratch/check" ./verify/samlocal
"$scratch/check" -sam "$sam" -template "$build/template.yaml" -arch "$arch" -events events
