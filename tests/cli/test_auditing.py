import json
import subprocess
import sys

import numpy as np
import pytest

from studiolo.cli import auditing
from studiolo.errors import UsageError


def studiolo(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "studiolo", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Predictions of eight networks a side; class 3 of ten loses twenty points."""
    folder = tmp_path_factory.mktemp("audit")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 3000)

    def side(loss):
        right = rng.random((8, 3000)) < np.where(labels == 3, 0.9 - loss, 0.9)
        return np.where(right, labels, (labels + 1) % 10)

    for name, loss in (("before", 0), ("after", 0.2), ("null", 0)):
        np.save(folder / f"{name}.npy", side(loss))
        np.save(folder / f"{name}1.npy", side(loss)[0])
    np.save(folder / "labels.npy", labels)
    np.save(folder / "pictures.npy", rng.random((3000, 6, 6)))
    rows = [f"{i},{'fm'[i % 2]},{'yo'[i % 3 == 0]}" for i in range(3000)]
    (folder / "people.csv").write_text("\n".join(["number,sex,age", *rows]) + "\n")
    return folder


def test_audit_says_what_was_found_beside_its_floor(here):
    done = studiolo(
        "audit", "before.npy", "after.npy", "--labels", "labels.npy", "--null", "null.npy", "--groups",
        "people.csv:sex,age", cwd=here,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3,000 examples, 8 models before, 8 after, 8 beside." in done.stdout
    assert "By class: 1 of 10 lost more than the rest" in done.stdout
    assert "(floor 0)" in done.stdout
    assert "By sex: 0 of 2" in done.stdout
    assert "By age: 0 of 2" in done.stdout


def test_one_model_a_side_never_speaks_of_compression(here):
    done = studiolo("audit", "before1.npy", "after1.npy", "--labels", "labels.npy", cwd=here)
    assert "this is about these two models, not about what was done to them" in done.stdout


def test_condition_that_is_met_ends_with_three(here):
    words = ["audit", "before.npy", "after.npy", "--labels", "labels.npy", "--fail-if"]
    done = studiolo(*words, "class_loss > 2 points at q < 0.05", cwd=here)
    assert done.returncode == 3
    assert "too much: class 3 lost" in done.stderr
    assert studiolo(*words, "class_loss > 60 points", cwd=here).returncode == 0
    assert studiolo(*words, "group_loss > 2 points", cwd=here).returncode == 2
    assert studiolo(*words, "class_loss >> 2", cwd=here).returncode == 2


def test_json_and_csv_and_page(here):
    done = studiolo(
        "audit", "before.npy", "after.npy", "--labels", "labels.npy", "--json", "--csv", "out/examples.csv", "--page",
        "out/page.html", "--pictures", "pictures.npy", "--classes", "a,b,c,d,e,f,g,h,i,j", cwd=here,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["format"] == 1
    worst = min(found["classes"]["parts"], key=lambda part: part["relative"])
    assert worst["name"] == "d"
    assert (here / "out" / "examples.csv").read_text().count("\n") == 3001
    page = (here / "out" / "page.html").read_text()
    assert "data:image/png;base64," in page
    assert "before.npy against after.npy" in page


def test_refusals_end_with_two_and_a_sentence(here):
    done = studiolo("audit", "before.npy", "nothing.npy", cwd=here)
    assert done.returncode == 2
    assert done.stderr == (
        "studiolo: nothing.npy does not exist. Give a file of predictions or a folder of them.\n"
    )


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(auditing, "find_spec", lambda name: None if name == "scipy" else object())
    with pytest.raises(
        UsageError, match="An audit needs scipy, which is not installed: pip install scipy"
    ):
        auditing.audit("a.npy", "b.npy")


def test_classes_are_names_or_a_file_of_them(tmp_path):
    names = [f"a class of its own {i}" for i in range(100)]
    assert auditing._class_names(",".join(names)) == names  # longer than a path can be
    (tmp_path / "names.txt").write_text("\n".join(names), "utf-8")
    assert auditing._class_names(str(tmp_path / "names.txt")) == names
    (tmp_path / "latin.txt").write_bytes("café\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin.txt cannot be read as text: 'utf-8'"):
        auditing._class_names(str(tmp_path / "latin.txt"))
