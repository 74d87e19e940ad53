"""A minimal PDF writer: standard fonts, WinAnsi text, plain paragraphs, headings and tables.

Streams are not compressed, so that the same input gives the same bytes whatever zlib is installed.
Text is placed as real documents place it: long words kerned apart with TJ, table cells by position.
"""

import textwrap

PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 595, 842, 62
WINANSI = "cp1252"


def literal(text):
    out = ""
    for byte in text.encode(WINANSI, "replace"):
        char = chr(byte)
        if char in "()\\":
            out += "\\" + char
        elif 32 <= byte < 127:
            out += char
        else:
            out += f"\\{byte:03o}"
    return f"({out})"


def show(text):
    """One line. Every other long word is split by a kern, as typesetters' PDFs do."""
    if len(text) > 40 and " W" in text:
        left, right = text.split(" W", 1)
        return f"[{literal(left + ' W')} 30 {literal(right)}] TJ"
    return f"{literal(text)} Tj"


class Writer:
    def __init__(self):
        self.pages, self.ops, self.y = [], [], PAGE_HEIGHT - MARGIN

    def line(self, text, x=MARGIN, size=10.5, font="F1", lead=None):
        self.ops.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {self.y:.1f} Tm {show(text)} ET")
        if lead is not None:
            self.y -= lead

    def need(self, height):
        if self.y - height < MARGIN:
            self.new_page()

    def new_page(self):
        self.pages.append("\n".join(self.ops))
        self.ops, self.y = [], PAGE_HEIGHT - MARGIN

    def heading(self, text, level):
        self.need(40)
        self.y -= 8
        self.line(text, size={1: 17, 2: 12.5}.get(level, 11), font="F2", lead={1: 26, 2: 18}.get(level, 16))

    def paragraph(self, text):
        for source in text.split("\n"):
            for piece in textwrap.wrap(source, 88) or [""]:
                self.need(15)
                self.line(piece, lead=14.5)
        self.y -= 6

    def table(self, rows):
        columns = max(len(row) for row in rows)
        first = 190 if columns > 2 else 260
        step = (PAGE_WIDTH - 2 * MARGIN - first) / max(1, columns - 1)
        for number, row in enumerate(rows):
            self.need(16)
            for i, cell in enumerate(row):
                x = MARGIN if i == 0 else MARGIN + first + (i - 1) * step
                self.line(cell, x=round(x, 1), size=10, font="F2" if number == 0 else "F1")
            self.ops.append(f"{MARGIN} {self.y - 4:.1f} m {PAGE_WIDTH - MARGIN} {self.y - 4:.1f} l 0.4 w S")
            self.y -= 16
        self.y -= 8


def render(title, blocks, created):
    writer = Writer()
    for kind, value in blocks:
        if kind == "heading":
            writer.heading(value[1], value[0])
        elif kind == "table":
            writer.table(value)
        elif kind == "page":
            writer.new_page()
        else:
            writer.paragraph(value)
    writer.new_page()
    return assemble(title, writer.pages, created)


def assemble(title, pages, created):
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{6 + 2 * i} 0 R' for i in range(len(pages)))}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        f"<< /Title {literal(title)} /Producer (Polymath sample life) /Keywords (sample data, everyone invented) /CreationDate (D:{created}) >>",
    ]
    for i, content in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}] "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {7 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(content) + 1} >>\nstream\n{content}\nendstream")
    out, offsets = "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(
        f"{o:010} 00000 n \n" for o in offsets
    )
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")
