"""Contacts: the address book as vCard 4.0 and, for the cards that came from the old telephone, 3.0."""

import base64
import hashlib

from .documents import png
from .people import PEOPLE

OLD_PHONE = {
    "krueger",
    "wendt",
    "sigrid",
    "marek",
    "osei",
    "tierney",
    "pia",
    "aurel",
    "matthias",
    "leni",
    "stein",
    "pfeiffer",
    "lehmann",
    "nowak",
    "ravi",
    "larkspur",
    "nordlicht",
}
LABELS_3 = {"cell": "CELL", "work": "WORK,VOICE", "home": "HOME,VOICE"}


def escape(text):
    return text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")


def fold(line):
    """At most 75 bytes a line, broken between characters."""
    out, current = [], b""
    for char in line:
        piece = char.encode("utf-8")
        if len(current) + len(piece) > (75 if not out else 74):
            out.append(current)
            current = b""
        current += piece
    return b"\r\n ".join(out + [current]) + b"\r\n"


def card(person, version):
    lines = [
        "BEGIN:VCARD",
        f"VERSION:{version}",
        f"UID:urn:uuid:00000000-0000-4000-8000-{hashlib.sha256(person.key.encode()).hexdigest()[:12]}",
        f"FN:{escape(person.name)}",
        f"N:{escape(person.family)};{escape(person.given)};;;",
    ]
    if person.nickname:
        lines.append(f"NICKNAME:{escape(person.nickname)}")
    for i, address in enumerate(person.mails):
        lines.append(
            f"EMAIL;PREF={i + 1}:{address}"
            if version == "4.0"
            else f"EMAIL;TYPE=INTERNET{',PREF' if i == 0 else ''}:{address}"
        )
    for label, number in person.phones:
        if version == "4.0":
            lines.append(f'TEL;VALUE=uri;TYPE="voice,{label}":tel:{number.replace(" ", "-")}')
        else:
            lines.append(f"TEL;TYPE={LABELS_3[label]}:{number}")
    if person.address:
        street, town, postcode, country = map(escape, person.address)
        lines.append(f"ADR;TYPE=home:;;{street};{town};;{postcode};{country}")
    if person.birthday:
        value = person.birthday
        if value.startswith("--"):
            value = "--" + value[2:].replace("-", "")
        elif version == "4.0":
            value = value.replace("-", "")
        lines.append(f"BDAY:{value}")
    if person.org:
        lines.append(f"ORG:{escape(person.org)}")
    if person.title:
        lines.append(f"TITLE:{escape(person.title)}")
    if person.note:
        lines.append(f"NOTE:{escape(person.note)}")
    if person.key == "marek":
        lines.append("PHOTO;ENCODING=b;TYPE=PNG:" + base64.b64encode(png(8, 8, (90, 120, 60))).decode())
        lines += ["item1.URL:https://boats.dvorak.example", "item1.X-ABLabel:_$!<HomePage>!$_"]
    lines += ["X-SAMPLE-DATA:Polymath sample life", "REV:20261101T080000Z", "END:VCARD"]
    return b"".join(fold(line) for line in lines)


def build():
    """Returns ({path: bytes}, attachments for mail)."""
    new = [person for person in PEOPLE if person.card and person.key not in OLD_PHONE]
    old = [person for person in PEOPLE if person.card and person.key in OLD_PHONE]
    out = {
        "contacts/address-book.vcf": b"".join(card(person, "4.0") for person in new),
        "contacts/old-phone.vcf": b"".join(card(person, "3.0") for person in old),
    }
    attachments = {
        f"vcf:{p.key}": (f"{p.given}.vcf", "text/vcard; charset=utf-8", card(p, "3.0"))
        for p in PEOPLE
        if p.card
    }
    return out, attachments
