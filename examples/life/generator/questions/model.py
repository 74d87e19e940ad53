"""What a question is, how evidence is named, and what must hold before one is written.

Answers that are dates, counts or sums are worked out from the model (mail dates, events, facts);
texts and persons are typed here once and must stand in the evidence.
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime

from .. import checks, clock, mail
from ..calendar import expand
from ..events import BY_EVENT, EVENTS
from ..facts import FACTS, money, short

KINDS = [
    "single-hop",
    "multi-hop",
    "temporal",
    "counting",
    "update",
    "false-premise",
    "unanswerable",
    "contact",
    "calendar",
]
TYPES = ["text", "date", "number", "person", "list", "none"]
GERMAN_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
FRENCH_MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()


OTHER_LANGUAGES = {
    "documents/mietvertrag-am-alten-speicher.pdf": "de",
    "documents/laborbefund-2026-02.pdf": "de",
    "documents/laborbefund-2026-06.pdf": "de",
    "documents/police-nordlicht.pdf": "de",
    "documents/kuendigung-walnussweg.docx": "de",
    "documents/hort-brief.docx": "de",
    "documents/nebenkosten-2027.docx": "de",
    "notes/zählerstände.txt": "de",
    "notes/recipes/apple-sauce.md": "de",
    "notes/recipes/galettes.md": "fr",
}


@dataclass
class Question:
    id: str
    question: str
    kind: str
    type: str
    answer: str
    evidence: list
    accept: list = field(default_factory=list)
    items: list = field(default_factory=list)
    language: str = "en"
    now: str = clock.NOW
    notes: str = ""
    also: list = field(default_factory=list)  # passages that would answer alone
    spoken: list = field(default_factory=list)  # languages of the evidence
    derived: bool = False  # worked out: the answer's words need not stand in a source


class Asker:
    """Hands the question modules what they need of the life, and collects what they ask."""

    def __init__(self, life):
        self.life, self.asked, self.letters = life, [], life.letters

    # Evidence
    def mail(self, key, words):
        return {
            "path": self.life.places[key],
            "contains": words,
            "message_id": mail.message_id(self.letters[key]),
        }

    def file(self, path, words):
        return {"path": path, "contains": words}

    def note(self, name, words):
        return self.file(f"notes/{name}", words)

    def document(self, name, words):
        return self.file(f"documents/{name}", words)

    def card(self, words, book="address-book"):
        return self.file(f"contacts/{book}.vcf", words)

    def event(self, key, words=None):
        event = BY_EVENT[key]
        return {
            "path": f"calendar/{event.calendar}.ics",
            "contains": words or event.summary,
            "uid": event.uid,
        }

    # The model
    def day(self, key):
        return self.letters[key].day

    def after(self, key, weekday):
        return clock.weekday_after(self.day(key), weekday)

    def before(self, key, weekday):
        return clock.weekday_before(self.day(key), weekday)

    def later(self, day, n):
        return clock.days_later(day, n)

    def starts(self, key, first=None, last=None):
        """Occurrences of an event between two dates, both included."""
        days = [(s, s.date() if isinstance(s, datetime) else s) for s in expand(BY_EVENT[key])]
        return [s for s, day in days if (first is None or day >= first) and (last is None or day <= last)]

    def next(self, key, day=clock.TODAY):
        return self.starts(key, first=day)[0]

    def agenda(self, day):
        """[(start, event)] of everything that begins on a day, timed first in order of the clock."""
        found = [
            (start, event)
            for event in EVENTS
            for start in expand(event)
            if (start.date() if isinstance(start, datetime) else start) == day
        ]
        return sorted(found, key=lambda pair: (not isinstance(pair[0], datetime), str(pair[0])))

    def letters_from(self, person):
        return [
            letter
            for letter in self.letters.values()
            if letter.sender.key == person and "X-Spam-Flag" not in letter.get("header")
        ]

    # Asking
    def ask(self, id, question, kind, type, answer, *evidence, **more):
        """Evidence beyond the first is an alternative (`also`) where one source is enough for the kind,
        unless `need="all"`; elsewhere all of it is needed."""
        accept = list(more.pop("accept", []))
        if type == "none":
            more.setdefault("derived", True)
            answer = ""
        elif isinstance(answer, date):
            accept, answer = date_forms(answer) + accept, answer.isoformat()[:10]
            more.setdefault("derived", True)
        elif isinstance(answer, (int, float)):
            accept, answer = number_forms(answer) + accept, short(answer)
        evidence = list(evidence)
        if kind in ("single-hop", "contact", "update") and more.pop("need", "one") == "one":
            more["also"], evidence = evidence[1:] + list(more.get("also", [])), evidence[:1]
        self.asked.append(Question(id, question, kind, type, answer, evidence, accept, **more))

    def fact(self, name):
        return FACTS[name]


def date_forms(day):
    month, name = day.month - 1, f"{day:%B}"
    forms = [
        f"{day.day} {name} {day.year}",
        f"{name} {day.day}, {day.year}",
        f"{day.day} {name}",
        f"{name} {day.day}",
        f"{day:%d.%m.%Y}",
        f"{day.day}. {GERMAN_MONTHS[month]}",
        f"{day.day} {FRENCH_MONTHS[month]}",
    ]
    return forms


def number_forms(value):
    if isinstance(value, int):
        return [f"{value:,}"] if value >= 1000 else []
    return sorted({money(value, "en"), money(value, "de"), f"{value:.2f}", short(value)} - {short(value)})


def verify(life, questions):
    wrong, ids = [], set()
    for q in questions:
        q.spoken = [language_of(life, proof) for proof in q.evidence + q.also] or [q.language]

        def fail(why, q=q):
            wrong.append(f"question {q.id}: {why}")

        if q.id in ids:
            fail("id used twice")
        ids.add(q.id)
        if (
            q.kind not in KINDS
            or q.type not in TYPES
            or (q.kind in ("false-premise", "unanswerable")) != (q.type == "none")
        ):
            fail(f"kind {q.kind} and type {q.type} do not go together")
        if q.type == "list" and not q.items:
            fail("a list without items")
        texts = []
        for proof in q.evidence + q.also:
            text = proven(life, proof)
            if text is None:
                fail(f"{proof['path']} does not say {proof['contains']!r}")
            else:
                texts.append(text.casefold())
        if q.kind == "multi-hop" and len({kind_of(proof) for proof in q.evidence}) < 2:
            fail("multi-hop over one kind of file only")
        if not q.evidence and q.kind != "unanswerable":
            fail("no evidence")
        spoken = q.items if q.type == "list" else [q.answer]
        if not q.derived and q.type != "none":
            for item in spoken:
                if not any(form.casefold() in text for form in [item] + q.accept for text in texts):
                    fail(f"the answer {item!r} stands in no evidence")
    if wrong:
        raise SystemExit("questions that do not hold:\n" + "\n".join(wrong))


def language_of(life, proof):
    """The language a proof is written in; calendars and cards are hers, so English."""
    if "message_id" in proof:
        return life.letter(proof["message_id"]).language
    return OTHER_LANGUAGES.get(proof["path"], "en")


def kind_of(proof):
    return proof["path"].split("/")[0] + ("-attachment" if proof.get("part") else "")


def proven(life, proof):
    """The text around the proving words, or None. Notes in the proof which attachment has them."""
    if proof["path"] not in life.data:
        return None
    parts = (
        life.message_parts(proof["message_id"]) if "message_id" in proof else [("", life.text(proof["path"]))]
    )
    for name, text in parts:
        if checks.squeeze(proof["contains"]) in text:
            if name:
                proof["part"] = name
            return text
    return None


def as_json(question):
    fields = {
        "id": question.id,
        "question": question.question,
        "language": question.language,
        "kind": question.kind,
        "type": question.type,
        "answer": question.answer,
        "accept": question.accept,
    }
    if question.items:
        fields["items"] = question.items
    fields["evidence"] = question.evidence
    if question.also:
        fields["also"] = question.also
    if all(question.language != language for language in question.spoken):
        fields["cross_language"] = True
    fields["now"] = question.now
    if question.notes:
        fields["notes"] = question.notes
    return json.dumps(fields, ensure_ascii=False)
