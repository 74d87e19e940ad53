#!/usr/bin/env python3
"""Compares what libraries find in PDF or DOCX files with what a reference program finds.

usage: compare.py [--tsv OUT] FOLDER [ENGINE...]

FOLDER holds one folder for each group of files. The reference is `pdftotext` (poppler-utils) for PDF and `pandoc` for
DOCX. Words are runs of letters and digits after NFKC, folded in case; Chinese and Japanese characters count one by one.
recall: share of the reference's words (with repetition) that are found; precision: share of what is found that the
reference has; pairs: share of the reference's neighbouring words that stand side by side, which is reading order.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target"))
PROGRAM = TARGET / "release" / "extractors"
ENGINES = {
    ".pdf": ["vault", "pdf-extract", "lopdf", "pdf_oxide", "oxidize-pdf", "unpdf", "pdf-inspector"],
    ".docx": ["vault", "docx-rs", "docx-lite", "undoc"],
}
LIMIT_S = 120
WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W_\u2e80-\u9fff\uf900-\ufaff]+")


def words(text):
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def run(command):
    """(text, seconds of processor, peak MB, how it ended)"""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, stdout=out, stderr=err)
        deadline = time.monotonic() + LIMIT_S
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                child.kill()
                _, _, usage = os.wait4(child.pid, 0)
                status = None
                break
            time.sleep(0.002)
        child.returncode = 0
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
        err.seek(0)
        said = err.read().decode("utf-8", "replace").strip().splitlines()
    seconds = usage.ru_utime + usage.ru_stime
    if status is None:
        end = "time"
    elif status == 0:
        end = "ok"
    elif os.WIFSIGNALED(status):
        end = f"signal {os.WTERMSIG(status)}"
    else:
        end = "panic" if os.WEXITSTATUS(status) == 101 else "error: " + (said or [""])[-1][:60]
    return text, seconds, usage.ru_maxrss / 1000, end


def reference(path):
    if path.suffix == ".pdf":
        return ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    return ["pandoc", "-t", "plain", "--wrap=none", "--track-changes=accept", str(path)]


def shares(expected, found):
    common = (collections.Counter(expected) & collections.Counter(found)).total()
    beside = lambda all: collections.Counter(zip(all, all[1:]))
    pairs = beside(expected)
    together = (pairs & beside(found)).total()
    share = lambda part, whole: part / whole if whole else float("nan")
    return share(common, len(expected)), share(common, len(found)), share(together, pairs.total())


def measure(folder, engines, tsv):
    rows = collections.defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix not in ENGINES:
            continue
        text, seconds, megabytes, end = run(reference(path))
        expected = words(text)
        rows["reference"].append((float("nan"),) * 3 + (seconds, megabytes, end))
        for engine in engines or ENGINES[path.suffix]:
            text, seconds, megabytes, end = run([str(PROGRAM), engine, str(path)])
            row = (*shares(expected, words(text)), seconds, megabytes, end)
            rows[engine].append(row)
            if tsv:
                print(folder.name, path.name, len(expected), engine, *row, sep="\t", file=tsv, flush=True)
    return rows


def mean(values):
    values = [value for value in values if value == value]
    return sum(values) / len(values) if values else float("nan")


def main(args):
    tsv = None
    if args[:1] == ["--tsv"]:
        tsv = open(args[1], "w", encoding="utf-8")
        args = args[2:]
    if not args:
        sys.exit(__doc__)
    for folder in sorted(folder for folder in Path(args[0]).iterdir() if folder.is_dir()):
        rows = measure(folder, args[1:], tsv)
        if not rows:
            continue
        print(f"\n{folder.name}: {len(rows['reference'])} files\n")
        print("| engine | recall | precision | pairs | worst recall | seconds | peak MB | failed |")
        print("|---|---|---|---|---|---|---|---|")
        for engine, of in rows.items():
            ends = collections.Counter(row[5].split(":")[0] for row in of if row[5] != "ok")
            failed = ", ".join(f"{n} {end}" for end, n in ends.items()) or "–"
            recalls = [row[0] for row in of if row[0] == row[0]]
            print(
                f"| {engine} | {mean(recalls):.3f} | {mean(row[1] for row in of):.3f} "
                f"| {mean(row[2] for row in of):.3f} | {min(recalls, default=float('nan')):.3f} "
                f"| {sum(row[3] for row in of):.2f} | {max(row[4] for row in of):.0f} | {failed} |",
                flush=True,
            )


main(sys.argv[1:])
