"""Reads the story files: mails written as plain text with a few header lines.

=== key
from: person or person/1 (second address)
to: person, person
date: 2026-03-02 18:44        (local to the sender)
subject: words
re: key of the mail it answers
promise: who > whom | what | due date | exact words
...

body, with {{facts}}
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from . import clock
from .facts import fill
from .people import BY_KEY

STORY = Path(__file__).parent / "story"


@dataclass
class Letter:
    key: str
    headers: dict
    body: str
    promises: list = field(default_factory=list)

    def get(self, name, default=""):
        return self.headers.get(name, default)

    def people(self, name):
        """[(person, address)] named in a header line."""
        found = []
        for word in filter(None, (w.strip() for w in self.get(name).split(","))):
            key, _, nth = word.partition("/")
            person = BY_KEY[key]
            found.append((person, person.mails[int(nth or 0)]))
        return found

    @property
    def sender(self):
        return self.people("from")[0][0]

    @property
    def sent(self):
        """Moment of sending, with the sender's offset."""
        seconds = int(hashlib.sha256(self.key.encode()).hexdigest()[:4], 16) % 60
        local = datetime.strptime(f"{self.get('date')}:{seconds:02}", "%Y-%m-%d %H:%M:%S")
        return clock.aware(local, self.get("zone") or self.sender.zone)

    @property
    def day(self):
        """The day it was for the owner, in Berlin."""
        utc = self.sent.astimezone(timezone.utc)
        hours = clock.offset_hours(utc.date(), "Europe/Berlin")
        return (utc + timedelta(hours=hours)).date()

    @property
    def language(self):
        return self.get("lang") or self.sender.language


def read_letters():
    """All mails of the story by key, oldest first."""
    letters = []
    for path in sorted((STORY / "mail").glob("*.txt")):
        for block in fill(path.read_text("utf-8")).split("\n=== "):
            block = block.removeprefix("=== ")
            if block.strip():
                letters.append(parse_letter(block, path.name))
    letters.sort(key=lambda letter: (letter.sent.astimezone(timezone.utc), letter.key))
    by_key = {letter.key: letter for letter in letters}
    if len(by_key) != len(letters):
        keys = [letter.key for letter in letters]
        raise ValueError(f"mail key used twice: {sorted(k for k in by_key if keys.count(k) > 1)}")
    return by_key


def parse_letter(block, where):
    key, _, rest = block.partition("\n")
    head, _, body = rest.partition("\n\n")
    headers, promises = {}, []
    for line in head.split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{where}, mail {key}: header line without a colon: {line!r}")
        if name == "promise":
            promises.append(value.strip())
        else:
            headers[name.strip()] = value.strip()
    return Letter(key.strip(), headers, body.strip("\n") + "\n", promises)
