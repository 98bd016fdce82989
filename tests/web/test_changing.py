"""Changes from the page: shown as the bytes that change, made by a POST with its token, taken back; never over an edit."""

import html
import re

import pytest

from studiolo.library import Library, load_changes, load_kept


pytestmark = pytest.mark.usefixtures("no_papers")
LIST = "lists/recent-ml-research.md"


def entry_named(client, title):
    """Return what the page calls an entry."""
    page = client.get(f"/list/{LIST}").text
    for found in re.finditer(r'data-e="([^"]*)"(.*?)</li>', page, re.DOTALL):
        if title in found[2]:
            return html.unescape(found[1])
    raise AssertionError(title)


def fields_of(form):
    """Return the hidden fields of a form."""
    fields = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form):
        fields.setdefault(html.unescape(name), []).append(html.unescape(value))
    return fields


def shown(client, verb, **fields):
    answer = client.get(f"/change/{verb}", params=fields)
    assert answer.status_code == 200, answer.text
    return answer.text


def confirm(client, verb, page, **changed):
    (form,) = re.findall(r'<form class="confirm".*?</form>', page, re.DOTALL)
    return client.post(f"/change/{verb}", data={**fields_of(form), **changed})


def diff_of(page):
    return [
        html.unescape(one)
        for one in re.findall(r"<(?:ins|del)>(.*?)</(?:ins|del)>", page, re.DOTALL)
    ]


def path_of(home):
    return home.folder / LIST


def test_note_is_shown_written_and_taken_back(client, home):
    before = path_of(home).read_bytes()
    page = shown(client, "note", e=entry_named(client, "FNet"), text="compare with <Hartley>")
    assert diff_of(page) == ["+  * compare with \\<Hartley>"] or diff_of(page)[0].startswith(
        "+  * compare with"
    )
    assert path_of(home).read_bytes() == before
    answer = confirm(client, "note", page)
    assert answer.status_code == 303
    after = path_of(home).read_bytes()
    assert [
        f"+{line}"
        for line in after.decode().splitlines()
        if line not in before.decode().splitlines()
    ] == diff_of(page)[:1]
    done = client.get(answer.headers["location"], follow_redirects=True).text
    assert "Done: note on FNet" in done
    back = shown(client, "undo")
    assert "Take back: note on FNet" in back
    assert confirm(client, "undo", back).status_code == 303
    assert path_of(home).read_bytes() == before


def test_reading_state_is_shown_where_it_is_kept(client, home):
    e = entry_named(client, "NADE")
    page = shown(client, "state", e=e, to="reading")
    assert any('"state": "reading"' in line for line in diff_of(page))
    confirm(client, "state", page)
    states = {str(key): one.state for key, one in load_kept(home.folder).items()}
    assert states["arxiv:1605.02226"] == "reading"
    assert 'data-state="reading"' in client.get(f"/list/{LIST}").text


def test_tag_move_and_remove(client, home):
    page = shown(client, "tag", e=entry_named(client, "Performers"), add="kernels, #fast")
    confirm(client, "tag", page)
    assert "kernels" in client.get(f"/list/{LIST}?tag=fast").text
    page = shown(client, "tag", e=entry_named(client, "Performers"), remove="fast")
    confirm(client, "tag", page)
    assert "1 of 8" not in client.get(f"/list/{LIST}?tag=fast").text
    page = shown(client, "move", e=entry_named(client, "ExpireSpan"), section="Causal Inference")  # fmt: skip
    confirm(client, "move", page)
    text = path_of(home).read_text()
    assert text.index("## Causal Inference") < text.index("ExpireSpan")
    page = shown(client, "remove", e=entry_named(client, "ExpireSpan"))
    confirm(client, "remove", page)
    assert "ExpireSpan" not in path_of(home).read_text()
    assert len(load_changes(Library(home.folder))) == 4


def test_form_without_what_it_needs_asks_for_it(client):
    e = entry_named(client, "FNet")
    assert "<textarea" in shown(client, "note", e=e)
    assert "<select" in shown(client, "move", e=e)
    assert 'name="add"' in shown(client, "tag", e=e)
    assert 'value="reading"' in shown(client, "state", e=e)


@pytest.mark.parametrize(
    ("verb", "fields", "says"),
    [
        ("note", {"text": "x" * 20_001}, "is longer than 20,000 letters"),
        ("move", {"section": "Nowhere"}, "has no section"),
        ("state", {"to": "eaten"}, "is not a reading state"),
        ("tag", {"remove": "unknown"}, "is not a tag of"),
    ],
)
def test_change_that_cannot_be_made_says_why(client, verb, fields, says):
    answer = client.get(f"/change/{verb}", params={"e": entry_named(client, "FNet"), **fields})
    assert answer.status_code in (414, 422)
    assert says in html.unescape(answer.text) or answer.status_code == 414


