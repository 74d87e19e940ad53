#!/usr/bin/env python3
"""Makes journal.jsonl, the journal of a made-up run, and totals.json, its sums counted by this script.

Everything is invented: the run, its machine, its numbers. The script shares no code with the program, so the totals
and the chain of hashes are a second opinion. Usage: python3 golden/ledger/make.py [STEPS] [FOLDER]
"""

import hashlib
import json
import math
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
dice = random.Random(7)
layers, experts, chosen, tokens = 4, 8, 2, 4096
clock = datetime(2026, 11, 24, 9, 0, 0, tzinfo=timezone.utc)
lines, previous = [], "0" * 64


def write(record):
    global previous
    at = clock.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
    line = json.dumps({"previous": previous, "at": at, "record": record}, separators=(",", ":"))
    previous = hashlib.sha256(line.encode()).hexdigest()
    lines.append(line)


def wait(seconds):
    global clock
    clock += timedelta(seconds=seconds)


def energy(seconds):
    processor, memory = 17.5 * seconds, 24 * 0.375 * seconds
    return [
        {"component": "processor", "method": "rapl", "joules": processor, "low": processor, "high": processor},
        {"component": "memory", "method": "estimate", "joules": memory, "low": memory / 3, "high": memory * 1.5},
    ]


def load(step):
    """Tokens per expert: lopsided at first, even later."""
    out = []
    for layer in range(layers):
        skew = 1.6 * math.exp(-5 * step / steps) + 0.1
        weight = [math.exp(skew * math.sin(1.7 * e + layer + 0.3 * dice.random())) for e in range(experts)]
        counts = [int(tokens * chosen * w / sum(weight)) for w in weight]
        counts[-1] += tokens * chosen - sum(counts)
        out.append(counts)
    return out


def step_record(step):
    seconds = round(2.0 + 0.2 * dice.random(), 4)
    wait(seconds)
    warm, cool = min(1.0, step / (0.1 * steps)), min(1.0, (steps - step + 1) / (0.3 * steps))
    record = {
        "kind": "step", "step": step, "tokens": tokens - step % 3,
        "loss": round(2.1 + 6.4 * math.exp(-6 * step / steps) + 0.8 / math.sqrt(step) + 0.05 * dice.gauss(0, 1), 5),
        "learning_rate": 0.002 * warm * cool,
        "grad_norm": round(0.6 + 2.5 * math.exp(-8 * step / steps) + 0.1 * abs(dice.gauss(0, 1)), 4),
        "seconds": seconds, "model_flop": 150_000_000_001 + step, "palm_flop": 171_000_000_000 + step,
        "hardware_flop": 155_000_000_003 + step, "energy": energy(seconds), "expert_tokens": load(step),
    }
    if step == steps // 2:
        record["skipped"] = "loss rose by more than 6 standard deviations"
    return record


def evaluate(step):
    wait(1.5)
    value = round(1.05 + 1.9 * math.exp(-5 * step / steps), 4)
    return {"kind": "evaluation", "step": step, "name": "held-out bits per byte", "value": value, "n": 65536,
            "flop": 40_000_000_000, "seconds": 1.5, "energy": energy(1.5)}


TEXTS = [
    "the the of of and , the a . of the in",
    "The river was the house of the and he said that it was not the day.",
    "The lighthouse stood on the rock, and the keeper lit the lamp when the sun went down.",
    "The lighthouse keeper counted the ships each evening and wrote their names into a book, so that none was lost.",
]


