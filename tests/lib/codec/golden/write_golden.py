"""Writes values.golden.json: values of every topic as bytes, by two Avro implementations that are not ours.

    python3 -m venv /tmp/avro && /tmp/avro/bin/pip install fastavro==1.13.1 avro==1.12.2
    /tmp/avro/bin/python tests/lib/codec/golden/write_golden.py

Each entry: the schema's file, the value as the outside sees it in JSON, and its Avro bytes in hex (without the five bytes
of the wire format). Both libraries must agree, or nothing is written.
"""

import io
import json
from pathlib import Path

import avro.io
import avro.schema
import fastavro

HERE = Path(__file__).parent
SCHEMAS = HERE.parents[3] / "schemas" / "topics"
PLAN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HOUR = 1782514800000

PROBE = dict(type="probe", outcome="ok", scheduled_at=HOUR, ordinal=0, latency_ms=812, measured_at=HOUR + 3, lag_ms=None, error_code=None)
WINDOW = dict(
    type="window", source="router_demo", start_at=HOUR, end_at=HOUR + 3600000, revision=0, decided_at=HOUR + 4200000,
    late=False, verdict="breach", reason="p95", count=4, error_count=1, timeout_count=1, skipped_count=0, expected_count=4,
    p50_ms=12, p95_ms=5000, max_ms=5000, threshold_ms=500, rule_id="latency_p95", plan=PLAN,
    latencies=[dict(ms=0, count=1), dict(ms=12, count=2), dict(ms=5000, count=1)],
    sample_ids=[dict(first_at=HOUR, step_ms=900000, count=3, ordinal=0), dict(first_at=HOUR + 1, step_ms=0, count=1, ordinal=7)],
    sealed=False,
)
BREACH = dict(
    source="口座_α", start_at=HOUR, end_at=HOUR + 3600000, revision=12, decided_at=HOUR + 4200000, reason="errors", rule_id="r",
    threshold_ms=2147483647, p50_ms=None, p95_ms=None, max_ms=None, count=0, error_count=4, expected_count=4, plan=PLAN,
    window_key="口座_α/2026-06-26T23:00:00Z/r12", window_sha256=SHA,
)
ALERT = dict(
    alert_id="breach/latency_p95/router_demo/2026-06-26T23:00:00Z", sequence=1, kind="escalated", about="breach",
    severity="critical", rule_id="latency_p95", source="router_demo", decided_at=HOUR, event_at=HOUR, opened_at=HOUR - 3600000,
    reason="3 windows in a row above 500 ms — 重大 😂", streak=3, threshold_ms=500, plan=PLAN,
    evidence=[dict(key="router_demo/2026-06-26T23:00:00Z/r0", sha256=SHA, verdict="breach", count=4, error_count=0, p95_ms=812),
              dict(key="router_demo/gap/2026-06-27T00:00:00Z", sha256=SHA, verdict="gap", count=0, error_count=0, p95_ms=None)],
)
STARTED = dict(
    type="started", job="weekly", slot_at=HOUR, job_id="20260626T230000Z-weekly", run_id="r-1", generated_at=HOUR, plan=PLAN,
    commit_sha=None, command=["obstream", "weekly", "--out-dir", "出力"], options={"out_dir": "a", "camelKey": "", "ключ": "😂"},
    dry_run=True, cut_tick_at=HOUR, cut_last_keys={"obs.run.v1": "x/r0"},
)
FINISHED = dict(
    type="finished", job="weekly", slot_at=HOUR, job_id="20260626T230000Z-weekly", run_id="r-2", attempt=2, status="error",
    skip_reason=None, started_at=HOUR, duration_ms=4503599627370497,
    artefacts=[dict(path="ops/a.json", bytes=9007199254740990, sha256=SHA, newest_at=None), dict(path="b", bytes=0, sha256="", newest_at=HOUR)], alerts=[dict(id="a", severity="info", state="sent")],
    error_code="OBS_LOG_IO", error_message="a\u0000b\n\"\\", dry_run=False, summary={"samples_written": -4503599627370496, "zero": 0},
    next_run_at=-1,
)

SAID = dict(at=HOUR, by="K. 田中", reason="router restart — 再起動 \"10:00\"")
SILENCE = dict(
    type="silence", matchers=[dict(name="source", op="regex", value="router.*|口座_α"), dict(name="severity", op="equal", value="warning"),
                              dict(name="desk", op="not_equal", value=""), dict(name="about", op="not_regex", value="no_\\w+")],
    starts_at=HOUR - 1, ends_at=HOUR + 7200000, **SAID,
)

MESSAGE = dict(subject="breach/latency_p95/router_demo/2026-06-26T23:00:00Z/0", channel="ops", message_id="msg_" + "0f" * 16)
DECISION = dict(type="decision", **MESSAGE, decided_at=HOUR, send=True, code="routed", reason="the route critical names this channel", commands=[],
                channel_config=SHA, message_type="obs.alert.opened", body='{"text":"重大"}', dry_run=False)
