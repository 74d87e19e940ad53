"""Writes MIME by hand, byte for byte.

Python's own `email` package picks boundaries by chance and repairs what it writes; the sample life
needs the same bytes each time, and some messages must be as badly written as real ones are.
A part is (headers, body): a list of (name, bytes) and bytes. Lines end in LF here.
"""

import base64
import hashlib


def is_ascii(text):
    return all(ord(char) < 128 for char in text)


def encoded_words(text, charset="utf-8", scheme="q"):
    """RFC 2047, in words of at most 75 bytes, never splitting a character."""
    words, chunk = [], ""
    for char in text:
        if len(_word(chunk + char, charset, scheme)) > 75:
            words.append(_word(chunk, charset, scheme))
            chunk = ""
        chunk += char
    words.append(_word(chunk, charset, scheme))
    return "\n ".join(words)


def _word(text, charset, scheme):
    data = text.encode(charset)
    if scheme == "b":
        payload = base64.b64encode(data).decode()
    else:
        safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        payload = "".join("_" if b == 32 else chr(b) if b in safe else f"={b:02X}" for b in data)
    return f"=?{charset}?{scheme.upper()}?{payload}?="


def header_text(text, charset="utf-8", scheme="q", raw=False):
    """Unstructured header value as bytes. `raw` leaves 8-bit bytes bare, as careless senders do."""
    if raw:
        return text.encode(charset)
    if is_ascii(text):
        return fold(text).encode()
    return encoded_words(text, charset, scheme).encode()


def fold(text, width=76):
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width - 10:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n ".join(lines + [line])


def mailbox(name, address, charset="utf-8", scheme="q", raw=False):
    if not name:
        return address.encode()
    if raw:
        return f"{name} <{address}>".encode(charset)
    if not is_ascii(name):
        return f"{encoded_words(name, charset, scheme)} <{address}>".encode()
    if any(char in name for char in ",.&@()"):
        name = f'"{name}"'
    return f"{name} <{address}>".encode()


def quoted_printable(data):
    lines = []
    for raw in data.split(b"\n"):
        line = ""
        for i, byte in enumerate(raw):
            last = i == len(raw) - 1
            plain = 33 <= byte <= 126 and byte != 61 or byte in (9, 32) and not last
            piece = chr(byte) if plain else f"={byte:02X}"
            if len(line) + len(piece) > 75:
                lines.append(line + "=")
                line = ""
            line += piece
        lines.append(line)
    return "\n".join(lines).encode()


def base64_lines(data):
    text = base64.b64encode(data).decode()
    return "\n".join(text[i : i + 76] for i in range(0, len(text), 76)).encode() + b"\n"


def transfer(data, encoding):
    if encoding == "quoted-printable":
        return quoted_printable(data)
    if encoding == "base64":
        return base64_lines(data)
    return data


def text_part(text, subtype="plain", charset="utf-8", encoding=None, label=None, params=""):
    """`label` is the charset the header claims, which need not be true."""
    if encoding is None:
        encoding = "7bit" if is_ascii(text) else "quoted-printable"
    if charset == "utf-8" and is_ascii(text) and label is None:
        label = "us-ascii"
    content_type = f"text/{subtype}; charset={label or charset}{params}"
    headers = [("Content-Type", content_type.encode()), ("Content-Transfer-Encoding", encoding.encode())]
    return headers, transfer(text.encode(charset), encoding)


def split_name(filename):
    """RFC 2231: the file name in continued, percent-encoded pieces."""
    data = filename.encode("utf-8")
    pieces, piece = [], ""
    for byte in data:
        char = chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"._-" else f"%{byte:02X}"
        if len(piece) + len(char) > 24:
            pieces.append(piece)
            piece = ""
        piece += char
    pieces.append(piece)
    return "".join(
        f";\n filename*{i}*={chr(117) + chr(116) + 'f-8' + chr(39) * 2 if i == 0 else ''}{p}"
        for i, p in enumerate(pieces)
    )


def attachment(filename, content_type, data, rfc2231=False, inline=False, cid=None):
    kind = "inline" if inline else "attachment"
    if rfc2231:
        disposition = kind + split_name(filename)
    elif is_ascii(filename):
        disposition = f'{kind}; filename="{filename}"'
    else:
        disposition = f'{kind};\n filename="{encoded_words(filename, "utf-8", "b")}"'
    headers = [
        ("Content-Type", content_type.encode()),
        ("Content-Transfer-Encoding", b"base64"),
        ("Content-Disposition", disposition.encode()),
    ]
    if cid:
        headers.append(("Content-ID", f"<{cid}>".encode()))
    return headers, base64_lines(data)


def nested_message(raw):
    return [("Content-Type", b"message/rfc822"), ("Content-Disposition", b"inline")], raw


def multipart(subtype, parts, seed, params=""):
    boundary = "=_" + hashlib.sha256(f"{subtype}{seed}".encode()).hexdigest()[:24]
    pieces = []
    for part in parts:
        pieces += [b"--" + boundary.encode() + b"\n", write(part), b"\n"]
    body = b"".join(pieces) + b"--" + boundary.encode() + b"--\n"
    content_type = f'multipart/{subtype};\n boundary="{boundary}"{params}'
    return [("Content-Type", content_type.encode())], body


def write(part):
    headers, body = part
    return b"".join(name.encode() + b": " + value + b"\n" for name, value in headers) + b"\n" + body
