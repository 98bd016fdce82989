"""Sample logs of both harnesses, in every shape, from a small language model of our own and its rounded copy."""

import gzip
import json

import pytest

from studiolo.audit import AuditError, audit, load_side

from .letters import (
    LetterModel,
    inspect_samples,
    lm_eval_choice,
    lm_eval_text,
    questions,
    write_inspect,
    write_lines,
)


FULL, ROUNDED = LetterModel(), LetterModel(bits=2)
DOCS = list(questions())


def run(folder, model, date="2026-11-01T10-00-00.000000", **settings):
    write_lines(folder / f"samples_words_{date}.jsonl", lm_eval_choice(model, DOCS, **settings))
    write_lines(folder / f"samples_next_{date}.jsonl", lm_eval_text(model, DOCS))
    return folder


def sides(tmp_path, **settings):
    return (
        load_side(run(tmp_path / "full" / "letters", FULL), "before", **settings),
        load_side(run(tmp_path / "rounded" / "letters", ROUNDED), "after", **settings),
    )


def test_folders_of_tasks_are_joined_and_compared(tmp_path):
    before, after = sides(tmp_path)
    found = audit(before, after, groups=["task", "subject"])
    assert found.n == 2 * len(DOCS)
    assert found.groups["task"].names == ("next", "words")
    assert found.groups["subject"].names == ("animals", "things")
    wanted = sum(row["acc"] for row in lm_eval_choice(FULL, DOCS)) / len(DOCS)
    assert found.groups["task"].before[1] == pytest.approx(wanted)
    assert found.flips.share > 0
    assert found.divergence.mean > 0
    assert "words: right by acc." in found.notes
    assert any("filters strict, first-word; strict was read" in note for note in found.notes)


def test_choices_are_the_classes(tmp_path):
    before, after = sides(tmp_path)
    assert audit(before, after).classes.names == ("choice 1", "choice 2", "choice 3", "choice 4")


def test_divergence_is_that_of_the_choices(tmp_path):
    path = write_lines(tmp_path / "samples_words.jsonl", lm_eval_choice(FULL, DOCS[:1]))
    other = write_lines(tmp_path / "b" / "samples_words.jsonl", lm_eval_choice(ROUNDED, DOCS[:1]))
    import numpy as np
    from scipy.special import log_softmax

    doc = DOCS[0]
    p, q = (
        log_softmax([m.log_prob(doc["question"], f" {c}")[0] for c in doc["choices"]])
        for m in (FULL, ROUNDED)
    )
    found = audit(load_side(path, "before"), load_side(other, "after"))
    assert found.divergence.mean == pytest.approx(float((np.exp(p) * (p - q)).sum()))


def test_old_shape_and_new_shape_are_the_same(tmp_path):
    one = load_side(run(tmp_path / "a", FULL, new_shape=True), "before")
    other = load_side(run(tmp_path / "b", FULL, new_shape=False), "after")
    found = audit(one, other)
    assert found.flips.share == 0
    assert found.divergence.mean == 0


def test_documents_are_joined_by_hash_and_not_by_line(tmp_path):
    rows = list(lm_eval_choice(FULL, DOCS))
    one = write_lines(tmp_path / "a" / "samples_words.jsonl", rows)
    other = write_lines(tmp_path / "b" / "samples_words.jsonl", [*rows[:9:-1], *rows[3:10]])
    found = audit(load_side(one, "before"), load_side(other, "after"))
    assert found.n == len(DOCS) - 3
    assert found.flips.share == 0
    assert "3 of 60 examples of before are not on every side" in " ".join(found.notes)


def test_without_a_hash_the_number_joins(tmp_path):
    rows = list(lm_eval_choice(FULL, DOCS))
    for row in rows:
        del row["doc_hash"]
    path = write_lines(tmp_path / "samples_words.jsonl", rows)
    assert load_side(path, "before").ids[7] == "words/7"


def test_document_that_is_asked_twice_is_two_examples(tmp_path):
    rows = list(lm_eval_choice(FULL, [DOCS[0], DOCS[0]]))
    side = load_side(write_lines(tmp_path / "samples_words.jsonl", rows), "before")
    assert side.ids[1] == f"{side.ids[0]} #2"


