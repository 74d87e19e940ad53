"""What lm-evaluation-harness says about small models, for the tests of `polymath eval`.

    python golden/make_eval_reference.py [SMOLLM2]     # needs lm-eval 0.4.13, torch and transformers

Puts the sample documents of eval/data to the tiny Llama of this directory, with a tokenizer that begins every text with
a begin token and with one that does not, by lm-evaluation-harness's own task files with nothing changed but where the
data lies; writes eval/reference.json. SMOLLM2 is a folder that `polymath model export smollm2-135m --to hf --type F32`
wrote; with it, eval/smollm2.reference.json is written too: the same documents.

Per document: the SHA-256 of each prompt with what is scored after it, and the log-likelihoods (with whether the
continuation is the most probable one) or the text that was generated.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import datasets
import lm_eval
import transformers
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml

HERE = Path(__file__).parent
DATA = HERE / "eval" / "data"
TASKS = Path(lm_eval.__file__).parent / "tasks"

# name of the task: its file, the folder of its data, examples, changes to its file. Some prompts are longer than the tiny
# model's context and lose their beginning.
RUNS = [
    ("arc_easy", "arc/arc_easy.yaml", "arc_easy", 0, {}),
    ("arc_easy", "arc/arc_easy.yaml", "arc_easy", 2, {}),
    ("openbookqa", "openbookqa/openbookqa.yaml", "openbookqa", 0, {}),
    ("hellaswag", "hellaswag/hellaswag.yaml", "hellaswag", 0, {}),
    ("hellaswag", "hellaswag/hellaswag.yaml", "hellaswag", 3, {}),
    ("piqa", "piqa/piqa.yaml", "piqa", 0, {}),
    ("boolq", "super_glue/boolq/default.yaml", "boolq", 0, {}),
    ("boolq", "super_glue/boolq/default.yaml", "boolq", 1, {}),
    ("winogrande", "winogrande/default.yaml", "winogrande", 0, {}),
    ("winogrande", "winogrande/default.yaml", "winogrande", 1, {}),
    ("sciq", "sciq/sciq.yaml", "sciq", 0, {}),
    ("lambada_openai", "lambada/lambada_openai.yaml", "lambada_openai", 0, {}),
    ("mmlu_elementary_mathematics", "mmlu/default/mmlu_elementary_mathematics.yaml",
     "mmlu/elementary_mathematics", 0, {}),
    ("mmlu_elementary_mathematics", "mmlu/default/mmlu_elementary_mathematics.yaml",
     "mmlu/elementary_mathematics", 2, {}),
    ("gsm8k_short", "gsm8k/gsm8k.yaml", "gsm8k_short", 1, {"max_gen_toks": 24}),
    ("blimp_wh_island", "blimp/wh_island.yaml", {"train": "blimp/data/wh_island.jsonl"}, 0, {}),
    ("truthfulqa_mc1", "truthfulqa/truthfulqa_mc1.yaml", "truthfulqa", 0, {}),
    ("truthfulqa_mc2", "truthfulqa/truthfulqa_mc2.yaml", "truthfulqa", 0, {}),
    ("wikitext", "wikitext/wikitext.yaml", "wikitext", 0, {}),
]


def config(name, file, data, changes):
    task = load_yaml(TASKS / file, resolve_func=True)
    if isinstance(data, dict):
        files = {split: str(DATA / path) for split, path in data.items()}
    else:
        files = {path.stem: str(path) for path in sorted((DATA / data).glob("*.jsonl"))}
    task.update(task=name, dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files})
    task.pop("tag", None)
    if "training_split" in task and "train" not in files:
        task.pop("training_split")
    if "validation_split" in task and task["validation_split"] not in files:
        task.pop("validation_split")
    if "max_gen_toks" in changes:
        task["generation_kwargs"] = {**task["generation_kwargs"], **changes}
    return task


def sha256(arguments):
    texts = [text for text in arguments if isinstance(text, str)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def ask(model, name, task, shots, limit=None):
    outcome = lm_eval.simple_evaluate(
        model=model, tasks=[task], num_fewshot=shots, limit=limit, bootstrap_iters=100_000,
    )
    samples = outcome["samples"][name]
    kept = {}
    for sample in samples:
        document = kept.setdefault(sample["doc_id"], {
            "asked": [sha256(arguments) for arguments in sample["arguments"]],
            "answers": [answer[0] for answer in sample["resps"]],
        })
        document.setdefault("counted", {})[sample["filter"]] = {
            metric: sample[metric] for metric in sample["metrics"]
        }
    results = {key: value for key, value in outcome["results"][name].items() if "," in key}
    return {"task": name, "shots": shots, "limit": limit, "results": results,
            "documents": [kept[key] for key in sorted(kept)]}


def tiny(tokenizer):
    folder = Path(tempfile.mkdtemp())
    for file in ["config.json", "model.safetensors"]:
        shutil.copy(HERE / "llama-tiny" / file, folder)
    for file in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(HERE / "eval" / tokenizer / file, folder)
    return folder


def write(file, runs):
    versions = {"lm_eval": lm_eval.__version__, "transformers": transformers.__version__}
    lines = ",\n".join(json.dumps(run) for run in runs)
    (HERE / "eval" / file).write_text(f'{{"versions": {json.dumps(versions)}, "runs": [\n{lines}\n]}}\n')


def every_run(model, extra=()):
    for name, file, data, shots, changes in RUNS:
        yield ask(model, name, config(name, file, data, changes), shots)
    yield from extra


def parquet():
    """The questions of arc_easy as the hub ships them."""
    file = HERE / "eval" / "parquet" / "ARC-Easy" / "test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_json(str(DATA / "arc_easy" / "test.jsonl")).to_parquet(file)


def main():
    parquet()
    runs = []
    for tokenizer in ["plain", "begin"]:
        model = HFLM(pretrained=str(tiny(tokenizer)), device="cpu", dtype="float32", batch_size=1)
        runs += [{"tokenizer": tokenizer, **run} for run in every_run(model)]
    write("reference.json", runs)
    if len(sys.argv) > 1:
        model = HFLM(pretrained=sys.argv[1], device="cpu", dtype="float32", batch_size=1)
        write("smollm2.reference.json", every_run(model))


if __name__ == "__main__":
    main()
