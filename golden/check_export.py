"""Exports models with `polymath` and compares the log-probabilities that other programs compute from the result.

    python golden/check_export.py POLYMATH OUT MODEL…      # with transformers: folders; with llama_cpp: GGUF files

For each model (a folder of this directory, or any model that `polymath` loads) the program's own logits are the
yardstick. Needs torch and transformers, or llama-cpp-python, whichever the interpreter has.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TOKENS = [1, 17, 99, 3, 3, 64, 127, 5, 12, 40, 41, 77]


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def log_softmax(logits):
    logits = np.asarray(logits, dtype=np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def ours(program, model):
    tokens = ",".join(map(str, TOKENS))
    return log_softmax(json.loads(run(program, "logits", "--model", model, "--tokens", tokens, "--json"))["logits"])


def transformers_logits(folder):
    import torch
    import transformers

    options = dict(attn_implementation="eager", dtype=torch.float32)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, **options).eval()
    with torch.no_grad():
        return log_softmax(model(torch.tensor([TOKENS])).logits[0].numpy())


def llama_logits(file):
    import llama_cpp

    options = dict(n_ctx=64, n_batch=64, logits_all=True, verbose=False, n_threads=1, type_k=0, type_v=0)
    model = llama_cpp.Llama(str(file), **options)
    model.eval(TOKENS)
    return log_softmax(np.array(model.scores[: len(TOKENS)]))


def main(program, out, models):
    try:
        import torch  # noqa: F401

        kind, theirs = "hf", transformers_logits
    except ImportError:
        kind, theirs = "gguf", llama_logits
    for model in models:
        name = Path(model).name
        target = Path(out) / (name + (".gguf" if kind == "gguf" else "-hf"))
        try:
            run(program, "model", "export", model, "--to", kind, target)
        except RuntimeError as error:
            print(f"{name}: {error}")
            continue
        mine, again = ours(program, model), ours(program, target)
        try:
            other = theirs(target)
        except Exception as error:
            print(f"{name}: read back by us {abs(mine - again).max():.1e}, refused by them: {error}")
            continue
        same = (mine.argmax(-1) == other.argmax(-1)).all()
        print(
            f"{name}: read back by us {abs(mine - again).max():.1e}, by them {abs(mine - other).max():.1e}, "
            f"likeliest token {'the same' if same else 'DIFFERS'}"
        )


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
