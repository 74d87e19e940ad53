"""The life checked against itself: weekdays beside dates, commitments, decoded text of every file."""

import email
import email.policy
import html
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date

from . import clock
from .mail import MBOX, message_id

MONTH_NAMES = {
    name: i
    for names in (
        "january february march april may june july august september october november december",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    )
    for i, name in enumerate(names.split(), 1)
}
DAY_NAMES = {
    name: i
    for names in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    )
    for i, name in enumerate(names.split())
}
SPOKEN = re.compile(
    rf"\b({'|'.join(DAY_NAMES)}),?\s+(?:(?:den|le|the)\s+)?(\d{{1,2}})(?:\.|th|st|nd|rd)?\s+({'|'.join(MONTH_NAMES)})\b(?:,?\s+(20\d\d))?",
    re.I,
)
AMERICAN = re.compile(
    rf"\b({'|'.join(DAY_NAMES)}),?\s+({'|'.join(MONTH_NAMES)})\s+(\d{{1,2}})\b(?:,?\s+(20\d\d))?", re.I
)


@dataclass
class Life:
    data: dict
    letters: dict
    places: dict
    raw: dict  # the bytes of each mail by Message-ID

    def __post_init__(self):
        self.cache = {}

    def letter(self, wanted):
        return next(letter for letter in self.letters.values() if message_id(letter) == wanted)

    def message_parts(self, message_id):
        """[(attachment name or "", text)]: the message's own words first."""
        key = f"<{message_id}>"
        if key not in self.cache:
            self.cache[key] = [(name, squeeze(text)) for name, text in message_parts(self.raw[message_id])]
        return self.cache[key]

    def text(self, path):
        """What a reader sees in the file, all parts and attachments decoded, spaces made single."""
        if path not in self.cache:
            self.cache[path] = squeeze(decode(path, self.data[path]))
        return self.cache[path]


def squeeze(text):
    return " ".join(text.split())


def decode(path, data):
    if path.endswith(".mbox"):
        lines = data.split(b"\n")
        plain = b"\n".join(line[1:] if re.match(rb">+From ", line) else line for line in lines)
        return "\n".join(
            decode_message(raw) for raw in re.split(rb"(?m)^From \S+ \w{3} \w{3} [ \d]\d .*\n", plain)[1:]
        )
    if "mail/inbox/" in path:
        return decode_message(data)
    if path.endswith(".pdf"):
        return decode_pdf(data)
    if path.endswith(".docx"):
        return decode_docx(data)
    text = data.decode("utf-8")
    if path.endswith((".ics", ".vcf")):
        text = text.replace("\r\n ", "")
        return text.replace("\\,", ",").replace("\\;", ";").replace("\\n", " ").replace("tel:", "")
    if path.endswith(".html"):
        return strip_html(text)
    return text


def strip_html(text):
    text = re.sub(r"(?s)<(style|script).*?</\1>", " ", text)
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def decode_message(raw):
    return "\n".join(text for _, text in message_parts(raw))


def message_parts(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    own = [str(message.get(name, "")) for name in ("subject", "from", "date")]
    attached = []
    for part in message.walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True) or b""
        kind, name = part.get_content_type(), part.get_filename() or ""
        if kind.startswith("text/"):
            text = decode_text(payload, part.get_content_charset("utf-8"))
            text = strip_html(text) if kind == "text/html" else text
        elif kind == "application/pdf":
            text = decode_pdf(payload)
        elif kind.endswith("wordprocessingml.document"):
            text = decode_docx(payload)
        else:
            text = ""
        if name:
            attached.append((name, text))
        else:
            own.append(text)
    return [("", "\n".join(own))] + attached


def decode_text(payload, label):
    for charset in (label, "utf-8", "cp1252"):
        try:
            return payload.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    return payload.decode("latin-1")


def decode_pdf(data):
    out = []
    for line in data.decode("latin-1").split("\n"):
        pieces = re.findall(r"\(((?:\\.|[^()\\])*)\)", line) if line.endswith("ET") else []
        text = "".join(pieces)
        text = re.sub(r"\\(\d{3})", lambda m: bytes([int(m.group(1), 8)]).decode("cp1252"), text)
        out.append(re.sub(r"\\(.)", r"\1", text))
    return "\n".join(filter(None, out))


def decode_docx(data):
    xml = zipfile.ZipFile(io.BytesIO(data)).read("word/document.xml").decode("utf-8")
    xml = re.sub(r"<w:del .*?</w:del>", "", xml)
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</w:p>", "\n", xml)))


def weekdays(text, near, where):
    """Every "Friday 13 March" must be a Friday in its year, or in the year nearest to `near`."""
    wrong = []
    found = [(m, m[1], m[2], m[3]) for m in SPOKEN.finditer(text)] + [
        (m, m[1], m[3], m[2]) for m in AMERICAN.finditer(text)
    ]
    for match, weekday, day, month in found:
        years = [int(match[4])] if match[4] else [near.year - 1, near.year, near.year + 1]
        days = [date(year, MONTH_NAMES[month.lower()], int(day)) for year in years]
        meant = min(days, key=lambda d: abs((d - near).days))
        if meant.weekday() != DAY_NAMES[weekday.lower()]:
            wrong.append(f"{where}: {match[0]!r} is no {weekday}")
    return wrong


def due_day(letter, due):
    if due == "-":
        return None
    if due.startswith("+"):
        return clock.days_later(letter.day, int(due))
    if due in clock.WEEKDAYS:
        return clock.weekday_after(letter.day, due)
    return date.fromisoformat(due)


def commitments(life):
    """Promises planted in the mail, with the day they fall due counted from the day of writing."""
    out = []
    for letter in life.letters.values():
        for line in letter.promises:
            who, what, due, words = (part.strip() for part in line.split("|"))
            giver, receiver = (name.strip() for name in who.split(">"))
            if words not in squeeze(letter.body):
                raise ValueError(f"mail {letter.key} does not say {words!r}")
            day = due_day(letter, due)
            out.append(
                {
                    "who": giver,
                    "whom": receiver,
                    "what": what,
                    "due": day.isoformat() if day else None,
                    "words": words,
                    "said": letter.day.isoformat(),
                    "path": life.places[letter.key],
                    "message_id": message_id(letter),
                }
            )
    return out


def run(life):
    wrong = []
    for letter in life.letters.values():
        wrong += weekdays(letter.body + letter.get("subject"), letter.day, f"mail {letter.key}")
        if letter.sent.date() > clock.TODAY:
            wrong.append(f"mail {letter.key} was sent after today")
    for path in life.data:
        if path.startswith(("notes/", "documents/")):
            text = life.text(path)
            stated = re.search(r"20\d\d-\d\d-\d\d", path + text)
            wrong += weekdays(text, date.fromisoformat(stated[0]) if stated else clock.TODAY, path)
        elif path != MBOX:
            life.text(path)
    if wrong:
        raise SystemExit("the life contradicts itself:\n" + "\n".join(wrong))
    kinds = {}
    for path in life.data:
        kinds[path.split("/")[0]] = kinds.get(path.split("/")[0], 0) + 1
    size = sum(map(len, life.data.values()))
    return [
        f"{len(life.letters)} mails, {len(commitments(life))} commitments, files: {kinds}, {size / 1e6:.2f} MB"
    ]