def test_metric_and_filter_are_chosen(tmp_path):
    rows = list(lm_eval_choice(FULL, DOCS))
    path = write_lines(tmp_path / "samples_words.jsonl", rows)
    side = load_side(path, "before", metric="acc_norm")
    assert side.models[0].right.tolist() == [row["acc_norm"] for row in rows]
    answers = side.models[0].output.tolist()
    right = [
        a == f"choice {row['target'] and int(row['target']) + 1}"
        for a, row in zip(answers, rows, strict=True)
    ]
    assert right == [bool(row["acc_norm"]) for row in rows]
    texts = write_lines(tmp_path / "t" / "samples_next.jsonl", lm_eval_text(FULL, DOCS))
    first = load_side(texts, "before", filter_="first-word")
    assert all(len(str(a).split()) == 1 for a in first.models[0].output)


def test_text_without_choices_has_no_classes(tmp_path):
    path = write_lines(tmp_path / "samples_next.jsonl", lm_eval_text(FULL, DOCS))
    found = audit(load_side(path, "before"), load_side(path, "after"))
    assert found.classes is None
    assert found.accuracy.change == 0
    assert found.divergence is None


def test_compressed_logs_are_read(tmp_path):
    path = tmp_path / "samples_words.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in lm_eval_choice(FULL, DOCS))
    assert len(load_side(path, "before")) == len(DOCS)


def test_newest_log_of_a_task_is_read(tmp_path):
    run(tmp_path, ROUNDED, date="2026-11-01T10-00-00.000000")
    run(tmp_path, FULL, date="2026-11-02T10-00-00.000000")
    wanted = [row["acc"] for row in lm_eval_choice(FULL, DOCS)]
    side = load_side(tmp_path, "before")
    right = [
        r for r, t in zip(side.models[0].right, side.columns["task"], strict=True) if t == "words"
    ]
    assert right == wanted
    assert any("logged twice" in note for note in side.notes)


def test_folders_with_the_same_tasks_are_models_of_one_side(tmp_path):
    run(tmp_path / "seed1", FULL)
    run(tmp_path / "seed2", ROUNDED)
    side = load_side(tmp_path, "before")
    assert len(side.models) == 2
    assert audit(side, side, paired=True).floor == "before"


def test_second_run_is_the_floor(tmp_path):
    before, after = sides(tmp_path)
    again = load_side(run(tmp_path / "again", FULL), "null")
    found = audit(before, after, null=again, groups=["task"])
    assert found.floor == "null"
    assert found.floor_flips.share == 0
    assert found.divergence.floor == 0


def test_prompts_are_shown_beside_the_examples(tmp_path):
    before, _ = sides(tmp_path)
    asked = [doc["question"] for doc in DOCS]
    assert sorted(before.columns["prompt"]) == sorted(2 * asked)
    logged = load_side(write_inspect(tmp_path / "a.json", inspect_samples(FULL, DOCS)), "before")
    assert list(logged.columns["prompt"]) == asked


def test_responses_without_a_filter_are_read(tmp_path):
    rows = list(lm_eval_choice(FULL, DOCS))
    wanted = load_side(write_lines(tmp_path / "a" / "samples_words.jsonl", rows), "before")
    for row in rows:
        del row["filtered_resps"]
    plain = load_side(write_lines(tmp_path / "b" / "samples_words.jsonl", rows), "after")
    found = audit(wanted, plain)
    assert found.flips.share == 0
    assert found.divergence.mean == 0
    assert found.classes.names == ("choice 1", "choice 2", "choice 3", "choice 4")


def test_one_line_without_a_metric_names_those_it_has(tmp_path):
    [row, *_] = lm_eval_text(FULL, DOCS[:1])
    del row["exact_match"]
    path = write_lines(tmp_path / "samples_next.jsonl", [{**row, "metrics": ["bleu"], "bleu": 0.3}])
    with pytest.raises(AuditError, match=r"right or wrong \(bleu\)"):
        load_side(path, "before")


def test_metric_that_is_not_right_or_wrong_is_refused(tmp_path):
    rows = [{**row, "metrics": ["bleu"], "bleu": 0.37} for row in lm_eval_text(FULL, DOCS)]
    for row in rows:
        del row["exact_match"]
    path = write_lines(tmp_path / "samples_next.jsonl", rows)
    with pytest.raises(AuditError, match=r"no metric that says right or wrong \(bleu\)"):
        load_side(path, "before")
    write_lines(tmp_path / "samples_words.jsonl", lm_eval_choice(FULL, DOCS))
    side = load_side(tmp_path, "before")
    assert len(side) == len(DOCS)
    assert any("Left out: next has no metric" in note for note in side.notes)


