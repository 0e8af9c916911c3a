#!/bin/sh
# make git-lfs: the real git lfs pushes and clones through examples/git-lfs and the local service.
set -eu
cd "$(dirname "$0")/../.."
fail() { echo "git-lfs: $*" >&2; exit 1; }
[ -x bin/api/bootstrap ] || fail "bin/api/bootstrap is not there; make build builds it"
scripts/debian.sh git-lfs git:git curl:curl jq:jq git-lfs:git-lfs
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY AWS_SESSION_TOKEN AWS_PROFILE
scripts/venv.sh verify/snippets/requirements.txt .cache/snippets-venv
work=$PWD/.cache/gitlfs
rm -rf "$work"
mkdir -p "$work" .cache/bin
. verify/snippets/serve.sh
serve "$work" -operations GetObject,PutObject
AWS_DEFAULT_REGION=$AWS_REGION .cache/snippets-venv/bin/python examples/git-lfs/server.py >"$work/lfs.url" 2>"$work/lfs.log" &
pages=$!
for _ in $(seq 100); do [ -s "$work/lfs.url" ] && break; sleep 0.1; done
[ -s "$work/lfs.url" ] || fail "the adapter does not come up"
export HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
{
	git lfs install
	git config --global lfs.url "$(cat "$work/lfs.url")"
	git config --global lfs.locksverify false
	git init -q --bare "$work/far"
	git init -q "$work/near"
	cd "$work/near"
	git lfs track '*.bin'
	head -c 3000000 /dev/urandom >a.bin
	head -c 10 /dev/urandom >'b c.bin'
	git add -A
	git commit -qm one
	git push "$work/far" HEAD:refs/heads/main
	git clone -q -b main "$work/far" "$work/clone"
} >"$work/git.log" 2>&1 || { sed -E 's/(X-Amz-[A-Za-z-]+=)[^&" ]+/\1.../g' "$work/git.log" >&2; fail "git lfs fails"; }
for f in a.bin 'b c.bin'; do
	git -C "$work/far" show "main:$f" | grep -q '^oid sha256:' || fail "$f is not in LFS"
	cmp "$work/near/$f" "$work/clone/$f" || fail "$f came back otherwise"
done
# What git lfs sent was signed: the same URL takes neither a PUT without those headers nor other bytes of the same size.
batch() { curl -sf "$(cat "$work/lfs.url")/objects/batch" -d "{\"operation\": \"upload\", \"objects\": [{\"oid\": \"$1\", \"size\": $2}]}"; }
printf 'these bytes' >"$work/right"
printf 'other bytes' >"$work/wrong"
batch "$(sha256sum <"$work/right" | cut -d ' ' -f 1)" 11 >"$work/answer.json"
jq -r '.objects[0].actions.upload.header | to_entries[] | "header = \"\(.key): \(.value)\""' "$work/answer.json" >"$work/headers"
grep -q '^header = "x-amz-checksum-sha256: ' "$work/headers" && grep -q '^header = "content-length: 11"' "$work/headers" || fail "the headers of an upload are not in its answer"
# put FILE [--config HEADERS]: the status.
put() {
	file=$1
	shift
	jq -r '.objects[0].actions.upload.href | "url = \"\(.)\""' "$work/answer.json" |
		curl -s -o "$work/put.xml" -w '%{http_code}' --config - -X PUT --data-binary "@$file" "$@"
}
bare=$(put "$work/right")
wrong=$(put "$work/wrong" --config "$work/headers")
right=$(put "$work/right" --config "$work/headers")
[ "$bare $wrong $right" = "403 400 200" ] || fail "PUT without headers, of other bytes, as signed: $bare $wrong $right, expected 403 400 200"
# Over 5 GiB there is an error, and no URL that would fail after hours.
batch "$(printf '%064d' 7)" 5368709121 | jq -e '.objects[0] | .error.code == 422 and (.error.message | contains("5368709120") or contains("5 GiB")) and (has("actions") | not)' >/dev/null ||
	fail "an object over 5 GiB gets no error of its own"
echo "git-lfs: 3/3 uploads refused that are not what was signed: headers missing, other bytes, over 5 GiB"
echo "git-lfs: 2/2 files pushed and cloned"
