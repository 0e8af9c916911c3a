#!/bin/sh
# make docs-test: every command of the docs, page by page, as a reader types it.
set -eu
cd "$(dirname "$0")/../.."

scripts/debian.sh docs-test curl:curl jq:jq aria2c:aria2 openssl:openssl diff:diffutils
scripts/venv.sh verify/lists/requirements.txt .cache/lists-venv # the AWS CLI, and boto3
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
go build -o bin/local ./internal/cmd/local
CGO_ENABLED=0 go build -o bin/presign ./cmd/presign
[ $# -gt 0 ] || set -- README.md CONTRIBUTING.md SECURITY.md docs/*.md docs/how-to/*.md examples/*/README.md guardrails/README.md verify/README.md
DOCS_PATH="$PWD/.cache/lists-venv/bin" go run ./verify/docs "$@"
