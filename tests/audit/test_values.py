"""What may be handed in, and each refusal in its sentence."""

import numpy as np
import pytest
import torch

from studiolo.audit import AuditError, audit
from studiolo.errors import UsageError


LABELS = [0, 1, 2, 1]
BEFORE = [0, 1, 2, 2]
AFTER = [0, 1, 1, 1]


def summary(found):
    return found.flips, found.accuracy.before, found.accuracy.after, found.classes.change.tolist()


WANTED = summary(audit(BEFORE, AFTER, LABELS))


FORMS = {
    "numpy": np.array,
    "torch": torch.tensor,
    "bytes": lambda v: np.array(v, np.uint8),
    "whole floats": lambda v: np.array(v, float),
    "texts": lambda v: [str(x) for x in v],
    "array of texts": lambda v: np.array([str(x) for x in v]),
    "one row": lambda v: np.array(v)[None],
    "list of one model": lambda v: [np.array(v)],
    "mapping": lambda v: {"model": np.array(v)},
    "chances": lambda v: torch.eye(3)[v],
    "bfloat16": lambda v: torch.eye(3, dtype=torch.bfloat16)[v],
    "logits": lambda v: np.eye(3)[v] * 5 - 2,
    "logits of one model": lambda v: np.eye(3)[v][None],
    "pipeline": lambda v: [{"label": str(x), "score": 0.9} for x in v],
    "pipeline with all scores": lambda v: [
        [{"label": str(c), "score": 0.8 if c == x else 0.1} for c in (2, 0, 1)] for x in v
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_answers_gives_the_same_audit(form):
    assert summary(audit(FORMS[form](BEFORE), FORMS[form](AFTER), LABELS)) == WANTED


def test_text_and_numbers_may_be_mixed():
    assert summary(audit(BEFORE, [str(x) for x in AFTER], [float(x) for x in LABELS])) == WANTED


def test_class_names_join_numbers_and_words():
    found = audit(BEFORE, ["cat", "dog", "dog", "dog"], LABELS, classes=["cat", "dog", "eel"])
    assert found.classes.names == ("cat", "dog", "eel")
    assert found.flips.agreement == 0.5
    assert found.answer(int(found.examples.answer_before[3])) == "eel"


def test_no_answer_is_never_right_and_agrees_with_itself():
    for nothing in (None, "", float("nan")):
        found = audit(["a", nothing, nothing], ["a", nothing, "b"], ["a", "b", "b"])
        assert found.flips.agreement == pytest.approx(2 / 3)
        assert found.accuracy.before == pytest.approx(1 / 3)
        assert "3 answers are missing" in found.notes[0]
    found = audit([0, -1, -1], [0, -1, 1], [0, 1, 1])
    assert found.flips.agreement == pytest.approx(2 / 3)


def test_score_that_is_not_a_number_is_no_answer():
    scores = np.array([[2.0, 1.0], [np.nan, 3.0], [0.0, 4.0]])
    found = audit(scores, [[2.0, 1.0], [1.0, 3.0], [0.0, 4.0]], [0, 1, 1])
    assert found.examples.answer_before.tolist() == [0, -1, 1]
    assert np.isnan(found.examples.divergence[1])
    assert found.divergence.mean == 0


def test_unknown_labels_in_every_form():
    for labels in ([0, -1], [0.0, float("nan")], ["0", None], ["0", ""], [0, -100]):
        assert audit([0, 1], [1, 1], labels).known == 1


def test_unequal_populations_are_compared():
    found = audit([BEFORE, AFTER, BEFORE], [AFTER, BEFORE], LABELS)
    assert found.models == (3, 2, 0)


def test_large_numbers_of_classes_need_no_table():
    far = np.array(LABELS) * 10**12
    found = audit(np.array(BEFORE) * 10**12, np.array(AFTER) * 10**12, far)
    assert summary(found) == WANTED
    assert found.classes.names[1] == str(10**12)


def test_divergence_by_hand():
    """KL of (1/2, 1/2) from (1/4, 3/4): ½ ln 2 + ½ ln ⅔; the other example is alike on both sides."""
    before, after = [[0.5, 0.5], [0.2, 0.8]], [[0.25, 0.75], [0.2, 0.8]]
    wanted = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    found = audit(before, after)
    assert found.divergence.mean == pytest.approx(wanted / 2)
    assert found.examples.divergence == pytest.approx([wanted, 0])
    logits = audit(np.log(before) + 7, np.log(after) - 3)
    assert logits.divergence.mean == pytest.approx(wanted / 2)
    assert found.examples.margin_after.tolist() == pytest.approx([0.5, 0.6])


def test_chance_of_zero_gives_a_finite_divergence():
    found = audit([[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]])
    assert found.examples.divergence == pytest.approx([0.5 * np.log(0.5) + 0.5 * np.log(0.5e12), 0])


def test_scores_of_other_classes_have_no_divergence_and_say_so():
    found = audit(np.eye(3)[BEFORE], np.eye(4)[AFTER], LABELS)
    assert found.divergence is None
    assert "do not score the same classes" in found.notes[0]
    assert summary(found) == WANTED


def test_large_scores_are_read_block_by_block(monkeypatch):
    from studiolo.audit import gather

    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 3, 50, 4))
    labels = rng.integers(0, 4, 50)
    whole = audit(before, after, labels)
    monkeypatch.setattr(gather, "BLOCK", 28)
    blocks = audit(before, after, labels)
    assert blocks.divergence == whole.divergence
    assert blocks.flips == whole.flips
    assert (blocks.examples.divergence == whole.examples.divergence).all()


