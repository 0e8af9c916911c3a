"""Runs calls that read a URL: tools.py IMPORTS. A line of stdin is {"call", "url"}; a line of stdout its result, or "failed"."""

import ast
import importlib
import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a library prints is no answer
names = {}
for name in sys.argv[1].split(", "):
    importlib.import_module(name)
    names[name.split(".")[0]] = sys.modules[name.split(".")[0]]

if "duckdb_ext" in names:
    # DuckDB finds httpfs here, where it would otherwise download it.
    names["duckdb"].sql(f"SET extension_directory = '{list(names['duckdb_ext'].__path__)[0]}/extensions'")

for line in sys.stdin:
    task = json.loads(line)
    try:
        *before, last = ast.parse(task["call"]).body
        scope = names | {"url": task["url"]}
        exec(compile(ast.Module(before, []), "call", "exec"), scope)
        result = str(eval(compile(ast.Expression(last.value), "call", "eval"), scope))
    except Exception as e:  # an outcome
        if os.environ.get("EXPLAIN"):
            print(task["call"], type(e).__name__, str(e).split("http")[0][:300], file=sys.stderr)
        result = "failed"
    print(result.replace("\n", " "), file=answers, flush=True)
