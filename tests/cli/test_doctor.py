import re

import pytest

from studiolo.data import files

from .commands import run


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """The folder that STUDIOLO_DATA names; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("STUDIOLO_DATA", str(tmp_path / "sets"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets").mkdir()
    return tmp_path / "sets"


def test_missing_set_names_the_claims_that_it_would_unlock_and_the_way_to_it(sets):
    said = run("doctor")
    assert re.search(r"data: mnist is not here \(studiolo fetch-data mnist\)\. It would unlock \d claims of nade: .*; pruning_identified_exemplars: convolutions-too-on-mnist\n", said)  # fmt: skip
    assert re.search(r"nade_binary is not here \(put it into the folder that STUDIOLO_DATA names\)\. It would unlock \d+ claims of nade: ", said)  # fmt: skip


def test_set_that_is_here_is_found_in_either_place(sets, tmp_path):
    for folder in (sets / "mnist", tmp_path / "cache" / "studiolo" / "data" / "fashion_mnist"):
        folder.mkdir(parents=True)
        (folder / "a-file").write_text("")
    said = run("doctor")
    assert f"ok  data: mnist is in {sets / 'mnist'}" in said
    assert f"ok  data: fashion_mnist is in {tmp_path}/cache/studiolo/data/fashion_mnist" in said


def test_half_a_file_is_not_a_set(sets):
    (sets / "mnist").mkdir()
    (sets / "mnist" / "train-images-idx3-ubyte.gz.part").write_text("")
    assert "data: mnist is not here" in run("doctor")


def test_cache_is_where_experiments_look():
    assert files.CACHE.parts[-2:] == ("studiolo", "data")
