"""make.py ENDPOINT BUCKET TIDY FOLDER: has real tools write the lists of docs/lists.md about a bucket. TIDY is one whose keys are
paths of files, for the tools that know no others.

Each list goes into a file of FOLDER, named as the document says. Standard output has a line for each: its name, which tool
wrote it, and of which bucket, in JSON. What a tool is not there for is told on standard error.
"""
import csv
import json
import pathlib
import shutil
import subprocess
import sys

import boto3
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.parquet

endpoint, bucket, tidy, folder = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
s3 = boto3.client("s3", endpoint_url=endpoint)
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 20}))
contents = [o for page in pages for o in page["Contents"]]
keys = [o["Key"] for o in contents]
frame = pandas.DataFrame({"bucket": bucket, "key": keys, "size": [o["Size"] for o in contents]})
uris = pandas.DataFrame({"s3_uri": [f"s3://{bucket}/{key}" for key in keys]})


def told(name, tool, of=bucket):
    print(json.dumps({"name": name, "tool": tool, "bucket": of}), flush=True)


def run(name, tool, command, of=bucket):
    """Has a shell write a list; sed and jq are part of what people do."""
    with open(folder / name, "wb") as out:
        subprocess.run(["bash", "-o", "pipefail", "-c", command], stdout=out, check=True)
    told(name, tool, of)


aws = f"'{pathlib.Path(sys.executable).parent / 'aws'}' --endpoint-url {endpoint} s3api"
version = subprocess.run(f"{aws.removesuffix(' s3api')} --version", shell=True, capture_output=True, text=True, check=True).stdout.split()[0]
# A key with a line break has no line of its own in a text, so it is not in this one.
run("cli.txt", f"{version}, --query Contents[].[Key]", f"{aws} list-objects-v2 --bucket {bucket} --query 'Contents[].[Key]' --output text")
run("cli.json", f"{version}, list-objects-v2", f"{aws} list-objects-v2 --bucket {bucket}")
if shutil.which("jq"):
    run("cli.jsonl", f"{version} with jq", f"{aws} list-objects-v2 --bucket {bucket} | jq -c '.Contents[]'")
    run("cli-versions.jsonl", f"{version}, list-object-versions with jq", f"{aws} list-object-versions --bucket {bucket} | jq -c '.Versions[]'")
else:
    print("jq is missing", file=sys.stderr)

with open(folder / "boto3.json", "w") as f:
    for page in pages:
        json.dump(page, f, default=str)
told("boto3.json", f"boto3 {boto3.__version__}, json.dump of each page")
with open(folder / "boto3.csv", "w", newline="") as f:
    w = csv.DictWriter(f, contents[0])
    w.writeheader()
    w.writerows(contents)
told("boto3.csv", f"boto3 {boto3.__version__}, csv.DictWriter of Contents")

pd = f"pandas {pandas.__version__}"
frame.to_csv(folder / "pandas.csv")
told("pandas.csv", f"{pd}, to_csv with its index")
frame.to_csv(folder / "pandas.tsv", sep="\t", index=False)
told("pandas.tsv", f"{pd}, to_csv with tabs")
frame.to_csv(folder / "pandas-semicolons.csv.gz", sep=";", index=False)
told("pandas-semicolons.csv.gz", f"{pd}, to_csv with semicolons, gzip")
frame.to_json(folder / "pandas.json", orient="records")
told("pandas.json", f"{pd}, to_json of records")
frame.to_json(folder / "pandas.jsonl", orient="records", lines=True)
told("pandas.jsonl", f"{pd}, to_json of lines")
uris.to_csv(folder / "pandas-uri.csv")
told("pandas-uri.csv", f"{pd}, a column of S3 URIs")
for compression in ["snappy", "gzip", "zstd", None]:
    name = f"pandas-{compression}.parquet"
    frame.to_parquet(folder / name, compression=compression)
    told(name, f"{pd}, to_parquet with {compression}")
uris.to_parquet(folder / "pandas-uri.parquet")
told("pandas-uri.parquet", f"{pd}, to_parquet of S3 URIs")

table = pyarrow.Table.from_pandas(frame, preserve_index=False)
for name, options in {
    "pages-v2": {"data_page_version": "2.0"},
    "lengths": {"use_dictionary": False, "column_encoding": {"key": "DELTA_LENGTH_BYTE_ARRAY"}},
    "plain": {"use_dictionary": False},
    "groups": {"row_group_size": 7},
}.items():
    pyarrow.parquet.write_table(table, folder / f"arrow-{name}.parquet", **options)
    told(f"arrow-{name}.parquet", f"pyarrow {pyarrow.__version__}, {name}")

db = f"DuckDB {duckdb.__version__}"
for name, options in {
    "duckdb.csv": "FORMAT csv, HEADER", "duckdb.parquet": "FORMAT parquet", "duckdb-v2.parquet": "FORMAT parquet, PARQUET_VERSION v2",
    "duckdb-zstd.parquet": "FORMAT parquet, COMPRESSION zstd", "duckdb.jsonl": "FORMAT json", "duckdb.json": "FORMAT json, ARRAY true",
}.items():
    duckdb.sql(f"COPY (SELECT bucket, key, size FROM frame) TO '{folder / name}' ({options})")
    told(name, f"{db}, COPY ({options})")

pl = polars.from_pandas(frame)
pl.write_parquet(folder / "polars.parquet")
told("polars.parquet", f"Polars {polars.__version__}, write_parquet")
pl.write_csv(folder / "polars.csv")
told("polars.csv", f"Polars {polars.__version__}, write_csv")
pl.write_ndjson(folder / "polars.ndjson")
told("polars.ndjson", f"Polars {polars.__version__}, write_ndjson")

if shutil.which("rclone"):
    remote = f":s3,provider=Other,region={s3.meta.region_name},endpoint='{endpoint}',env_auth=true:{tidy}"
    run("rclone.txt", "rclone, lsf", f'rclone lsf --recursive --files-only "{remote}"', tidy)
    run("rclone.json", "rclone, lsjson", f'rclone lsjson --recursive "{remote}"', tidy)
else:
    print("rclone is missing", file=sys.stderr)
