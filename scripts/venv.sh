#!/bin/sh
# venv.sh REQUIREMENTS FOLDER: makes FOLDER a Python environment that holds exactly REQUIREMENTS, if it does not yet.
set -eu

requirements=$1 venv=$2
# Not by cmp, which a small system lacks.
if [ -f "$venv/requirements.txt" ] && [ "$(cat "$requirements")" = "$(cat "$venv/requirements.txt")" ]; then exit 0; fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
	{ echo "venv.sh: needs Python 3.10 or newer (python3)" >&2; exit 1; }
echo "installing $requirements into $venv" >&2
rm -rf "$venv"
if ! python3 -m venv "$venv"; then
	echo "venv.sh: python3 cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
	exit 1
fi
# uv does in seconds what takes pip more than a minute. It does not read pip's configuration, so pip is there for
# whoever needs one.
export UV_CACHE_DIR="${venv%/*}/uv"
"$venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --requirement "$requirements" ||
	"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
cp "$requirements" "$venv/requirements.txt" # last: half an environment is none
