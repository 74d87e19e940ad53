"""Writes the sample life: `python3 generate.py`, or `--check` to compare with what is committed.

Python 3.11, standard library only. The same bytes each time, on every machine: "today" in this life
is 24 November 2026, nothing is random.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generator import build  # noqa: E402

if __name__ == "__main__":
    sys.exit(build.main(Path(__file__).parent, "--check" in sys.argv[1:]))
