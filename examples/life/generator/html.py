"""Turns the story's plain words into HTML as mail programs write it."""

import html
import re

LINK = re.compile(r"https://[^\s<>)]+")


def paragraphs(text):
    """Blank lines separate blocks; `| a | b |` lines become a table, `> ` lines a quotation."""
    out = []
    for block in text.strip("\n").split("\n\n"):
        lines = block.split("\n")
        if all(line.startswith("|") for line in lines):
            out.append(table(lines))
        elif all(line.startswith(">") for line in lines):
            inner = "\n".join(line[1:].removeprefix(" ") for line in lines)
            out.append(
                f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">{paragraphs(inner)}</blockquote>'
            )
        elif all(line.startswith("- ") for line in lines):
            out.append("<ul>" + "".join(f"<li>{inline(line[2:])}</li>" for line in lines) + "</ul>")
        else:
            out.append("<p>" + "<br>\n".join(inline(line) for line in lines) + "</p>")
    return "\n".join(out)


def inline(text):
    escaped = html.escape(text, quote=False)
    return LINK.sub(lambda m: f'<a href="{m.group(0)}">{m.group(0)}</a>', escaped)


def table(lines):
    rows = []
    for line in lines:
        cells = "".join(
            f'<td style="padding:4px 12px 4px 0">{inline(cell.strip())}</td>'
            for cell in line.strip("|").split("|")
        )
        rows.append(f"<tr>{cells}</tr>")
    return '<table border="0" cellpadding="0" cellspacing="0">' + "\n".join(rows) + "</table>"


def letter(text):
    return f'<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head><body>\n<div dir="ltr">{paragraphs(text)}</div>\n</body></html>\n'


UNSUBSCRIBE = {
    "en": ("You receive this because your address is in our books.", "Unsubscribe"),
    "de": ("Sie erhalten diese Nachricht, weil Sie Kundin bei uns sind.", "Abmelden"),
    "fr": ("Vous recevez ce message car vous êtes cliente.", "Se désabonner"),
}


def machine(text, sender, key, language):
    """A shop's or a newsletter's mail: hidden preheader, style sheet, nested tables, tracking image."""
    first = text.strip().split("\n")[0].strip("| ").replace(" | ", " ")
    why, leave = UNSUBSCRIBE[language]
    return f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{html.escape(sender)}</title>
<style>.wrap{{max-width:600px;font-family:Helvetica,Arial,sans-serif;font-size:15px}} .foot{{color:#888;font-size:12px}} @media(max-width:480px){{.wrap{{width:100%}}}}</style></head>
<body style="margin:0;background:#f2f2ef">
<div style="display:none;max-height:0;overflow:hidden">{inline(first)}&nbsp;&zwnj;&nbsp;&zwnj;</div>
<table role="presentation" width="100%"><tr><td align="center"><table role="presentation" class="wrap"><tr><td>
<h2 style="color:#2b4a5a">{html.escape(sender)}</h2>
{paragraphs(text)}
<p class="foot">{why} <a href="https://click.example.net/u/{key}">{leave}</a></p>
</td></tr></table></td></tr></table>
<img src="https://pixel.example.net/o/{key}.gif" width="1" height="1" alt="">
</body></html>
"""
