"""Gathers all questions, checks them, counts them, and picks the three for the first screen."""

import hashlib
from collections import Counter

from . import change, facts, hops, refusals, time
from .model import Asker, verify

# One whose answer needs a date worked out, one over two kinds of things, one whose answer changed.
FIRST = ["salt-numbers", "workshop-organiser-phone", "bread-minutes"]


def every(life):
    asker = Asker(life)
    for module in (facts, time, change, hops, refusals):
        module.ask(asker)
    verify(life, asker.asked)
    return asker.asked


def half(question):
    return "fit" if int(hashlib.sha256(question.id.encode()).hexdigest()[0], 16) % 2 == 0 else "report"


def first(asked):
    by_id = {question.id: question for question in asked}
    return [{"id": id, "question": by_id[id].question} for id in FIRST]


def report(asked):
    counts = {
        name: dict(Counter(values))
        for name, values in (
            ("kind", (q.kind for q in asked)),
            ("type", (q.type for q in asked)),
            ("language", (q.language for q in asked)),
            ("half", (half(q) for q in asked)),
        )
    }
    return [f"{len(asked)} questions"] + [f"  by {name}: {values}" for name, values in counts.items()]
