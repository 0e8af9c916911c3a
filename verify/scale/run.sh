#!/bin/sh
# make scale: the state machine of statemachine/, run by LocalStack's interpreter, with the real jobs function as its task.
# docs/scale.md.
set -eu
cd "$(dirname "$0")/../.."

fail() { echo "scale: $*" >&2; exit 1; }

[ -x bin/jobs/bootstrap ] || fail "bin/jobs/bootstrap is not there; make build builds it"
command -v python3 >/dev/null || fail "needs Python 3.10 or newer (python3)"
# The same environments as make localstack's.
requirements=verify/localstack/localstack-4.13.txt
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then requirements=verify/localstack/localstack-2026.3.txt; fi
venv=.cache/$(basename "$requirements" .txt)-venv
scripts/venv.sh "$requirements" "$venv"
mkdir -p .cache/bin
go build -o .cache/bin/scale ./verify/scale
go build -o .cache/bin/presign ./cmd/presign
exec .cache/bin/scale -python "$PWD/$venv/bin/python" "$@"
