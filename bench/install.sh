#!/bin/sh
# Installs the benchmark's contestants that are not Go into .cache, each where its language is: boto3 and others in
# Python, the SDK and others in JavaScript, Rust's (which takes some minutes to compile, once), the SDK for Java. What is
# missing or fails is left out; the benchmark says so.
set -eu
cd "$(dirname "$0")/.."

failed() { echo "bench: $1 could not be installed" >&2; }

# installed FOLDER FILE: whether FOLDER was made from FILE.
installed() { cmp -s "$2" "$1/complete"; }

if command -v python3 >/dev/null; then
	scripts/venv.sh internal/check/botooracle/requirements.txt .cache/boto3 || failed boto3
	scripts/venv.sh bench/python/requirements.txt .cache/bench-python || failed "Python's other signers"
fi

out=.cache/bench-javascript
if command -v node >/dev/null && command -v npm >/dev/null && ! installed $out bench/javascript/package-lock.json; then
	mkdir -p $out
	cp bench/javascript/package.json bench/javascript/package-lock.json $out
	if (cd $out && npm ci --no-audit --no-fund --loglevel=error >/dev/null); then
		cp bench/javascript/package-lock.json $out/complete # last: half an installation is none
	else
		failed "JavaScript's signers"
	fi
fi

if command -v cargo >/dev/null; then
	cargo build --quiet --release --locked --manifest-path bench/rust/Cargo.toml --target-dir .cache/bench-rust ||
		failed "Rust's signers"
fi

out=.cache/bench-java
if command -v mvn >/dev/null && ! installed $out bench/java/pom.xml; then
	if mvn --quiet --batch-mode -f bench/java/pom.xml -Dout="$PWD/$out/target" package \
		dependency:copy-dependencies -DoutputDirectory="$PWD/$out/lib" >&2; then
		cp bench/java/pom.xml $out/complete
	else
		failed "the SDK for Java"
	fi
fi