def test_edit_in_an_editor_between_showing_and_confirming_is_kept(client, home):
    page = shown(client, "note", e=entry_named(client, "FNet"), text="mine")
    edited = path_of(home).read_bytes().replace(b"Google Research", b"Google Research (2021)")
    path_of(home).write_bytes(edited)
    answer = confirm(client, "note", page)
    assert answer.status_code == 409
    assert path_of(home).read_bytes() == edited


def test_edit_elsewhere_is_shown_before_the_change_is_made_to_the_new_list(client, home):
    page = shown(client, "note", e=entry_named(client, "FNet"), text="mine")
    path_of(home).write_bytes(b"New first line\n\n" + path_of(home).read_bytes())
    again = confirm(client, "note", page)
    assert again.status_code == 409
    assert "this is the change now" in again.text
    assert confirm(client, "note", again.text).status_code == 303
    text = path_of(home).read_text()
    assert text.startswith("New first line\n")
    assert "  * mine\n" in text


def test_entry_that_is_gone_is_not_mistaken_for_another(client, home):
    e = entry_named(client, "FNet")
    text = path_of(home).read_text()
    start = text.index("* FNet")
    path_of(home).write_text(text[:start] + text[text.index("* ExpireSpan") :])
    answer = client.get("/change/note", params={"e": e, "text": "x"})
    assert answer.status_code == 409
    assert "was changed or moved since" in answer.text


def test_same_form_sent_twice_writes_once(client, home):
    page = shown(client, "note", e=entry_named(client, "FNet"), text="once")
    assert confirm(client, "note", page).status_code == 303
    assert confirm(client, "note", page).status_code == 409
    assert path_of(home).read_text().count("once") == 1


@pytest.mark.parametrize("token", [None, "", "x", "é"])
def test_form_without_our_token_changes_nothing(client, home, token):
    before = path_of(home).read_bytes()
    page = shown(client, "note", e=entry_named(client, "FNet"), text="forged")
    answer = confirm(client, "note", page, token=token)
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text
    assert path_of(home).read_bytes() == before


def test_form_without_our_cookie_changes_nothing(client, home):
    before = path_of(home).read_bytes()
    page = shown(client, "note", e=entry_named(client, "FNet"), text="forged")
    client.cookies.clear()
    assert confirm(client, "note", page).status_code == 403
    assert path_of(home).read_bytes() == before


def test_reading_a_page_changes_nothing(client, home):
    """No GET writes to the lists or the history, whatever it is called with."""
    e = entry_named(client, "FNet")
    before = path_of(home).read_bytes()
    for verb in ("note", "state", "tag", "move", "remove"):
        client.get(
            f"/change/{verb}", params={"e": e, "text": "a", "to": "read", "add": "b", "seen": "x"}
        )
    assert path_of(home).read_bytes() == before
    assert not load_changes(Library(home.folder))


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "http://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "",
    ],
)
def test_nobody_is_sent_elsewhere(client, back):
    page = shown(client, "note", e=entry_named(client, "FNet"), text="x", back=back)
    answer = confirm(client, "note", page, back=back)
    assert answer.headers["location"].startswith(("/?did=", "/list/"))


def test_unknown_change_is_said(client):
    assert client.get("/change/burn").status_code == 404
    assert client.get("/change/undo").status_code == 422
    assert "There is nothing to undo" in client.get("/change/undo").text


def test_entry_with_a_key_is_shown_on_the_page_of_its_paper(client):
    answer = client.get("/entry", params={"e": entry_named(client, "FNet")})
    assert answer.headers["location"] == "/paper/arxiv:2105.03824"
    page = client.get("/paper/arxiv:2105.03824").text
    assert "Google Research" in page
    assert "talk at 21:37" in page
    assert "/change/note?e=" in page


def test_page_of_an_address_with_a_query_is_found_also_after_a_change(client, home):
    address = "https://papers.example/view?id=7&v=2"
    path_of(home).write_text(f"# L\n\n* [By address]({address})\n")
    link = html.unescape(
        re.findall(r'<p class="entry"><a href="([^"]*)"', client.get(f"/list/{LIST}").text)[0]
    )
    assert "By address" in client.get(link).text
    page = shown(client, "note", e=entry_named(client, "By address"), text="x", back=link)
    done = client.get(confirm(client, "note", page).headers["location"]).text
    assert "Done: note on By address" in done


def test_any_key_of_a_paper_leads_to_its_page(client):
    for key in ("2105.03824", "https://arxiv.org/abs/2105.03824v2"):
        assert "FNet" in client.get(f"/paper/{key}").text
    assert client.get("/paper/nonsense").status_code == 404
    unknown = client.get("/paper/arxiv:2301.00001")
    assert "Nothing in this library is about it" in unknown.text