def sample(step):
    wait(0.8)
    return {"kind": "sample", "step": step, "prompt": "The lighthouse", "flop": 3_000_000_000, "seconds": 0.8,
            "text": TEXTS[min(3, 4 * step // (steps + 1))], "energy": energy(0.8)}


def checkpoint(step):
    return {"kind": "checkpoint", "step": step, "bytes": 61_000_000, "seconds": 0.9, "stall_seconds": 0.02,
            "sha256": hashlib.sha256(str(step).encode()).hexdigest()}


records = []


def tell(record):
    records.append(record)
    write(record)


def train(first, last):
    for step in range(first, last + 1):
        tell(step_record(step))
        if step % (steps // 6) == 0:
            tell(evaluate(step))
            tell(checkpoint(step))
        if step % (steps // 4) == 0:
            tell(sample(step))


tell({
    "kind": "run_started", "run_id": "nano-example", "phase": "pretrain", "config_sha256": "c" * 64,
    "data_fingerprint": "d" * 64, "code_version": "0.1.0 (example)", "seed": 7,
    "data": [
        {"name": "Example handbooks", "version": "1.2", "licence": "CC-BY-4.0", "documents": 812, "tokens": 180_000, "synthetic": False},
        {"name": "Example dialogues", "version": "2026-10", "licence": "CC0-1.0", "documents": 96, "tokens": 20_000, "synthetic": True},
    ],
    "model": {
        "name": "nano-example", "architecture": "Qwen3MoeForCausalLM", "layers": layers, "width": 256, "experts": experts,
        "experts_per_token": chosen, "vocab": 8192, "context": 512, "parameters_total": 15_200_000,
        "parameters_active": 8_100_000, "parameters_embedding": 2_097_152, "matrix_weights_per_token": 6_000_000,
        "query_width": 256, "precision": "float32", "tokenizer": "byte-level BPE, 8192", "licence": "apache-2.0",
    },
    "host": {"cpu": "Example 2-core processor", "cores": 2, "threads": 2, "memory_bytes": 24_000_000_000, "os": "Linux 6.12",
             "peak_flop_per_s": 1.4e11, "peak_source": "measured by bench kernels"},
    "energy_method": "RAPL counters of 1 package(s); memory has no counter here. Memory estimated: 24.0 GB × 0.375 W per GB.",
    "declared": {"organisation": "Example Reading Circle", "location": "Iceland", "pue": 1.2, "pue_source": "operator's report 2025",
                 "grid_g_per_kwh": 28.0, "grid_low_g_per_kwh": 20.0, "grid_high_g_per_kwh": 36.0, "grid_source": "example table 2025",
                 "price_per_kwh": 0.2, "currency": "EUR"},
    "planned_steps": steps,
})
crash, back = steps * 2 // 3 + 5, steps * 2 // 3
train(1, crash)
wait(600)
tell({"kind": "resumed", "from_step": back, "discarded_steps": crash - back})
train(back + 1, steps)
tell({"kind": "finished", "step": steps, "weights_sha256": "e" * 64})

work = [r for r in records if r["kind"] in ("step", "evaluation", "sample")]
before = records[: [r["kind"] for r in records].index("resumed")]
lost = [r for r in before if r["kind"] == "step" and r["step"] > back]
stand = [r for r in records if r["kind"] == "step" and not any(r is x for x in lost)]
parts = [part for r in work for part in r["energy"]]
joules, low, high = (math.fsum(p[key] for p in parts) for key in ("joules", "low", "high"))
issued = math.fsum(r["hardware_flop"] if r["kind"] == "step" else r["flop"] for r in work)
totals = {
    "head": previous, "lines": len(lines), "steps": len(stand), "tokens": sum(r["tokens"] for r in stand),
    "model_flop": math.fsum(r["model_flop"] for r in stand), "palm_flop": math.fsum(r["palm_flop"] for r in stand),
    "hardware_flop": math.fsum(r["hardware_flop"] for r in stand), "wasted_steps": len(lost),
    "wasted_flop": math.fsum(r["hardware_flop"] for r in lost), "issued_flop": issued,
    "joules": joules, "joules_low": low, "joules_high": high, "kwh": joules / 3.6e6, "kwh_at_meter": 1.2 * joules / 3.6e6,
    "co2e_g": 28 * 1.2 * joules / 3.6e6, "co2e_low": 20 * 1.2 * low / 3.6e6, "co2e_high": 36 * 1.2 * high / 3.6e6,
    "busy_s": math.fsum(r["seconds"] for r in work), "downtime_s": 600.0, "final_loss": stand[-1]["loss"],
}
(folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
(folder / "totals.json").write_text(json.dumps(totals, indent=1) + "\n")