@pytest.mark.parametrize("suffix", [".json", ".eval"])
def test_inspect_logs_are_read(tmp_path, suffix):
    before = write_inspect(tmp_path / f"full{suffix}", inspect_samples(FULL, DOCS))
    after = write_inspect(tmp_path / f"rounded{suffix}", inspect_samples(ROUNDED, DOCS[::-1]))
    found = audit(load_side(before, "before"), load_side(after, "after"), groups=["subject"])
    assert found.n == len(DOCS)
    wanted = [row["acc"] for row in lm_eval_choice(FULL, DOCS)]
    assert found.accuracy.before == pytest.approx(sum(wanted) / len(wanted))
    assert found.classes.names == ("A", "B", "C", "D")
    assert found.groups["subject"].names == ("animals", "things")


def test_folder_of_inspect_logs_is_one_model_with_many_tasks(tmp_path):
    write_inspect(tmp_path / "one.eval", inspect_samples(FULL, DOCS), task="one")
    write_inspect(tmp_path / "two.eval", inspect_samples(FULL, DOCS), task="two")
    side = load_side(tmp_path, "before")
    assert len(side) == 2 * len(DOCS)
    assert set(side.columns["task"]) == {"one", "two"}


def test_inspect_epochs_scores_and_stopped_runs(tmp_path):
    samples = list(inspect_samples(FULL, DOCS[:3]))
    again = [{**s, "epoch": 2} for s in samples]
    samples[1]["scores"]["choice"]["value"] = "P"
    del samples[2]["scores"]
    side = load_side(write_inspect(tmp_path / "a.json", samples + again), "before")
    assert len(side) == 3
    assert "2 epochs; the first was read" in side.notes[0]
    found = audit(side, side)
    assert found.known == 2
    assert found.examples.right_before[1] == 0
    with pytest.raises(AuditError, match="run that was stopped"):
        load_side(write_inspect(tmp_path / "b.json", []), "before")
    samples[0]["scores"]["choice"]["value"] = 0.37
    with pytest.raises(AuditError, match=r"gave 0.37, which is neither right nor wrong"):
        load_side(write_inspect(tmp_path / "c.json", samples), "before")


def test_inspect_samples_without_an_epoch_are_of_the_first(tmp_path):
    samples = list(inspect_samples(FULL, DOCS[:3]))
    later = [{**s, "epoch": 2} for s in samples]
    for sample in samples:
        del sample["epoch"]
    side = load_side(write_inspect(tmp_path / "a.json", samples + later), "before")
    assert len(side) == 3
    assert "2 epochs; the first was read" in side.notes[0]


@pytest.mark.parametrize(("right", "wrong"), [("C", "I"), (True, False), (1, 0), (1.0, 0.0)])
def test_inspect_scores_of_every_kind_and_targets_in_lists(tmp_path, right, wrong):
    samples = list(inspect_samples(FULL, DOCS))
    wanted = audit(*2 * [load_side(write_inspect(tmp_path / "a.json", samples), "before")])
    for sample in samples:
        score = sample["scores"]["choice"]
        score["value"] = right if score["value"] == "C" else wrong
        sample["target"] = [sample["target"]]
    side = load_side(write_inspect(tmp_path / "b.json", samples), "before")
    found = audit(side, side)
    assert found.accuracy.before == wanted.accuracy.before
    assert found.classes.names == ("A", "B", "C", "D")


@pytest.mark.parametrize("where", ["completion", "choices"])
def test_inspect_answer_is_the_text_where_no_scorer_took_one_out(tmp_path, where):
    samples = list(inspect_samples(FULL, DOCS[:3]))
    for sample in samples:
        del sample["scores"]["choice"]["answer"], sample["choices"]
        sample["output"] = {where: sample["output"][where]}
    silent = [{**sample, "output": None} for sample in samples]
    before = load_side(write_inspect(tmp_path / "a.json", samples), "before")
    after = load_side(write_inspect(tmp_path / "b.json", silent), "after")
    assert audit(before, before).flips.agreement == 1
    said = [f"ANSWER: {sample['output'][where][-1]}" for sample in samples]
    if where == "choices":
        said = [sample["output"][where][0]["message"]["content"] for sample in samples]
    assert list(before.models[0].output) == said
    assert audit(before, after).flips.agreement == 0


def test_broken_logs_are_refused_with_their_line(tmp_path):
    path = tmp_path / "samples_words.jsonl"
    path.write_text('{"doc_id": 0\n')
    with pytest.raises(AuditError, match=r"Line 1 of .* is not JSON"):
        load_side(path, "before")
    bad = tmp_path / "x.eval"
    bad.write_bytes(b"PK no zip")
    with pytest.raises(AuditError, match="cannot be read as an Inspect log"):
        load_side(bad, "before")
