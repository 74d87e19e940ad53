"""Puts the whole life together, checks it against itself, and writes or compares the files."""

import json
import sys

from . import calendar, checks, contacts, documents, mail, notes, story
from .events import EVENTS
from .questions import ask
from .questions.model import as_json


def make():
    """Returns ({path under examples/life: bytes}, report lines)."""
    kept, files = documents.build()
    cards, card_files = contacts.build()
    calendars, invitations = calendar.build(EVENTS)
    letters = story.read_letters()
    attachments = files | card_files | invitations
    mailboxes, places = mail.build(letters, attachments)
    data = mailboxes | kept | cards | calendars | notes.build()
    raw = {
        mail.message_id(letter): mail.write_message(letter, letters, attachments)
        for letter in letters.values()
    }
    life = checks.Life(data, letters, places, raw)
    report = checks.run(life)
    asked = ask.every(life)
    out = {f"data/{path}": content for path, content in data.items()}
    out["questions.jsonl"] = lines(as_json(question) for question in asked)
    out["first_questions.json"] = (json.dumps(ask.first(asked), ensure_ascii=False, indent=2) + "\n").encode()
    out["commitments.jsonl"] = lines(
        json.dumps(entry, ensure_ascii=False) for entry in checks.commitments(life)
    )
    return out, report + ask.report(asked)


def lines(texts):
    return "".join(text + "\n" for text in texts).encode()


def main(root, check):
    files, report = make()
    if check:
        return compare(root, files)
    for path in sorted((root / "data").rglob("*"), reverse=True):
        if path.is_file():
            path.unlink()
        else:
            path.rmdir()
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    print("\n".join(report), file=sys.stderr)
    return 0


def compare(root, files):
    present = {p.relative_to(root).as_posix() for p in (root / "data").rglob("*") if p.is_file()}
    wrong = [f"missing: {path}" for path in files if not (root / path).is_file()]
    wrong += [f"not made by the generator: {path}" for path in sorted(present - set(files))]
    wrong += [
        f"differs: {path}"
        for path, content in files.items()
        if (root / path).is_file() and (root / path).read_bytes() != content
    ]
    print("\n".join(wrong) or f"{len(files)} files as generated", file=sys.stderr)
    return 1 if wrong else 0
