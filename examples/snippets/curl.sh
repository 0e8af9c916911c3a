#!/bin/sh
# curl signs the call with IAM by itself (7.75 or newer). Needs PRESIGN_URL, AWS_REGION and credentials in the
# environment. "execute-api" is API Gateway's name in signatures; a Function URL's is "lambda".
set -eu

curl --silent --show-error --fail-with-body \
	--aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
	${AWS_SESSION_TOKEN:+--header "x-amz-security-token: $AWS_SESSION_TOKEN"} \
	--header 'content-type: application/json' --header 'accept: text/uri-list' \
	--data '{"keys": ["hello world.txt", "2026/05/star.svg"], "expires_in": 300}' "$PRESIGN_URL"
