"""Writes calendar.golden.json: the clock changes of New York as Python's zoneinfo knows them.

Run once, from this folder: python3 calendar.golden.py > calendar.golden.json
Needs the system's tzdata. Each row: first second (UTC) of an offset, and the offset in minutes east.
"""
import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

new_york = ZoneInfo("America/New_York")
at, end = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2038, 1, 1, tzinfo=timezone.utc)
rows, offset = [], None
while at < end:
    now = int(at.astimezone(new_york).utcoffset().total_seconds() // 60)
    if now != offset:
        rows.append([at.strftime("%Y-%m-%dT%H:%M:%SZ"), now])
        offset = now
    at += timedelta(minutes=30)
print(json.dumps({"zone": "America/New_York", "offsets": rows}, indent=1))