OUTCOME = dict(type="outcome", **MESSAGE, attempt=3, at=HOUR + 70000, duration_ms=12, result="accepted", status=200, detail="ok", next_attempt_at=None)

CASES = [
    ("sample.avsc", PROBE),
    ("sample.avsc", {**PROBE, "outcome": "error", "latency_ms": None, "ordinal": 2147483647, "lag_ms": -2147483648, "error_code": "ECONNREFUSED"}),
    ("sample.avsc", {**PROBE, "outcome": "skipped", "latency_ms": None, "scheduled_at": -1, "measured_at": 0}),
    ("sample.avsc", dict(type="tick", at=HOUR, plan=PLAN)),
    ("plan.avsc", dict(canonical_json='{"engine":1,"labels":{"desk":"為替"}}')),
    ("plan.avsc", dict(canonical_json="x" * 5000)),
    ("window.avsc", WINDOW),
    ("window.avsc", {**WINDOW, "verdict": "insufficient", "reason": None, "p50_ms": None, "p95_ms": None, "max_ms": None, "threshold_ms": None,
                     "rule_id": None, "latencies": [], "sample_ids": [], "late": True, "sealed": True}),
    ("window.avsc", dict(type="gap", source="é" * 32, first_slot_at=HOUR, slot_at=HOUR + 900000, missing_count=2, decided_at=HOUR, rule_id=None, plan=PLAN)),
    ("window.avsc", dict(type="rejected", source="a", scheduled_at=HOUR, ordinal=0, reason="window_sealed", decided_at=HOUR, outcome="timeout", latency_ms=10000)),
    ("breach.avsc", BREACH),
    ("alert.avsc", ALERT),
    ("alert.avsc", {**ALERT, "kind": "opened", "about": "no_data", "threshold_ms": None, "evidence": []}),
    ("job.avsc", STARTED),
    ("job.avsc", {**STARTED, "command": [], "options": {}, "cut_last_keys": {}, "commit_sha": "abc"}),
    ("job.avsc", FINISHED),
    ("job.avsc", {**FINISHED, "status": "skipped", "skip_reason": "lock_held", "artefacts": [], "alerts": [], "summary": {}, "next_run_at": None}),
    ("command.avsc", dict(type="ack", alert_id="breach/latency_p95/router_demo/2026-06-26T23:00:00Z", **SAID)),
    ("command.avsc", SILENCE),
    ("command.avsc", {**SILENCE, "matchers": [], "starts_at": 0, "ends_at": -1}),
    ("command.avsc", dict(type="unsilence", silence_id="019ef9d4-ad80-7c4e-8f3a-0123456789ab", **SAID)),
    ("command.avsc", dict(type="exclude", source="router_demo", from_at=HOUR, until_at=HOUR + 3600000, **SAID)),
    ("command.avsc", dict(type="channel_test", channel="ops", channel_config=SHA, accepted=True, **SAID)),
    ("delivery.avsc", DECISION),
    ("delivery.avsc", {**DECISION, "send": False, "code": "silenced", "commands": ["019ef9d4-ad80-7c4e-8f3a-0123456789ab", "b"],
                       "message_type": None, "body": None, "dry_run": True}),
    ("delivery.avsc", dict(type="intent", **MESSAGE, attempt=1, at=HOUR, courier="019ef9d4-ad80-7c4e-8f3a-0123456789ac")),
    ("delivery.avsc", OUTCOME),
    ("delivery.avsc", {**OUTCOME, "attempt": 2147483647, "result": "unknown", "status": None, "detail": "接続が切れました", "next_attempt_at": HOUR + 1}),
]


def by_fastavro(schema, value):
    if "type" in value:
        fields = {name: member for name, member in value.items() if name != "type"}
        branch = next(b for b in schema["fields"][0]["type"] if b["name"].lower() == value["type"].replace("_", ""))
        value = {"fact": (f"{schema['namespace']}.{branch['name']}", fields)}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def by_apache(text, value):
    """Instants are datetimes there unless the logical types are taken out; unions are told apart by their fields."""
    plain = avro.schema.parse(text.replace(', "logicalType": "timestamp-millis"', ""))
    if "type" in value:
        value = {"fact": {name: member for name, member in value.items() if name != "type"}}
    out = io.BytesIO()
    avro.io.DatumWriter(plain).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


entries = []
for file, value in CASES:
    text = (SCHEMAS / file).read_text(encoding="utf-8")
    golden = by_fastavro(json.loads(text), value)
    assert golden == by_apache(text, value), f"the libraries differ: {file}, {value}"
    entries.append({"schema": file, "json": value, "hex": golden.hex()})

(HERE / "values.golden.json").write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
