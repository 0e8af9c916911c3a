#!/bin/sh
# make examples: what examples/ has for Terraform and CDK, held against the package in dist/. Nothing is applied.
set -eu
cd "$(dirname "$0")/../.."
command -v npm >/dev/null || { echo "make examples: needs Node (node, npm)" >&2; exit 1; }

work=.cache/cdk
mkdir -p "$work"
cmp -s examples/cdk/package.json "$work/package.json" && [ -d "$work/node_modules/aws-cdk-lib" ] || {
	cp examples/cdk/package.json "$work/"
	npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
}
cp examples/cdk/app.mjs "$work/"
rm -rf "$work/out"
synth() { DIST="$PWD/dist" CDK_OUTDIR="$work/out" CDK_CONTEXT_JSON="$1" node "$work/app.mjs"; }
# Mistakes are told before anything is written.
for wrong in '{"Bucket":"photos"}' '{"codeBucket":"c"}' '{"codeBucket":"c","Bucket":"photos","MaxExpiry":"900"}'; do
	if synth "$wrong" >/dev/null 2>&1; then echo "examples: app.mjs takes $wrong" >&2; exit 1; fi
done
synth '{"codeBucket":"amzn-s3-demo-code","Bucket":"photos","MaxExpiresIn":900}'
if command -v terraform >/dev/null; then terraform fmt -check examples/terraform 2>/dev/null; else echo "terraform is not there: its format was not looked at"; fi
exec .cache/lint-venv/bin/python verify/template/examples.py . dist "$work/out"
