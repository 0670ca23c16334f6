"""Runs a command, its output thrown away; prints wall time, CPU time and peak memory of it as one line of JSON."""

import json
import resource
import subprocess
import sys
import time

started = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": code,
    "seconds": time.monotonic() - started,
    "cpuSeconds": usage.ru_utime + usage.ru_stime,
    "peakRssMiB": usage.ru_maxrss / 1024,
}))
