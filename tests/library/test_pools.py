"""Lists that are followed, and the rows that suggestions come from."""

import contextlib
import hashlib
import json
import threading

import pytest

from studiolo.errors import FileError, NetworkError, UsageError
from studiolo.index import Index, Row
from studiolo.keys import Key
from studiolo.library import (
    Library,
    fetch_followed,
    find_target,
    follow,
    followed_lists,
    load_followed,
    load_rows,
    pool_rows,
    pool_stamp,
    pools_folder,
    unfollow,
)
from studiolo.library.following import MOST_FILES
from studiolo.metadata import Facts, Pool, Services, fill_from
from tests.net.server import Said


FNET = "* [FNet](https://arxiv.org/abs/2105.03824) - 2021\n"
README = f"""# Awesome

See [the site](https://example.org) first.

## Transformers

{FNET}* [Performers](https://arxiv.org/pdf/2009.14794v4.pdf), Choromanski et al.
* [code only](https://github.com/owner/code)

## Again

{FNET}"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home" / ".studiolo").mkdir(parents=True)
    return Library(tmp_path / "home")


class GitHub:
    """A repository as GitHub's API and its raw files show it. Set it as a server's `answer`."""

    def __init__(self, **files):
        self.files = {name.replace("__", "/") + ".md": text.encode() for name, text in files.items()}  # fmt: skip
        self.more = []

    @property
    def commit(self):
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    def __call__(self, asked):
        path = asked.path.partition("?")[0]
        if path == "/api/repos/owner/name/commits/HEAD":
            tag = f'"{self.commit}"'
            if asked.headers.get("If-None-Match") == tag:
                return Said(b"", 304, {"ETag": tag})
            return Said(self.commit.encode(), headers={"ETag": tag})
        if path == f"/api/repos/owner/name/git/trees/{self.commit}":
            tree = [
                {"path": name, "type": "blob", "mode": "100644", "size": len(data), "sha": self.sha(data)}
                for name, data in self.files.items()
            ]  # fmt: skip
            return Said.json({"tree": [*tree, *self.more]})
        start = f"/raw/owner/name/{self.commit}/"
        if path.startswith(start) and (name := path.removeprefix(start)) in self.files:
            return Said(self.files[name])
        return None

    @staticmethod
    def sha(data):
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


def fetch(home, server, client, word="github:owner/name", **more):
    services = Services(github=f"{server.url}/api", github_raw=f"{server.url}/raw")
    one = find_target(home, word)
    changed = fetch_followed(one, client, services=services, **more)
    follow(home, one)
    return changed


def raw_files(server):
    return [path.rpartition("/")[2] for path in server.paths() if "/raw/" in path]


# a repository


def test_papers_of_a_repository_are_rows_with_their_sections(home, server, client):
    server.answer = GitHub(README=README)
    assert fetch(home, server, client)
    (one,) = load_followed(home)
    assert one.target == "github:owner/name"
    assert load_rows(home, one) == [
        Row(key="arxiv:2105.03824", title="FNet", section=("Awesome", "Transformers"), list="owner/name", date="2021"),
        Row(key="arxiv:2009.14794", title="Performers", authors=("Choromanski",), section=("Awesome", "Transformers"), list="owner/name", date="2020-09"),  # the month in its id
    ]  # fmt: skip


def test_file_is_part_of_the_path_where_there_are_several(home, server, client):
    server.answer = GitHub(README=README, topics__vision="# V\n\n* [A](https://arxiv.org/abs/2010.11929)\n", CONTRIBUTING="* [B](https://arxiv.org/abs/1706.03762)\n")  # fmt: skip
    fetch(home, server, client)
    rows = load_rows(home, load_followed(home)[0])
    assert {(row.key, row.section[0]) for row in rows} == {
        ("arxiv:2105.03824", "README.md"),
        ("arxiv:2009.14794", "README.md"),
        ("arxiv:2010.11929", "topics/vision.md"),
    }


def test_unchanged_repository_is_asked_once_with_its_tag(home, server, client):
    server.answer = GitHub(README=README)
    fetch(home, server, client)
    before = len(server.asked)
    assert not fetch(home, server, client)
    (asked,) = server.asked[before:]
    assert asked.headers["If-None-Match"]


def test_only_files_that_changed_are_fetched_again(home, server, client):
    github = server.answer = GitHub(README=README, other=FNET)
    fetch(home, server, client)
    assert sorted(raw_files(server)) == ["README.md", "other.md"]
    github.files["other.md"] = b"* [New](https://arxiv.org/abs/2010.11929)\n"
    del server.asked[:]
    assert fetch(home, server, client)
    assert raw_files(server) == ["other.md"]
    assert "arxiv:2010.11929" in followed_lists(home)["owner/name"]


def test_interrupted_fetch_keeps_the_old_and_goes_on(home, server, client):
    github = server.answer = GitHub(a=README, b=FNET)
    fetch(home, server, client)
    github.files = {f"{n}.md": FNET.encode() + bytes([65 + n]) for n in range(4)}
    server.answer = lambda asked: Said(b"", 503, {"Retry-After": "0"}) if asked.path.endswith("2.md") else github(asked)  # fmt: skip
    with pytest.raises(NetworkError):
        fetch(home, server, client)
    assert len(load_rows(home, load_followed(home)[0])) == 2
    server.answer = github
    del server.asked[:]
    fetch(home, server, client)
    assert raw_files(server) == ["2.md", "3.md"]


def test_file_that_is_not_what_git_says_is_asked_again(home, server, client):
    github = GitHub(README=README)
    first = []

    def answer(asked):
        said = github(asked)
        if "/raw/" in asked.path and not first:
            first.append(asked)
            return Said(said.body[:-5])
        return said

    server.answer = answer
    fetch(home, server, client)
    assert len(raw_files(server)) == 2
    assert len(load_rows(home, load_followed(home)[0])) == 2


def test_spoilt_lines_of_what_was_kept_say_nothing(home, server, client):
    server.answer = GitHub(README=README)
    fetch(home, server, client)
    (one,) = load_followed(home)
    spoilt = '{"path":"x.md","sha":"0","data":"%"}\n{"path":"y.md","data":7}\n[]\n'
    one.kept.write_text(one.kept.read_text() + spoilt)
    assert len(load_rows(home, one)) == 2


def test_what_is_not_a_list_is_not_fetched(home, server, client):
    github = server.answer = GitHub(README=README)
    blob = {"type": "blob", "mode": "100644", "size": 5, "sha": "0" * 40}
    github.more = [
        blob | {"path": "code.py"},
        blob | {"path": ".github/x.md"},
        blob | {"path": "big.md", "size": 1 << 30},
        blob | {"path": "link.md", "mode": "120000"},
        {"path": "folder.md", "type": "tree", "sha": "0" * 40},
        {"path": 7}, 7, {"path": "x.md", "type": "blob", "sha": None},
    ]  # fmt: skip
    fetch(home, server, client)
    assert raw_files(server) == ["README.md"]


def test_paths_that_lead_away_stay_names(home, server, client, tmp_path):
    github = server.answer = GitHub(README=README)
    github.files["../../../evil.md"] = b"* [E](https://arxiv.org/abs/1706.03762)\n"
    before = set(tmp_path.rglob("evil*"))
    with contextlib.suppress(NetworkError):
        fetch(home, server, client)
    assert set(tmp_path.rglob("evil*")) == before


@pytest.mark.parametrize(
    ("path", "said", "message"),
    [
        ("commits/HEAD", Said(b"no", 404), "knows no repository owner/name"),
        ("commits/HEAD", Said(b"<html>"), "did not answer with a commit"),
        ("git/trees", Said(b"<html>"), "not JSON"),
        ("git/trees", Said(b"[]"), "did not answer with the files"),
        ("git/trees", Said.json({"tree": []}), "no Markdown file"),
        ("git/trees", Said.json({"tree": [{"path": f"{n}.md", "type": "blob", "sha": "0"} for n in range(MOST_FILES + 1)]}), "Clone it and follow the folder"),
        ("/raw/", Said(b"no", 404), "does not have README.md"),
        ("/raw/", Said(b"another file"), "another file than the one asked for"),
    ],
)  # fmt: skip
def test_answers_that_make_no_list_are_told(home, server, client, path, said, message):
    github = GitHub(README=README)
    server.answer = lambda asked: said if path in asked.path else github(asked)
    with pytest.raises(NetworkError, match=message):
        fetch(home, server, client)
    assert load_followed(home) == []


def test_token_goes_to_github_and_is_not_kept(home, server, client):
    server.answer = GitHub(README=README)
    fetch(home, server, client, token="secret-token")
    assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer secret-token"}
    for path in home.folder.parent.rglob("*"):
        assert path.is_dir() or b"secret-token" not in path.read_bytes()


def test_offline_everything_is_there_that_was_fetched(home, server, client, offline):
    server.answer = GitHub(README=README)
    fetch(home, server, client)
    server.answer = lambda asked: Said(b"", 500)
    assert len(load_rows(home, load_followed(home)[0])) == 2
    fetch_followed(load_followed(home)[0], offline, services=Services(github=f"{server.url}/api"))
    assert len(load_rows(home, load_followed(home)[0])) == 2


# a folder


def test_folder_is_read_where_it_lies_and_an_edit_is_seen(home, tmp_path):
    lists = tmp_path / "lists-of-ada"
    lists.mkdir()
    (lists / "a.md").write_text(README)
    follow(home, find_target(home, str(lists)))
    assert followed_lists(home) == {"lists-of-ada": {"arxiv:2105.03824", "arxiv:2009.14794"}}
    stamp = pool_stamp(home)
    (lists / "a.md").write_text(FNET)
    assert pool_stamp(home) != stamp
    assert followed_lists(home) == {"lists-of-ada": {"arxiv:2105.03824"}}


def test_one_file_can_be_followed(home, tmp_path):
    (tmp_path / "ada.md").write_text(README)
    follow(home, find_target(home, str(tmp_path / "ada.md")))
    assert len(followed_lists(home)["ada.md"]) == 2


def test_folder_that_is_gone_has_no_papers(home, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "a.md").write_text(README)
    follow(home, find_target(home, str(lists)))
    (lists / "a.md").unlink()
    lists.rmdir()
    assert followed_lists(home) == {"lists": frozenset()}
    assert list(pool_rows(home)) == []


def test_file_that_cannot_be_read_is_told_with_the_way_out(home, tmp_path, monkeypatch):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "a.md").write_text(README)
    follow(home, find_target(home, str(lists)))

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(FileError, match=r"cannot be read: Permission denied. To stop: studiolo unfollow"):  # fmt: skip
        followed_lists(home)


def test_damaged_cache_is_read_anew(home, tmp_path):
    (tmp_path / "ada.md").write_text(README)
    follow(home, find_target(home, str(tmp_path / "ada.md")))
    first = list(pool_rows(home))
    (cache,) = (home.cache / "followed").iterdir()
    for text in ("", "{", "[]", '{"reader": 1}', cache.read_text().replace('"rows": [', '"rows": [7, ')):  # fmt: skip
        cache.write_text(text)
        assert list(pool_rows(home)) == first


def test_own_library_is_not_followed(home):
    (home.folder / "mine.md").write_text(README)
    for word in (home.folder, home.folder / "mine.md"):
        with pytest.raises(UsageError, match="part of your own library"):
            find_target(home, str(word))


@pytest.mark.parametrize("word", ["banana", "arxiv:2105.03824", "https://example.org", "github:17", ""])  # fmt: skip
def test_what_cannot_be_followed_is_told(home, word, tmp_path, monkeypatch):
    monkeypatch.chdir(home.folder)
    with pytest.raises(UsageError, match=r"neither a folder nor a repository|own library"):
        find_target(home, word)


@pytest.mark.parametrize("word", ["github:owner/name", "https://github.com/Owner/Name", "https://github.com/owner/name/blob/main/README.md"])  # fmt: skip
def test_repository_has_several_spellings(home, word):
    assert find_target(home, word).target == "github:owner/name"


# following and no longer following


def test_unfollowing_forgets_and_deletes_what_was_fetched(home, server, client):
    server.answer = GitHub(README=README)
    fetch(home, server, client)
    kept = load_followed(home)[0].kept
    assert kept.exists()
    unfollow(home, "owner/name")
    assert load_followed(home) == []
    assert not kept.exists()
    with pytest.raises(UsageError, match=r"You do not follow 'owner/name'\. You follow: none"):
        unfollow(home, "owner/name")


def test_unfollowing_a_folder_touches_nothing_in_it(home, tmp_path):
    (tmp_path / "ada.md").write_text(README)
    follow(home, find_target(home, str(tmp_path / "ada.md")))
    unfollow(home, str(tmp_path / "ada.md"))
    assert (tmp_path / "ada.md").read_text() == README
    assert load_followed(home) == []


def test_journal_of_two_branches_is_the_last_word_on_each(home):
    home.prepare()
    (home.state / "follows.jsonl").write_text(
        '{"list":"github:a/b","follow":true}\n<<<<<<< x\n{"list":7,"follow":true}\n{"list":"github:c/d","follow":true}\n'
        '{"list":"github:a/b","follow":false}\n{"list":"github:c/d","follow":true}\n'
    )
    assert [one.target for one in load_followed(home)] == ["github:c/d"]


def test_two_follow_at_once(home, tmp_path):
    for n in range(8):
        (tmp_path / f"{n}.md").write_text(README)
    targets = [find_target(home, str(tmp_path / f"{n}.md")) for n in range(8)]
    threads = [threading.Thread(target=follow, args=(home, one)) for one in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.target for one in load_followed(home)} == {one.target for one in targets}


# rows


def fill(home, name, *numbers, **more):
    papers = [Facts(Key("arxiv", n), title=f"Title {n}", abstract="Of masks.", authors=("Ada",), categories=("cs.LG",), published="2021-05-09", **more) for n in numbers]  # fmt: skip
    fill_from(Pool(pools_folder(home), name), papers)


def test_rows_come_once_pools_before_lists(home, tmp_path):
    fill(home, "cs.LG", "2105.03824", "2105.00001")
    fill(home, "stat.ML", "2105.00001", "2105.00002")
    (tmp_path / "ada.md").write_text(README)
    follow(home, find_target(home, str(tmp_path / "ada.md")))
    rows = list(pool_rows(home))
    assert [(row.key, row.source, row.list) for row in rows] == [
        ("arxiv:2105.00001", "cs.LG", ""),
        ("arxiv:2105.03824", "cs.LG", ""),
        ("arxiv:2105.00002", "stat.ML", ""),
        ("arxiv:2009.14794", "", "ada.md"),
    ]
    assert rows[0] == Row(key="arxiv:2105.00001", title="Title 2105.00001", abstract="Of masks.", authors=("Ada",), categories=("cs.LG",), date="2021-05-09", source="cs.LG")  # fmt: skip


def test_what_lookup_fetched_completes_the_rows_of_lists(home, tmp_path):
    home.prepare()
    facts = Facts(Key("arxiv", "2009.14794"), title="Rethinking Attention with Performers", abstract="FAVOR+", published="2020-09-30")  # fmt: skip
    (home.state / "metadata.jsonl").write_text(json.dumps(facts.to_record()) + "\n")
    (tmp_path / "ada.md").write_text(README)
    follow(home, find_target(home, str(tmp_path / "ada.md")))
    row = next(row for row in pool_rows(home) if row.key == "arxiv:2009.14794")
    assert (row.title, row.abstract, row.date) == ("Rethinking Attention with Performers", "FAVOR+", "2020-09-30")  # fmt: skip
    assert row.authors == ("Choromanski",)


def test_empty_library_has_no_rows(home):
    assert list(pool_rows(home)) == []
    assert followed_lists(home) == {}
    assert pool_stamp(home) == pool_stamp(home)


def test_stamp_changes_with_a_pool(home):
    before = pool_stamp(home)
    fill(home, "cs.LG", "2105.03824")
    assert pool_stamp(home) != before


def test_suggestion_says_on_which_followed_lists_it_is(home, tmp_path):
    fill(home, "cs.LG", "2105.03824", "2009.14794", "2105.00001")
    for name in ("ada", "grace"):
        (tmp_path / f"{name}.md").write_text(README)
        follow(home, find_target(home, str(tmp_path / f"{name}.md")))
    with Index.build(pool_rows(home)) as index:
        [first, *_] = index.suggest(["arxiv:2105.03824"], lists=followed_lists(home))
    assert (first.key, first.lists) == ("arxiv:2009.14794", ("ada.md", "grace.md"))


def test_two_lists_of_one_name_are_two_lists(home, tmp_path):
    for name in ("ada", "grace"):
        (tmp_path / name / "lists").mkdir(parents=True)
        (tmp_path / name / "lists" / "a.md").write_text(README)
        follow(home, find_target(home, str(tmp_path / name / "lists")))
    assert len(followed_lists(home)) == 2


def test_pools_are_left_out_of_git_and_older_libraries_learn_it(home):
    home.state.joinpath(".gitignore").write_bytes(b"cache/\nreport/\n*.tmp\n*.partial\n")
    home.prepare()
    assert "pools/" in home.state.joinpath(".gitignore").read_text().splitlines()
    home.state.joinpath(".gitignore").write_bytes(b"mine\n")
    home.prepare()
    assert home.state.joinpath(".gitignore").read_text() == "mine\n"
