import numpy as np
import pytest

from studiolo.audit import AuditError, Condition, audit


@pytest.fixture(scope="module")
def found():
    """Class 3 of four loses twenty points in five models a side, so the accuracy loses five."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 500)

    def side(loss):
        chance = np.where(labels == 3, 0.9 - loss, 0.9)
        return np.where(rng.random((5, 2000)) < chance, labels, (labels + 1) % 4)

    return audit(side(0.0), side(0.2), labels, groups={"half": labels > 1})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("class_loss > 2 points at q < 0.05", 1),
        ("class_loss > 2pp", 1),
        ("class_loss>14.5%", 1),
        ("class_loss > 16 points at q < 0.05", 0),
        ("class_loss > 2 points at q < 0.0000000001", 0),
        ("group_loss > 4 points at q <= .05", 1),
        ("group_loss > 6", 0),
        ("accuracy_loss > 4 points at p < 0.05", 1),
        ("accuracy_loss > 6 points", 0),
        ("flips > 1", 1),
        ("flips > 90", 0),
    ],
)
def test_conditions_are_met_or_not(found, text, count):
    assert len(Condition.parse(text).failures(found)) == count


def test_failure_names_what_lost(found):
    [line] = Condition.parse("class_loss > 2 points at q < 0.05").failures(found)
    assert line.startswith("class 3 lost 1")
    [line] = Condition.parse("group_loss > 2 points at q < 0.05").failures(found)
    assert line.startswith("half True lost ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class_loss >= 2", "is not a condition"),
        ("class_los > 2", "is not a condition"),
        ("class_loss > 2 points at p < 0.05", "class_loss and group_loss are many and have q"),
        ("accuracy_loss > 2 points at q < 0.05", "is one test and has p"),
        ("flips > 2 points at q < 0.05", "flips have no test"),
        ("", "is not a condition"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(text, says):
    with pytest.raises(AuditError, match=says):
        Condition.parse(text)


def test_condition_that_cannot_be_judged_never_passes():
    bare = audit([0, 1], [0, 1])
    for text, needed in (
        ("class_loss", "labels"),
        ("group_loss", "labels"),
        ("accuracy_loss", "labels"),
    ):
        with pytest.raises(AuditError, match=f"give {needed}"):
            Condition.parse(f"{text} > 1").failures(bare)
    with pytest.raises(AuditError, match="give groups"):
        Condition.parse("group_loss > 1").failures(audit([0, 1], [0, 1], [0, 1]))
