"""Puts the whole life together, checks it against itself, and writes or compares the files."""

import sys

from . import calendar, checks, contacts, documents, mail, notes, story
from .events import EVENTS


def make():
    """Returns ({path under examples/life: bytes}, report lines)."""
    kept, files, texts = documents.build()
    cards, card_files = contacts.build()
    calendars, invitations = calendar.build(EVENTS)
    letters = story.read_letters()
    mailboxes, places = mail.build(letters, files | card_files | invitations)
    data = mailboxes | kept | cards | calendars | notes.build()
    life = checks.Life(data, letters, places, texts)
    report = checks.run(life)
    out = {f"data/{path}": content for path, content in data.items()}
    return out, report


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
    wrong += [f"differs: {path}" for path, content in files.items()
              if (root / path).is_file() and (root / path).read_bytes() != content]
    print("\n".join(wrong) or f"{len(files)} files as generated", file=sys.stderr)
    return 1 if wrong else 0
