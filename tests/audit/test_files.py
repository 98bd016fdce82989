import gzip
import json

import numpy as np
import pytest

from studiolo.audit import AuditError, audit, examples_csv, load_side, with_columns, with_label


LABELS, BEFORE, AFTER = [0, 1, 2, 1], [0, 1, 2, 2], [0, 1, 1, 1]
SCORES = np.eye(3)[BEFORE] * 0.7 + 0.1


@pytest.fixture
def save(tmp_path):
    """Write a file in the format of its suffix, and return its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, content)
        elif path.suffix == ".npz":
            np.savez(path, **content)
        elif path.suffix in (".csv", ".tsv"):
            tab = "\t" if path.suffix == ".tsv" else ","
            path.write_text("".join(tab.join(map(str, row)) + "\n" for row in content))
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        else:
            path.write_text(json.dumps(content))
        return path

    return write


def table(values, **columns):
    names = ["id", "prediction", *columns]
    return [names, *zip("abcd", values, *columns.values(), strict=True)]


def lines(values, **columns):
    names, *rows = table(values, **columns)
    return [dict(zip(names, map(plain, row), strict=True)) for row in rows]


def plain(value):
    return value.item() if isinstance(value, np.generic) else value


FORMS = {
    "labels.npy": BEFORE,
    "models.npy": [BEFORE],
    "scores.npy": SCORES,
    "scores of models.npy": SCORES[None],
    "labels.npz": {"prediction": BEFORE},
    "anything.npz": {"x": BEFORE, "label": LABELS},
    "scores.npz": {"logits": SCORES, "ids": list("abcd")},
    "table.csv": table(BEFORE),
    "table.tsv": table(BEFORE),
    "bare.csv": [[x] for x in BEFORE],
    "one column.csv": [["whatever"], *[[x] for x in BEFORE]],
    "scores.csv": [["prob_0", "prob_1", "prob_2"], *SCORES.tolist()],
    "lines.jsonl": lines(BEFORE),
    "several.jsonl": [{"predictions": [x]} for x in BEFORE],
    "scores.jsonl": [{"logits": row} for row in SCORES.tolist()],
    "named.jsonl": [
        {"probabilities": dict(zip("012", row, strict=True))} for row in SCORES.tolist()
    ],
    "list.json": BEFORE,
    "rows.json": lines(BEFORE),
    "pipeline.json": [{"label": str(x), "score": 0.9} for x in BEFORE],
}


@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_answers(save, name):
    side = load_side(save(name, FORMS[name]), "before")
    found = audit(side, AFTER if side.ids is None else replace_ids(side, AFTER), LABELS)
    wanted = audit(BEFORE, AFTER, LABELS)
    assert found.flips == wanted.flips
    assert found.accuracy == wanted.accuracy


def replace_ids(side, answers):
    from dataclasses import replace

    from studiolo.audit import Model

    return replace(side, models=(Model(np.array(answers)),), label=None)


def test_columns_are_models_groups_labels_and_ids(save):
    path = save(
        "all.csv",
        [
            ["id", "model_a", "model_b", "label", "sex"],
            *zip("abcd", BEFORE, AFTER, LABELS, "fmfm", strict=True),
        ],
    )
    side = load_side(path, "before")
    assert len(side.models) == 2
    assert side.ids == tuple("abcd")
    assert side.label.tolist() == LABELS
    assert sorted(side.columns) == ["label", "sex"]


def test_columns_are_chosen_by_name(save):
    path = save("all.csv", [["id", "dense", "pruned"], *zip("abcd", BEFORE, AFTER, strict=True)])
    one, other = load_side(f"{path}:dense", "before"), load_side(f"{path}:pruned", "after")
    assert audit(one, other).flips.share == 0.5
    with pytest.raises(
        AuditError, match=r"no column of predictions .* \(dense, pruned\): name them"
    ):
        load_side(path, "before")
    with pytest.raises(AuditError, match="has no 'sparse'; there are: id, dense, pruned"):
        load_side(f"{path}:sparse", "before")


def test_rows_are_joined_by_id_and_the_rest_is_counted(save):
    one = load_side(save("one.csv", table(BEFORE)), "before")
    names, *rows = table(AFTER)
    other = load_side(save("other.csv", [names, *rows[:0:-1], ("e", 0)]), "after")
    found = audit(one, other)
    assert found.examples.ids == ("b", "c", "d")
    assert found.flips.share == pytest.approx(2 / 3)
    assert found.notes == (
        "1 of 4 examples of before is not on every side and was left out (a).",
        "1 of 4 examples of after is not on every side and was left out (e).",
    )


def test_scores_that_are_joined_keep_their_divergence(save):
    one = load_side(save("one.npz", {"logits": SCORES, "id": list("abcd")}), "before")
    other = load_side(save("other.npz", {"logits": SCORES[::-1], "id": list("dcba")}), "after")
    assert audit(one, other).divergence.mean == 0


def test_labels_and_groups_come_from_other_files_by_id(save):
    side = load_side(save("one.csv", table(BEFORE)), "before")
    labels = save("labels.csv", [["id", "label"], *zip("dcba", LABELS[::-1], strict=True)])
    groups = save("groups.csv", [["id", "sex", "age"], ("c", "f", 3), ("a", "m", 4)])
    side = with_label(side, str(labels))
    side, names = with_columns(side, str(groups))
    assert names == ["sex", "age"]
    assert side.label.tolist() == LABELS
    assert side.columns["sex"] == ["m", None, "f", None]
    side, names = with_columns(side, f"{groups}:sex")
    assert names == ["sex"]
    with pytest.raises(AuditError, match="neither a column nor a file called 'race'"):
        with_columns(side, "race")
    with pytest.raises(AuditError, match="neither a file nor a column called 'race'"):
        with_label(side, "race")


def test_packed_lines_are_read(save, tmp_path):
    plain = save("lines.jsonl", lines(BEFORE))
    packed = tmp_path / "lines.v2.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert audit(load_side(plain, "before"), load_side(packed, "after")).flips.share == 0


def test_label_is_found_among_other_columns(save):
    side = load_side(save("one.csv", table(BEFORE)), "before")
    rows = zip("abcd", "efgh", LABELS, strict=True)
    assert (
        with_label(side, str(save("l.csv", [["id", "doc_id", "right"], *rows]))).label.tolist()
        == LABELS
    )
    rows = zip("abcd", LABELS, "fmfm", strict=True)
    assert (
        with_label(side, str(save("p.csv", [["id", "label", "sex"], *rows]))).label.tolist()
        == LABELS
    )


def test_column_that_is_nowhere_is_named_with_those_there_are(save):
    side = load_side(save("one.csv", table(BEFORE)), "before")
    with pytest.raises(AuditError, match="called 'age'; columns are: none"):
        with_columns(side, "age")
    more, _ = with_columns(
        side, str(save("p.csv", [["id", "sex"], *zip("abcd", "fmfm", strict=True)]))
    )
    with pytest.raises(AuditError, match="called 'age'; columns are: sex"):
        with_columns(more, "age")


@pytest.mark.parametrize("chosen", ["", ":prob_cat,prob_dog,prob_owl"])
def test_columns_of_scores_are_named_by_their_classes(save, chosen):
    path = save("s.csv", [["prob_cat", "prob_dog", "prob_owl"], *SCORES.tolist()])
    found = audit(
        load_side(f"{path}{chosen}", "before"),
        BEFORE,
        ["cat", "dog", "owl", "dog"],
        classes=["cat", "dog", "owl"],
    )
    assert found.flips.share == 0
    assert found.accuracy.before == 0.75
    assert found.classes.names == ("cat", "dog", "owl")


def test_labels_in_order_need_the_same_number(save):
    side = load_side(save("one.npy", BEFORE), "before")
    assert with_label(side, str(save("y.npy", LABELS))).label.tolist() == LABELS
    with pytest.raises(AuditError, match="has 2 values and before 4 examples"):
        with_label(side, str(save("y.npy", [0, 1])))


def test_folder_of_files_is_a_population(save, tmp_path):
    save("many/seed1.npy", BEFORE)
    save("many/seed2.npy", AFTER)
    side = load_side(tmp_path / "many", "before")
    assert len(side.models) == 2
    assert audit(side, [AFTER, AFTER], LABELS).models == (2, 2, 0)


def test_large_arrays_stay_on_the_disk(save):
    side = load_side(save("scores.npy", SCORES), "before")
    assert isinstance(side.models[0].output, np.memmap)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", [["a", "b"], ["1"]], "Row 2 of .* has 1 cells and the first has 2"),
        ("a.csv", [["a", "a"], ["1", "2"]], "two columns of one name"),
        ("a.csv", [["a", "b"]], "has a header and no row"),
        ("a.csv", [], "is empty"),
        ("a.jsonl", [], "holds no example"),
        ("a.jsonl", [{"logits": [1, 2]}, {"logits": [1]}], "'logits' .* differ in length"),
        ("a.jsonl", [[1]], "Line 1 of .* is not an object"),
        ("a.json", {"x": 1}, "no list of examples and no Inspect log"),
        ("a.txt", "x", "is none of .npy"),
        ("a.csv", [["id", "pred"], ["x", 1], ["x", 2]], "names the example 'x' 2 times"),
        ("a.csv", [["id", "pred"], ["q", 1], ["r", 2]], "No example is on all sides"),
        ("a.csv", [["pred"], ["1"], ["2"]], "has ids and before has none, and they differ in length"),
    ],
)  # fmt: skip
def test_refusals_are_sentences(save, name, content, says):
    other = load_side(save("other.csv", table(AFTER)), "after")
    with pytest.raises(AuditError, match=says):
        audit(load_side(save(name, content), "before"), other)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_text_of_another_encoding_is_refused_with_its_name(save, tmp_path, suffix):
    path = tmp_path / f"latin{suffix}"
    path.write_bytes('{"id": 1, "prediction": "café"}\n'.encode("latin-1"))
    side = load_side(save("before.npy", BEFORE), "before")
    with pytest.raises(AuditError, match=f"latin{suffix} cannot be read as text: 'utf-8'"):
        load_side(path, "before")
    with pytest.raises(AuditError, match=f"latin{suffix} cannot be read as text: 'utf-8'"):
        with_label(side, str(path))


def test_cell_beyond_the_limit_of_a_table_is_refused(save):
    path = save("long.csv", [["id", "prediction", "prompt"], ["a", 1, "x" * 140_000]])
    with pytest.raises(AuditError, match=r"long.csv cannot be read as a table: .*131072"):
        load_side(path, "before")


def test_more_names_than_a_path_can_have_letters_are_names(save):
    names = [f"network_{i}" for i in range(100)]
    path = save("wide.csv", [["id", *names], *([row, *[0] * 100] for row in "ab")])
    side = load_side(f"{path}:{','.join(names)}", "before")
    assert len(side.models) == 100
    for ask in (with_label, with_columns):
        with pytest.raises(AuditError, match=r"There is neither .* called 'network_0"):
            ask(side, ",".join(names))


@pytest.mark.parametrize("name", ["all.csv", "all.npz"])
def test_right_answers_can_be_named_though_they_are_found(save, name):
    columns = {"dense": BEFORE, "label": LABELS, "truth": AFTER}
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    path = save(name, columns if name.endswith(".npz") else rows)
    side = load_side(f"{path}:dense", "before")
    for column in ("label", "truth"):
        assert with_label(side, column).label.tolist() == columns[column]


def test_missing_files_and_pickles_are_refused(save, tmp_path):
    with pytest.raises(AuditError, match=r"nothing.npy does not exist"):
        load_side(tmp_path / "nothing.npy", "before")
    with pytest.raises(AuditError, match="Arrays of Python objects are not opened"):
        load_side(save("a.npy", np.array(["a", None], object)), "before")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AuditError, match="holds no predictions"):
        load_side(tmp_path / "empty", "before")


def test_sides_with_other_labels_are_refused(save):
    one = load_side(save("one.csv", table(BEFORE, label=LABELS)), "before")
    other = load_side(save("other.csv", table(AFTER, label=[0, 1, 2, 2])), "after")
    with pytest.raises(
        AuditError, match=r"1 of 4 examples have another right answer in after .* d \(1 and 2\)"
    ):
        audit(one, other)


def test_csv_has_a_row_for_each_example():
    found = audit(
        ["x,y", "b"], ["x,y", None], ["x,y", "b"], ids=["one", "two"], show={"text": ["a\nb", "c"]}
    )
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(examples_csv(found))))
    assert [row["id"] for row in rows] == ["one", "two"]
    assert rows[0]["before"] == "x,y"
    assert rows[0]["text"] == "a\nb"
    assert rows[1]["after"] == ""
    assert rows[1]["pie"] == "1"
    assert rows[1]["q"] == ""
