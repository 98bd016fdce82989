"""A tag is called something else wherever it is written, and not one other byte changes."""

import pytest

from studiolo.errors import ListError, UsageError
from studiolo.lists import Document, rename_tag


A, B = "https://arxiv.org/abs/2101.00001", "https://arxiv.org/abs/2101.00002"
BADGE = "https://img.shields.io/badge/tag-{}-grey"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"* [A]({A}) #nlp #old\n", f"* [A]({A}) #language #old\n"),
        (f"* [A]({A}) #nlp #language\n", f"* [A]({A}) #language\n"),
        (f"* [A]({A}) #NLP\n* [nlp]({B}) nlp\n", f"* [A]({A}) #language\n* [nlp]({B}) nlp\n"),
        (f"* [A]({A}) - 2021 `nlp` `old`\n", f"* [A]({A}) - 2021 `language` `old`\n"),
        (f"* [A]({A}) [nlp](tags/nlp.md)\n", f"* [A]({A}) [language](tags/language.md)\n"),
        (
            f"| Paper | Tags |\n|---|---|\n| [A]({A}) | nlp, old |\n",
            f"| Paper | Tags |\n|---|---|\n| [A]({A}) | language, old |\n",
        ),
        ("# A\n\n<!-- TAGS\nnlp\nold\n-->\n", "# A\n\n<!-- TAGS\nlanguage\nold\n-->\n"),
        ("<!-- TAGS: nlp; language; old -->\n", "<!-- TAGS: language; old -->\n"),
        ("<!-- TAGS\n- nlp\n- language\n-->\n", "<!-- TAGS\n- language\n-->\n"),
        ("---\ntags: [nlp, 'old']\n---\n", "---\ntags: [language, 'old']\n---\n"),
        ("---\ntags: [language, 'nlp', old]\n---\n", "---\ntags: [language, old]\n---\n"),
        ("---\ntags: ['nlp', language, old]\n---\n", "---\ntags: [language, old]\n---\n"),
        ('---\ntags:\n  - "nlp"\n  - old\n---\n', '---\ntags:\n  - "language"\n  - old\n---\n'),
        ("---\ntags:\n  - nlp\n  - language\n---\n", "---\ntags:\n  - language\n---\n"),
        ("# A\n\nlabels: nlp, old\n", "# A\n\nlabels: language, old\n"),
        ("# A\n\nlabels: nlp, old\n\nnlp is fun\n", "# A\n\nlabels: language, old\n\nnlp is fun\n"),
        ("# A\n\ntags: #nlp #old\n", "# A\n\ntags: #language #old\n"),
        ("# A\n\nWords #nlp and `#nlp`\n", "# A\n\nWords #language and `#language`\n"),
        (f"# A\n\n![]({BADGE.format('nlp')})\n", f"# A\n\n![]({BADGE.format('language')})\n"),
        (
            f"# A\n\n[![]({BADGE.format('nlp')})](../tags/nlp.md)\n",
            f"# A\n\n[![]({BADGE.format('language')})](../tags/language.md)\n",
        ),
    ],
)
def test_tag_is_renamed_where_it_stands(before, after):
    document = Document(before.encode())
    assert rename_tag(document, "nlp", "language").data.decode() == after


@pytest.mark.parametrize("text", ["# A\n\nOnly nlp in words.\n", f"* [nlp]({A}) - nlp\n", ""])
def test_word_that_is_not_a_tag_stays(text):
    document = Document(text.encode())
    assert rename_tag(document, "nlp", "language") is document


def test_spelling_is_changed_too():
    document = Document(b"# A\n\nlabels: NLP, nlp2\n")
    assert rename_tag(document, "nlp", "nlp").data == b"# A\n\nlabels: nlp, nlp2\n"


def test_badge_shows_a_name_with_blanks_and_hyphens():
    document = Document(f"# A\n\n![]({BADGE.format('nlp')})\n".encode())
    new = rename_tag(document, "nlp", "natural-language models_2")
    assert b"tag-natural--language_models__2-grey" in new.data
    assert new.tags == ("natural-language models_2",)


@pytest.mark.parametrize(
    ("text", "new", "why"),
    [
        (f"* [A]({A}) #nlp\n", "a b", "cannot be written as a #tag"),
        ("# A\n\nlabels: nlp\n", "a, b", "holds ','"),
        ("# A\n\nWords #nlp\n", "a b", "cannot be written as a #tag"),
    ],
)
def test_tag_that_cannot_stand_there_is_refused(text, new, why):
    with pytest.raises(UsageError, match=why):
        rename_tag(Document(text.encode()), "nlp", new)


def test_place_that_cannot_be_edited_exactly_is_left_to_the_reader():
    with pytest.raises(ListError, match="writes 'nlp' where it cannot be renamed exactly"):
        rename_tag(Document(b"# A #nlp\n\n#nlp\n\n> <!-- TAGS nlp -->\n"), "nlp", "language")
