"""A minimal DOCX writer: headings, paragraphs, tables, and tracked changes `[-old-]{+new+}`.

The archive stores its members uncompressed with a fixed date, so that it is the same each time.
"""

import io
import re
import zipfile
from xml.sax.saxutils import escape

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
CHANGE = re.compile(r"\[-(.*?)-\]|\{\+(.*?)\+\}")
MARK = 'w:author="Priya Raman" w:date="{date}"'

CONTENT_TYPES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>"""
RELS = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>"""
DOCUMENT_RELS = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"""


def styles():
    body = '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    for i, size in ((1, 32), (2, 26), (3, 22)):
        body += (
            f'<w:style w:type="paragraph" w:styleId="Heading{i}"><w:name w:val="heading {i}"/><w:basedOn w:val="Normal"/><w:pPr><w:outlineLvl w:val="{i - 1}"/></w:pPr>'
            f'<w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr></w:style>'
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:styles xmlns:w="{W}">{body}</w:styles>'
    )


def run(text, deleted=False):
    tag = "delText" if deleted else "t"
    return f'<w:r><w:{tag} xml:space="preserve">{escape(text)}</w:{tag}></w:r>'


def runs(text, date):
    out, at, number = "", 0, 1
    for match in CHANGE.finditer(text):
        if match.start() > at:
            out += run(text[at : match.start()])
        mark = MARK.format(date=date)
        if match.group(1) is not None:
            out += f'<w:del w:id="{number}" {mark}>{run(match.group(1), True)}</w:del>'
        else:
            out += f'<w:ins w:id="{number}" {mark}>{run(match.group(2))}</w:ins>'
        at, number = match.end(), number + 1
    return out + (run(text[at:]) if at < len(text) else "")


def paragraph(text, date, style=None):
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{runs(text, date)}</w:p>"


def table(rows, date):
    out = (
        '<w:tbl><w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr><w:tblGrid>'
        + "<w:gridCol/>" * len(rows[0])
        + "</w:tblGrid>"
    )
    for row in rows:
        out += "<w:tr>" + "".join(f"<w:tc>{paragraph(cell, date)}</w:tc>" for cell in row) + "</w:tr>"
    return out + "</w:tbl>"


def render(title, blocks, date):
    body = ""
    for kind, value in blocks:
        if kind == "heading":
            body += paragraph(value[1], date, f"Heading{value[0]}")
        elif kind == "table":
            body += table(value, date)
        elif kind != "page":
            body += "".join(paragraph(line, date) for line in value.split("\n"))
    document = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:document xmlns:w="{W}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    core = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title><dc:description>Polymath sample life; everyone in it is invented</dc:description>"
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{date}</dcterms:modified></cp:coreProperties>'
    )
    members = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", RELS),
        ("word/document.xml", document),
        ("word/_rels/document.xml.rels", DOCUMENT_RELS),
        ("word/styles.xml", styles()),
        ("docProps/core.xml", core),
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in members:
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.create_system = 3
            archive.writestr(entry, text.encode("utf-8"))
    return buffer.getvalue()
