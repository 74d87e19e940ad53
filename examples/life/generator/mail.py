"""Mail: turns each letter of the story into a message, and messages into an mbox and a Maildir."""

import hashlib
import textwrap
from datetime import datetime, timedelta, timezone

from . import html, mime

SPLIT = datetime(2026, 6, 1, tzinfo=timezone.utc)  # older mail is in the archive, newer in the inbox
MBOX, MAILDIR = "mail/archive.mbox", "mail/inbox"
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
FRENCH_DAYS = "lun. mar. mer. jeu. ven. sam. dim.".split()
FRENCH_MONTHS = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split()
LIST_FOOTER = "_______________________________________________\nHavelreiher mailing list\nhavelreiher@lists.example\nhttps://lists.example/havelreiher\n"


def message_id(letter):
    domain = letter.people("from")[0][1].split("@")[1]
    digest = hashlib.sha256(letter.key.encode()).hexdigest()
    return f"{digest[:8]}.{digest[8:24]}@{domain}"


def date_header(moment):
    hours = int(moment.utcoffset().total_seconds() // 3600)
    sign = "-" if hours < 0 else "+"
    return f"{DAYS[moment.weekday()]}, {moment.day} {MONTHS[moment.month - 1]} {moment.year} {moment:%H:%M:%S} {sign}{abs(hours):02}00"


def subject(letter, letters):
    text = letter.get("subject")
    if not text:
        root = letters[letter.get("re")]
        while not root.get("subject"):
            root = letters[root.get("re")]
        base = root.get("subject")
        text = (
            base
            if base.lower().startswith(("re:", "aw:"))
            else f"{'AW' if letter.language == 'de' else 'Re'}: {base}"
        )
    if letter.get("list") and "[Havelreiher]" not in text:
        text = (
            text.replace("Re: ", "Re: [Havelreiher] ") if text.startswith("Re: ") else f"[Havelreiher] {text}"
        )
    return text


def references(letter, letters):
    chain, key = [], letter.get("re")
    while key:
        chain.append(message_id(letters[key]))
        key = letters[key].get("re")
    return chain[::-1]


def attribution(parent, language):
    when, name = parent.sent, parent.sender.name
    if language == "de":
        return f"Am {when:%d.%m.%Y} um {when:%H:%M} schrieb {name}:"
    if language == "fr":
        return f"Le {FRENCH_DAYS[when.weekday()]} {when.day} {FRENCH_MONTHS[when.month - 1]} {when.year} à {when:%H:%M}, {name} a écrit :"
    return f"On {DAYS[when.weekday()]}, {when.day} {MONTHS[when.month - 1]} {when.year} at {when:%H:%M}, {name} <{parent.people('from')[0][1]}> wrote:"


def plain_text(letter, letters, depth=0):
    """The words, then the signature, then what is answered, quoted."""
    text = letter.body
    signature = "" if letter.get("sign") == "no" else letter.sender.signature
    if signature and depth == 0:
        text += f"\n-- \n{signature}\n"
    parent = letters.get(letter.get("re"))
    style = letter.get("quote", "top")
    if parent and style != "no" and depth < 2:
        quoted = plain_text(parent, letters, depth + 1).rstrip("\n").split("\n")[:40]
        if style == "outlook":
            text += outlook_block(parent, letters) + "\n".join(quoted) + "\n"
        else:
            marked = [(">" if line.startswith(">") or not line else "> ") + line for line in quoted]
            text += f"\n{attribution(parent, letter.language)}\n" + "\n".join(marked) + "\n"
    if letter.get("list") and depth == 0:
        text += LIST_FOOTER
    return text


def outlook_block(parent, letters):
    to = "; ".join(person.name for person, _ in parent.people("to"))
    when = parent.sent
    return (
        f"\n-----Original Message-----\nFrom: {parent.sender.name}\nSent: {when:%A}, {when.day} {when:%B %Y %H:%M}\n"
        f"To: {to}\nSubject: {subject(parent, letters)}\n\n"
    )


def columns(text):
    """Rows written `| a | b |` as the plain part of a mail shows them: in columns."""
    out = []
    for line in text.split("\n"):
        quote, bar, row = line.partition("| ")
        if bar and line.endswith("|") and not quote.strip("> "):
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            line = quote + "  ".join(f"{cell:<34}" for cell in cells).rstrip()
        out.append(line)
    return "\n".join(out)


def flowed(text):
    """RFC 3676: long lines broken with a trailing space, quoting and signature untouched."""
    lines = []
    for line in text.split("\n"):
        if len(line) > 72 and not line.startswith(">"):
            pieces = textwrap.wrap(line, 70, break_long_words=False)
            lines += [piece + " " for piece in pieces[:-1]] + pieces[-1:]
        else:
            lines.append(line)
    return "\n".join(lines)


def html_with_picture(markup, letter, files, charset, encoding, label):
    """The HTML part; with `picture:` it shows an image carried in the message (multipart/related)."""
    picture = letter.get("picture")
    if not picture:
        return mime.text_part(markup, "html", charset, encoding or "quoted-printable", label)
    filename, content_type, data = files[picture]
    markup = markup.replace("</body>", f'<img src="cid:{letter.key}@picture" alt="{filename}"></body>')
    rich = mime.text_part(markup, "html", charset, encoding or "quoted-printable", label)
    image = mime.attachment(filename, content_type, data, inline=True, cid=f"{letter.key}@picture")
    return mime.multipart("related", [rich, image], letter.key + "-related")


def body_part(letter, letters, files):
    written = plain_text(letter, letters)
    charset, label = letter.get("charset", "utf-8"), letter.get("label") or None
    encoding = {"8bit": "8bit", "7bit": "7bit", "base64": "base64", "qp": "quoted-printable"}.get(
        letter.get("cte")
    )
    style = letter.get("html")
    if style in ("only", "machine-only"):
        markup = (
            html.machine(written, letter.sender.name, letter.key, letter.language)
            if style == "machine-only"
            else html.letter(written)
        )
        return mime.text_part(markup, "html", charset, encoding or "quoted-printable", label)
    text, params = columns(written), ""
    if letter.get("format") == "flowed":
        text, params = flowed(text), "; format=flowed"
    plain = mime.text_part(text, "plain", charset, encoding, label, params)
    if style in ("alt", "machine"):
        markup = (
            html.machine(written, letter.sender.name, letter.key, letter.language)
            if style == "machine"
            else html.letter(written)
        )
        rich = html_with_picture(markup, letter, files, charset, encoding, label)
        return mime.multipart("alternative", [plain, rich], letter.key)
    return plain


def attach(letter, letters, files):
    parts = []
    for item in filter(None, (w.strip() for w in letter.get("attach").split(","))):
        kind, _, name = item.partition(":")
        if kind == "mail":
            parts.append(mime.nested_message(write_message(letters[name], letters, files)))
            continue
        filename, content_type, data = files[item]
        if content_type.startswith("text/calendar"):
            headers = [
                ("Content-Type", content_type.encode()),
                ("Content-Transfer-Encoding", b"base64"),
                ("Content-Disposition", f'attachment; filename="{filename}"'.encode()),
            ]
            parts.append((headers, mime.base64_lines(data)))
        else:
            parts.append(mime.attachment(filename, content_type, data, rfc2231="2231" in letter.get("odd")))
    return parts


def envelope(letter, letters):
    """Header lines that come before the content's own."""
    charset = letter.get("header-charset") or letter.get("charset", "utf-8")
    scheme, raw = letter.get("scheme", "q"), "raw-header" in letter.get("odd")
    sender, address = letter.people("from")[0]
    name = letter.get("from-name") or sender.name
    address = letter.get("from-address") or address
    fields = []
    when = date_header(letter.sent)
    fields.append(("Return-Path", f"<{address}>".encode()))
    fields.append(
        (
            "Received",
            f"from out.{address.split('@')[1]} by mx.calder.example with ESMTPS;\n {date_header(letter.sent + timedelta(seconds=2))}".encode(),
        )
    )
    fields.append(("From", mime.mailbox(name, address, charset, scheme, raw)))
    if letter.get("to-raw"):
        fields.append(("To", letter.get("to-raw").encode()))
    for header in ("to", "cc"):
        people = [mime.mailbox(p.name, a, "utf-8") for p, a in letter.people(header)]
        if people:
            fields.append((header.capitalize(), b",\n ".join(people)))
    fields.append(("Subject", mime.header_text(subject(letter, letters), charset, scheme, raw)))
    if letter.get("date-header") != "none":
        fields.append(("Date", (letter.get("date-header") or when).encode()))
    if "no-id" not in letter.get("odd"):
        fields.append(("Message-ID", f"<{message_id(letter)}>".encode()))
    chain = references(letter, letters)
    if chain:
        fields.append(("In-Reply-To", f"<{chain[-1]}>".encode()))
        fields.append(("References", "\n ".join(f"<{entry}>" for entry in chain).encode()))
    if letter.get("list"):
        fields += [
            ("List-Id", b"Ruderclub Havelreiher <havelreiher.lists.example>"),
            ("Precedence", b"list"),
            ("List-Post", b"<mailto:havelreiher@lists.example>"),
        ]
    if letter.get("header"):
        extra, _, value = letter.get("header").partition("=")
        fields.append((extra.strip(), value.strip().encode()))
    fields.append(("X-Sample-Data", b"Polymath sample life; everyone in it is invented"))
    return fields + [("MIME-Version", b"1.0")]


def write_message(letter, letters, files):
    headers, body = body_part(letter, letters, files)
    attached = attach(letter, letters, files)
    if attached:
        headers, body = mime.multipart("mixed", [(headers, body)] + attached, letter.key + "-mixed")
    return mime.write((envelope(letter, letters) + headers, body))


def mbox_entry(raw, sender, moment):
    """mboxrd: every line that is `From ` behind any number of `>` gets one more."""
    utc = moment.astimezone(timezone.utc)
    stamp = f"{DAYS[utc.weekday()]} {MONTHS[utc.month - 1]} {utc.day:2} {utc:%H:%M:%S} {utc.year}"
    lines = [
        b">" + line if line.lstrip(b">").startswith(b"From ") else line
        for line in raw.rstrip(b"\n").split(b"\n")
    ]
    return f"From {sender} {stamp}\n".encode() + b"\n".join(lines) + b"\n\n"


def maildir_name(letter):
    """`!2,` instead of `:2,` as on Windows: a colon in a file name cannot be checked out there."""
    micros = int(hashlib.sha256(letter.key.encode()).hexdigest()[:8], 16) % 1_000_000
    base = f"{int(letter.sent.timestamp())}.M{micros:06}P1.calder"
    flags = letter.get("flags", "S")
    if flags == "new":
        return f"{MAILDIR}/new/{base}"
    return f"{MAILDIR}/cur/{base}!2,{''.join(sorted(flags))}"


def build(letters, files):
    """Returns ({path: bytes}, {mail key: path})."""
    out, place, archive = {}, {}, []
    for letter in letters.values():
        raw = write_message(letter, letters, files)
        boxes = letter.get("box").split() or (["mbox"] if letter.sent < SPLIT else ["maildir"])
        if "mbox" in boxes:
            place[letter.key] = MBOX
            status = b"Status: RO\n"
            archive.append(mbox_entry(status + raw, letter.people("from")[0][1], letter.sent))
        if "maildir" in boxes:
            path = maildir_name(letter)
            place.setdefault(letter.key, path)
            out[path] = raw.replace(b"\n", b"\r\n") if letter.get("crlf") else raw
    out[MBOX] = b"".join(archive)
    return out, place
