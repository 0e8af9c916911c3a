#!/bin/sh
# debian.sh NAME PROGRAM:PACKAGE ...: installs the packages of Debian whose programs are missing; with no PROGRAM, the package.
# NAME is who asks. Only root on Debian gets them installed; others are told what is needed.
set -eu

name=$1 missing=''
shift
for pair; do
	command -v "${pair%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
	{ echo "$name: needs$missing; only root on Debian gets them installed from here" >&2; exit 1; }
echo "installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 ||
	{ tail -n 20 "$log" >&2; echo "$name: could not install$missing" >&2; exit 1; }
