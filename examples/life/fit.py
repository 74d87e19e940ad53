#!/usr/bin/env python3
"""Fits the constants of crates/assistant/src/score.rs. Needs numpy.

    polymath eval life --embedder none --model none --features words.jsonl
    polymath eval life --model none --features vectors.jsonl
    polymath eval life --questions more_questions.jsonl --embedder none --model none --features more.jsonl
    cat more.jsonl >> words.jsonl; the same again with vectors
    python3 fit.py words.jsonl vectors.jsonl

Each file holds the fitting half's questions with their candidate sentences. All files are fitted together, so that
one set of constants serves with and without vectors; what is printed is cross-validated by question, over all files.
"""

import json
import sys

import numpy as np

RANKING = ["coverage", "inside", "item", "fits", "people", "wrote", "time", "rank", "dense", "in_chunk", "quoted",
           "recency", "recency_latest", "statement", "absent", "news"]
CONFIDENCE = ["1", "coverage", "fits", "people", "margin", "time"]
BEST = 60  # sentences read of each question
FOLDS = 5


def inputs(row, candidate):
    values = dict(candidate["features"])
    values["fits"] *= row["wants"] != "Text"
    values["people"] *= row["n_people"] > 0
    values["recency_latest"] = values["recency"] * (row["intent"] == "Latest")
    return [values[name] for name in RANKING]


def read(path):
    questions = {}
    for line in open(path):
        row = json.loads(line)
        best = row["candidates"][:BEST]
        if row["looked_up"] or not best:
            continue
        x = np.array([inputs(row, candidate) for candidate in best])
        right = np.array([float(candidate["right"]) for candidate in best])
        questions[row["id"]] = (row, x, right)
    return questions


def softmax_regression(groups, ridge=0.02, steps=600):
    """Weights under which the right sentences of each group take most of its probability (Adam)."""
    weights = np.zeros(groups[0][0].shape[1])
    mean, square, rate = np.zeros_like(weights), np.zeros_like(weights), 0.3
    for step in range(1, steps + 1):
        gradient = 2 * ridge * weights
        for x, right in groups:
            score = x @ weights
            share = np.exp(score - score.max())
            share /= share.sum()
            wanted = share * right
            gradient += x.T @ (share - wanted / (wanted.sum() + 1e-12)) / len(groups)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        rate *= 0.5 if step % 150 == 0 else 1.0
    return weights


def logistic_regression(x, y, ridge=1.0):
    """Newton's method; the constant (first column) is hardly held back."""
    weights = np.zeros(x.shape[1])
    hold = np.eye(x.shape[1]) * ridge
    hold[0, 0] = 1e-3
    for _ in range(100):
        p = 1 / (1 + np.exp(-x @ weights))
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + hold, x.T @ (p - y) + hold @ weights)
        weights -= step
        if np.abs(step).max() < 1e-7:
            break
    return weights


def summary(row, scores):
    """The best sentence's place and what its confidence is computed from."""
    order = np.argsort(-scores)
    best = row["candidates"][order[0]]
    others = [at for at in order[1:] if row["candidates"][at]["item"] != best["item"]]
    margin = np.clip(scores[order[0]] - (scores[others[0]] if others else scores[order[0]] - 2), -1, 2)
    features = best["features"]
    fits = features["fits"] if row["wants"] != "Text" else 0.5
    people = features["people"] if row["n_people"] else 0.7
    return order[0], [1.0, features["coverage"], fits, people, margin, features["time"]]


def area_under_curve(scores, right):
    scores, right = np.array(scores), np.array(right) > 0
    pairs = scores[right][:, None] - scores[~right][None, :]
    return ((pairs > 0) + 0.5 * (pairs == 0)).mean()


def fit(sets, ids):
    groups = [(q[1], q[2]) for s in sets for i, q in s.items() if i in ids and q[2].any()]
    ranking = softmax_regression(groups)
    rows, right = [], []
    for s in sets:
        for i, (row, x, is_right) in s.items():
            if i in ids:
                best, inputs_ = summary(row, x @ ranking)
                rows.append(inputs_)
                right.append(is_right[best])
    return ranking, logistic_regression(np.array(rows), np.array(right))


def main():
    sets = [read(path) for path in sys.argv[1:]]
    ids = sorted(set().union(*sets))
    order = np.random.RandomState(0).permutation(len(ids))
    fold = {ids[at]: n % FOLDS for n, at in enumerate(order)}
    found = [[] for _ in sets]
    for held in range(FOLDS):
        ranking, confidence = fit(sets, {i for i in ids if fold[i] != held})
        for out, s in zip(found, sets):
            for i, (row, x, right) in s.items():
                if fold[i] == held:
                    best, inputs_ = summary(row, x @ ranking)
                    sure = np.array(inputs_) @ confidence
                    out.append((right[best], 1 / (1 + np.exp(-sure)), row["unanswerable"]))
    for path, out in zip(sys.argv[1:], found):
        right, sure, unanswerable = map(np.array, zip(*out))
        print(f"{path}: right first {right.sum():.0f} of {(~unanswerable).sum()},"
              f" area under the curve {area_under_curve(sure, right):.3f}")
        for threshold in np.arange(0.15, 0.61, 0.05):
            refused = sure < threshold
            rightly = (refused & unanswerable).sum()
            f1 = 2 * rightly / (refused.sum() + unanswerable.sum())
            correct = (right * ~refused).sum() + rightly
            print(f"  from {threshold:.2f}: correct {correct:.0f} of {len(out)}, refused {refused.sum()}, F1 {f1:.2f}")
    ranking, confidence = fit(sets, set(ids))
    print("ranking", {name: round(float(w), 2) for name, w in zip(RANKING, ranking)})
    print("confidence", dict(zip(CONFIDENCE, confidence.round(2).tolist())))


if __name__ == "__main__":
    main()
