"""Computes what rollup computes, with DuckDB: usage `duckdb.py CSV PARQUET RESULT`; prints one JSON object a run.

Copies are the same in every byte, so a plain DISTINCT drops them: the quickest way there is.
"""

import json
import os
import resource
import sys
import time

sys.path.pop(0)  # this file must not be taken for the module of its name
import duckdb  # noqa: E402

csv, parquet, result = sys.argv[1:]
QUERY = """
COPY (
  SELECT source, scheduled_at // 3600000 AS hour, count(latency_ms),
         count(*) FILTER (outcome IN ('error', 'timeout')),
         percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms),
         percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms),
         max(latency_ms)
  FROM (SELECT DISTINCT source, scheduled_at, ordinal, outcome, latency_ms FROM {samples})
  GROUP BY 1, 2 ORDER BY 1, 2
) TO '{result}' (FORMAT csv, HEADER false)
"""

if not os.path.exists(parquet):
    duckdb.execute(f"COPY (FROM read_csv('{csv}')) TO '{parquet}' (FORMAT parquet)")


def run(name, samples, threads):
    if os.fork() > 0:
        return os.wait()
    connection = duckdb.connect(config={"threads": threads})
    used = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    connection.execute(QUERY.format(samples=samples, result=result))
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime - used.ru_utime - used.ru_stime
    name = f"DuckDB {duckdb.__version__}, {name}, {threads} thread" + ("s" if threads > 1 else "")
    print(json.dumps({"name": name, "seconds": seconds, "cpu": cpu, "rss": usage.ru_maxrss / 1024}), flush=True)
    os._exit(0)


run("Parquet", f"read_parquet('{parquet}')", 1)
run("Parquet", f"read_parquet('{parquet}')", os.cpu_count())
run("CSV", f"read_csv('{csv}')", os.cpu_count())
