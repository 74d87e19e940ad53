"""Notes: the story's Markdown and text files, facts filled in, marked as sample data."""

from .facts import fill
from .story import STORY

MARK = "sample-data: Polymath sample life, everyone in it is invented\n"


def build():
    out = {}
    root = STORY / "notes"
    for path in sorted(root.rglob("*")):
        if path.is_dir():
            continue
        text = fill(path.read_text("utf-8"))
        if text.startswith("---\n"):
            text = "---\n" + MARK + text.removeprefix("---\n")
        out[f"notes/{path.relative_to(root).as_posix()}"] = text.encode("utf-8")
    return out
