"""The sample that tokenizers are compared on: 10,000 texts in many scripts and programming languages.

support/sample.rs (beside this folder) makes the same bytes from the same fragments.json; keep the two alike.
"""

import json
import pathlib

N_TEXTS = 10_000
SEED = 20261124
MASK = (1 << 64) - 1


class SplitMix:
    """splitmix64, as published by Steele, Lea and Flood (2014)."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n


def text(idx, parts):
    rng = SplitMix(SEED + idx)
    out = []
    for _ in range(1 + rng.below(6)):
        kind = rng.below(8)
        if kind < 5:
            out.append(parts["fragments"][rng.below(len(parts["fragments"]))])
        elif kind == 5:
            first, last = parts["ranges"][rng.below(len(parts["ranges"]))]
            n = 1 + rng.below(10)
            out.append("".join(chr(first + rng.below(last - first + 1)) for _ in range(n)))
        elif kind == 6:
            digits = 1 + rng.below(12)
            out.append(str(rng.below(10**digits)))
        else:
            separator = parts["separators"][rng.below(len(parts["separators"]))]
            out.append(separator * (1 + rng.below(40)))
        out.append(parts["separators"][rng.below(len(parts["separators"]))])
    return "".join(out)


def sample():
    parts = json.loads((pathlib.Path(__file__).parent / "fragments.json").read_text(encoding="utf-8"))
    return [text(idx, parts) for idx in range(N_TEXTS)]