def test_divergence_of_a_second_population_is_the_floor():
    rng = np.random.default_rng(0)
    before, null = rng.normal(size=(2, 50, 4))
    found = audit(before, before, null=null)
    assert found.divergence.mean == 0
    assert found.divergence.floor > 0.1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"before": [], "after": []}, "before is empty"),
        (
            {"before": [0.5, 1.0], "after": [0, 1]},
            "holds 0.5, a number and not the name of a class",
        ),
        ({"before": [0, 1], "after": [0, 1], "labels": [0.5, 1]}, "regression cannot be audited"),
        ({"before": [0, 1], "after": [0, 1], "labels": [[0, 1], [1, 0]]}, "multi-label"),
        ({"before": np.zeros((2, 3), int), "after": [0, 1], "labels": [0, 1]}, "transpose it"),
        ({"before": np.zeros((2, 1)), "after": [0, 1]}, "one column of scores"),
        (
            {"before": np.zeros((2, 2, 2), int), "after": [0, 1]},
            r"\(2, 2, 2\) of int64: give answers",
        ),
        ({"before": 7, "after": [0, 1]}, r"before is \(\)"),
        ({"before": [0, 1, 2], "after": [0, 1]}, "before has 3 examples and after 2"),
        ({"before": [0, 1], "after": [0, 1], "labels": [0]}, "labels has 1 values and there are 2"),
        (
            {"before": [0, 1], "after": [0, 1], "groups": ["a"]},
            "has 1 values and there are 2 examples",
        ),
        (
            {"before": [[0, 1]] * 2, "after": [[0, 1]], "paired": True},
            "2 models before and 1 after",
        ),
        (
            {"before": [0, 5], "after": [0, 1], "classes": ["a", "b"]},
            "an answer 5 and only 2 classes",
        ),
        ({"before": [0, 1], "after": [0, 1], "level": 0}, "level is 0"),
        ({"before": [np.array([0, 1]), np.array([0])], "after": [0, 1]}, "answers 1 examples"),
        ({"before": [0] * 50, "after": [0] * 50, "groups": list(range(50))}, "50 different values"),
        ({"before": [[0, 1], [2]], "after": [0, 1]}, "do not form an array"),
        ({"before": len, "after": len}, "give `data` too"),
    ],
)
def test_refusals_are_sentences(given, says):
    with pytest.raises(AuditError, match=says) as caught:
        audit(**given)
    assert isinstance(caught.value, UsageError)
    assert str(caught.value).endswith(".")


def test_groups_may_be_negative_numbers_or_fractions():
    found = audit(BEFORE, AFTER, LABELS, groups={"a": [-1, -1, 2, 2], "b": [0.5, 0.5, 1.5, None]})
    assert found.groups["a"].names == ("-1", "2")
    assert found.groups["b"].names == ("0.5", "1.5")
    assert found.groups["b"].size.tolist() == [2, 1]
