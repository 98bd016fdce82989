"""A new paper folder holds what strangers wrote of the paper as text, and as nothing else."""

import ast
import tomllib

import pytest

from studiolo.claims import load_paper
from studiolo.cli import scaffold
from studiolo.cli.scaffold import TEMPLATE, Known, new_paper_folder
from tests.cli.test_commands import studiolo


EVIL = '\\"""; import pathlib; pathlib.Path("ran").touch(); """ {figures}'
STRANGE = {
    "a placeholder as the title": Known("arxiv:2001.00001", "{author_line}", (f"A{EVIL}",), 2020),
    "quotes in the key": Known(f"doi:10.1/x{EVIL}".replace(" ", ""), "A title", ("A. Author",)),
    "quotes in the title": Known("arxiv:2001.00001", f"A title{EVIL}", ("A", 'B "C" D\\')),
    "a version": Known("arxiv:2001.00001", "A title", ("A",), 2020, f"v1{EVIL}"),
    "lines and control characters": Known(
        "arxiv:2001.00001", "A\n\x00b\x1b[31m\u202ec", ("A\r\n",)
    ),
    "figures of an abstract": Known("arxiv:2001.00001", "A title", figures=(EVIL, "\n[[claim]]")),
    "Markdown": Known("arxiv:2001.00001", "<script>x</script> [a](javascript:b) `c` # d"),
}


@pytest.fixture(params=list(STRANGE.values()), ids=list(STRANGE))
def known(request, monkeypatch):
    monkeypatch.setattr(scaffold, "_known", lambda *_: request.param)
    return request.param


def shape_of(source: str) -> str:
    """Return the syntax tree of a module without its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            body[0] = ast.Pass()
    return ast.dump(tree)


def test_what_strangers_wrote_is_text_in_every_file(known, library):
    folder = new_paper_folder("mine", library)
    for path in folder.glob("*.py"):
        assert shape_of(path.read_text()) == shape_of((TEMPLATE / path.name).read_text()), path
    document = tomllib.loads((folder / "paper.toml").read_text())
    assert document["title"] == "".join(c for c in " ".join(known.title.split()) if c.isprintable())
    assert document["key"] == known.key
    assert document["version"] == known.version
    assert document["authors"] == [" ".join(author.split()) for author in known.authors]
    assert len(document["claim"]) == 2
    readme = (folder / "README.md").read_text()
    assert "\n## What the paper says\n" in readme
    assert "<script>" not in readme.replace("\\<", "")


def test_title_returns_from_a_docstring_as_it_was(library, monkeypatch):
    known = Known("arxiv:2001.00001", 'On "quotes" and \\ strokes')
    monkeypatch.setattr(scaffold, "_known", lambda *_: known)
    folder = new_paper_folder("mine", library)
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) == f"{known.title}."
    assert load_paper(folder).title == known.title


@pytest.mark.parametrize("taken", ["numpy", "random", "class", "studiolo"])
def test_name_that_another_module_has_is_not_a_folders(library, taken):
    assert new_paper_folder(taken, library).name == f"paper_{taken}"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("url:https://example.com/papers/Sparse_Maps-of-Things.pdf", "sparse_maps_of_things"),
        ("https://example.com/2020/01/why-things-work/", "why_things_work"),
        ("https://papers.example.org/hash/3f5ee243547dee91fbd053c1c4a845aa.html", "papers_example_org"),
        ("https://example.com", "example_com"),
        ("github:owner/linear-maps", "owner_linear_maps"),
        ("doi:10.1234/some.5", "doi_10_1234_some_5"),
    ],
)  # fmt: skip
def test_paper_without_a_title_is_called_by_what_its_address_says(library, key, name):
    assert new_paper_folder(key, library, offline=True).name == name


def test_what_a_new_folder_does_not_know_is_asked_for(library):
    (library / "list.md").write_text("* [Rectifiers](https://arxiv.org/abs/1502.01852)\n")
    folder = new_paper_folder("arxiv:1502.01852", library, offline=True)
    assert load_paper(folder).year == 2015
    new_paper_folder("mine", library)
    said = studiolo("check-papers", library, check=False).stderr.splitlines()
    assert said == [
        'mine, paper.toml: key \'url:https://example.org/mine\' is of nothing. Write the paper\'s, such as "arxiv:2105.03824".',
        "mine, paper.toml: authors are unknown. Name them, and check the year.",
        "rectifiers, paper.toml: authors are unknown. Name them, and check the year.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("https://arxiv.org/abs/1502.01852", "key 'https://arxiv.org/abs/1502.01852' is on no list, where the paper is 'arxiv:1502.01852'. Write that."),
        ("arxvi:1502.01852", "'arxvi:1502.01852' is not a key. Write kind:value"),
    ],
)  # fmt: skip
def test_key_that_no_list_has_is_told_and_so_is_a_paper_that_is_not_on_the_list(
    library, key, sentence
):
    (library / "list.md").write_text("* [Rectifiers](https://arxiv.org/abs/1502.01852)\n")
    toml = new_paper_folder("mine", library) / "paper.toml"
    toml.write_text(toml.read_text().replace("url:https://example.org/mine", key))
    said = studiolo("check-papers", library, check=False).stderr
    assert f"mine, paper.toml: {sentence}" in said
    not_there = f"mine is about {key}, which is not on this list.\n"
    assert studiolo("run", library / "list.md").stderr.startswith(not_there)
    done = studiolo("plan", library / "list.md", "--only", "mine", check=False)
    assert done.stderr.startswith(not_there)
    assert done.returncode == 2


def test_folder_that_comes_before_a_bundled_one_is_said_to(library):
    done = studiolo("new-paper", "fnet", "--library", library)
    assert "It comes before Studiolo's own fnet: your lists now mean this one." in done.stdout
    (library / "papers" / "fnet" / "__init__.py").unlink()
    done = studiolo("check-papers", library, check=False)
    assert "papers/fnet: it is not a package: it has no __init__.py." in done.stderr


def test_who_runs_the_template_first_has_seen_nothing_of_the_paper(library):
    (library / "list.md").write_text("* [T](https://arxiv.org/abs/2001.00001)\n")
    folder = new_paper_folder("arxiv:2001.00001", library, offline=True)
    assert "    holds; toy scale; control: absent, as it must be\n" in studiolo("run", library / "list.md").stdout  # fmt: skip
    assert "history" not in studiolo("report", library / "list.md", "--format", "md").stdout
    toml = folder / "paper.toml"
    toml.write_text(toml.read_text().replace("averaging-shrinks-the-error", "a-claim-of-its-own"))
    done = studiolo("run", library / "list.md", "--verbose").stdout
    assert "t a-claim-of-its-own" in done
    assert "deleted" not in done
    (folder / "__init__.py").write_text("x = 1\n")  # code of one's own: now it counts
    studiolo("run", library / "list.md")
    toml.write_text(toml.read_text().replace("a-claim-of-its-own", "another-claim"))
    assert "follows the deleted claim a-claim-of-its-own" in " ".join(
        studiolo("run", library / "list.md").stdout.split()
    )
