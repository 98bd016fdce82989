"""A language model of our own, small enough for tests: letters given the two before, and the logs that two harnesses
would have written of it."""

import hashlib
import json
import math
import zipfile
from collections import Counter

import numpy as np


TEXT = (
    "the cat sat on the mat and the dog ran to the cat and sat on the log the man had a hat and the hat had a hole "
    "in it so the man sat on the mat with the cat and the dog and they all ran home and then the rat ate the hat "
) * 3
LETTERS = sorted(set(TEXT))


class LetterModel:
    """Chances of a letter after two others, with one more of each; `bits` rounds their logarithms."""

    def __init__(self, bits=None, text=TEXT):
        pairs, triples = Counter(), Counter()
        for a, b, c in zip(text, text[1:], text[2:], strict=False):
            pairs[a + b] += 1
            triples[a + b + c] += 1
        self.table = {
            a + b: np.array(
                [
                    math.log((triples[a + b + c] + 0.2) / (pairs[a + b] + 0.2 * len(LETTERS)))
                    for c in LETTERS
                ]
            )
            for a in LETTERS
            for b in LETTERS
        }
        if bits:
            step = 8.0 / 2**bits
            self.table = {k: np.round(v / step) * step for k, v in self.table.items()}

    def log_prob(self, context, continuation):
        text, total, greedy = context, 0.0, True
        for letter in continuation:
            row = self.table[text[-2:]]
            total += float(row[LETTERS.index(letter)])
            greedy &= LETTERS[int(row.argmax())] == letter
            text += letter
        return total, greedy

    def generate(self, context, letters=4):
        text = context
        for _ in range(letters):
            text += LETTERS[int(self.table[text[-2:]].argmax())]
        return text[len(context) :]


def questions(n=60, seed=0):
    """Which word follows? One right, three others, from the text itself."""
    rng = np.random.default_rng(seed)
    words = TEXT.split()
    for i in range(n):
        at = int(rng.integers(3, len(words) - 1))
        others = rng.choice([w for w in sorted(set(words)) if w != words[at]], 3, replace=False)
        choices = [*others, words[at]]
        order = rng.permutation(4)
        yield {
            "question": " ".join(words[at - 3 : at]),
            "choices": [str(choices[j]) for j in order],
            "answer": int(order.tolist().index(3)),
            "subject": "animals" if words[at] in ("cat", "dog", "rat") else "things",
            "number": i,
        }


def lm_eval_choice(model, docs, new_shape=True):
    for i, doc in enumerate(docs):
        requests = [(doc["question"], f" {c}") for c in doc["choices"]]
        found = [model.log_prob(*request) for request in requests]
        plain = [x for x, _ in found]
        normal = [x / len(c) for (x, _), c in zip(found, doc["choices"], strict=True)]
        arguments = (
            {f"gen_args_{k}": {"arg_0": a, "arg_1": b} for k, (a, b) in enumerate(requests)}
            if new_shape
            else [list(r) for r in requests]
        )
        responses = (
            [[str(x), str(g)] for x, g in found] if new_shape else [[x, g] for x, g in found]
        )
        yield {
            "doc_id": i,
            "doc": doc,
            "target": str(doc["answer"]) if new_shape else doc["answer"],
            "arguments": arguments,
            "resps": [[r] for r in responses],
            "filtered_resps": responses,
            "filter": "none",
            "metrics": ["acc", "acc_norm"],
            "doc_hash": hashlib.sha256(json.dumps(doc).encode()).hexdigest(),
            "acc": float(int(np.argmax(plain)) == doc["answer"]),
            "acc_norm": float(int(np.argmax(normal)) == doc["answer"]),
        }


def lm_eval_text(model, docs):
    """Two filters a document, as gsm8k has them."""
    for i, doc in enumerate(docs):
        said = model.generate(doc["question"])
        right = " " + doc["choices"][doc["answer"]]
        for name, text in (("strict", said), ("first-word", " " + said.split()[0])):
            yield {
                "doc_id": i,
                "doc": doc,
                "target": right,
                "arguments": {"gen_args_0": {"arg_0": doc["question"], "arg_1": {"until": ["."]}}},
                "resps": [[said]],
                "filtered_resps": [text],
                "filter": name,
                "metrics": ["exact_match"],
                "doc_hash": hashlib.sha256(json.dumps(doc).encode()).hexdigest(),
                "exact_match": float(right.startswith(text)),
            }


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def inspect_samples(model, docs):
    for doc in docs:
        found = [model.log_prob(doc["question"], f" {c}")[0] for c in doc["choices"]]
        letter, right = "ABCD"[int(np.argmax(found))], "ABCD"[doc["answer"]]
        yield {
            "id": doc["number"],
            "epoch": 1,
            "input": doc["question"],
            "choices": doc["choices"],
            "target": right,
            "metadata": {"subject": doc["subject"]},
            "output": {
                "model": "letters",
                "choices": [{"message": {"role": "assistant", "content": f"ANSWER: {letter}"}}],
                "completion": f"ANSWER: {letter}",
            },
            "scores": {"choice": {"value": "C" if letter == right else "I", "answer": letter}},
        }


def write_inspect(path, samples, task="words"):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"version": 2, "status": "success", "eval": {"task": task, "model": "letters"}}
    samples = list(samples)
    if path.suffix == ".eval":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", json.dumps(header))
            for s in samples:
                archive.writestr(f"samples/{s['id']}_epoch_{s['epoch']}.json", json.dumps(s))
    else:
        path.write_text(json.dumps({**header, "samples": samples}))
    return path
