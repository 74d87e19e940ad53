"""Documents: each story text becomes a PDF, a DOCX or a saved web page.

title: words
date: 2026-02-20
kept: documents/name.pdf    (where the owner keeps it; `kept: no` if it lives in a mail only)

# Heading, ## heading, | table | rows |, `---` for a new page, paragraphs
"""

import html as markup
import struct
import zlib

from . import docx, pdf
from .facts import fill
from .html import inline
from .story import STORY

TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "txt": "text/plain; charset=utf-8",
}


def blocks(text):
    out = []
    for block in text.strip("\n").split("\n\n"):
        if block.strip() == "---":
            out.append(("page", None))
        elif block.startswith("#"):
            line, _, rest = block.partition("\n")
            level = len(line) - len(line.lstrip("#"))
            out.append(("heading", (level, line.lstrip("# "))))
            if rest:
                out.append(("paragraph", rest))
        elif block.startswith("|"):
            out.append(
                ("table", [[c.strip() for c in line.strip("|").split("|")] for line in block.split("\n")])
            )
        else:
            out.append(("paragraph", block))
    return out


def web_page(title, parts, date):
    body = ""
    for kind, value in parts:
        if kind == "heading":
            body += f"<h{value[0]}>{markup.escape(value[1])}</h{value[0]}>\n"
        elif kind == "table":
            rows = "".join(
                "<tr>" + "".join(f"<td>{inline(cell)}</td>" for cell in row) + "</tr>\n" for row in value
            )
            body += f"<table>{rows}</table>\n"
        elif kind == "paragraph":
            body += "<p>" + inline(value).replace("\n", "<br>\n") + "</p>\n"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{markup.escape(title)}</title>
<meta name="x-sample-data" content="Polymath sample life; everyone in it is invented">
<meta name="date" content="{date}">
<style>body{{font-family:Georgia,serif}} nav{{float:right}}</style>
<script>window.analytics = "none of this text is part of the page";</script></head>
<body><nav><a href="/">Home</a> <a href="/archive">Archive</a></nav>
<main><article>
{body}</article></main><footer>Saved on {date}</footer></body></html>
""".encode("utf-8")


def png(width, height, colour):
    """A plain picture; stored blocks, so that every zlib writes the same."""
    raw = b"".join(b"\0" + bytes(colour) * width for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    deflated = (
        b"\x78\x01\x01"
        + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF)
        + raw
        + struct.pack(">I", zlib.adler32(raw))
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", deflated)
        + chunk(b"IEND", b"")
    )


def build():
    """Returns ({data path: bytes}, {attachment name: (filename, type, bytes)})."""
    kept, files = {}, {}
    for path in sorted((STORY / "documents").iterdir()):
        head, _, body = fill(path.read_text("utf-8")).partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.split("\n"))
        name = path.name.removesuffix(".txt") if path.name.count(".") > 1 else path.name
        kind, parts, date = name.rsplit(".", 1)[1], blocks(body), fields["date"]
        if kind == "pdf":
            data = pdf.render(fields["title"], parts, date.replace("-", "") + "090000+01'00'")
        elif kind == "docx":
            data = docx.render(fields["title"], parts, date + "T09:00:00Z")
        elif kind == "html":
            data = web_page(fields["title"], parts, date)
        else:
            data = body.encode("utf-8")
        shown = fields.get("name", name)
        files[f"document:{name}"] = (shown, TYPES[kind], data)
        if fields.get("kept") != "no":
            kept[f"documents/{name}"] = data
    files["png:seal"] = ("seal.png", "image/png", png(24, 24, (43, 74, 90)))
    files["png:leak"] = ("leak.png", "image/png", png(40, 30, (180, 170, 150)))
    return kept, files
