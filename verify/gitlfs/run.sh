#!/bin/sh
# make git-lfs: the real git lfs pushes and clones through examples/git-lfs and the local service.
set -eu
cd "$(dirname "$0")/../.."
fail() { echo "git-lfs: $*" >&2; exit 1; }
[ -x bin/api/bootstrap ] || fail "bin/api/bootstrap is not there; make build builds it"
if ! command -v git-lfs >/dev/null; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "needs git-lfs; only root on Debian gets it installed from here"
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git-lfs; } >/dev/null || fail "could not install git-lfs"
fi
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
echo "git-lfs: 2/2 files pushed and cloned"
