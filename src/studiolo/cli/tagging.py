"""The command about tags: which there are, and to give and take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import UsageError

from .console import Styled, counted, say, say_json
from .diff import show_diff, show_pages
from .options import AsJson, LongLibraryOption, in_turn
from .reading import PANEL, OneList, make, one_entry


if TYPE_CHECKING:
    from studiolo.lists import Entry

app = typer.Typer()


# a tag to take away begins with "-", so there are no short options here
@app.command(
    rich_help_panel=PANEL,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def tags(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY|LIST|+TAG|-TAG",
            help="Entries or lists; with +TAG and -TAG: give them tags and take tags away.",
        ),
    ] = None,
    path: OneList = None,
    merge: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--merge", metavar="OLD NEW", help="Call a tag something else, wherever it is written."
        ),
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest", help="Tags of yours that pages without any may deserve, and why."
        ),
    ] = False,
    library: LongLibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """List the tags and how many entries have each, or change those of an entry or of a whole list.

    Tags are `#words`, `words` in code at the end of an entry, links to tags/…, a column of tags, the `<!-- TAGS` comment,
    front matter, a line of labels below the title (`labels: nlp, vision`) and tag badges. Capitals, blanks, `_` and `-` do not
    tell tags apart, and `.studiolo/tags.toml` says which mean the same: `nlp = "natural-language-processing"`. A new tag is written as the list's entries show theirs; where they show none, it is kept
    in `.studiolo/reading.jsonl`. The tags of a list go into its `<!-- TAGS` comment, front matter or labels. `studiolo undo` takes it back.

    \b
    Examples:
      studiolo tags
      studiolo tags FNet
      studiolo tags FNet +fourier -todo
      studiolo tags recent-ml-research +reading-group
      studiolo tags --suggest
      studiolo tags --merge nlp natural-language-processing
    """
    add = [word[1:].lstrip("#") for word in words or () if word.startswith("+")]
    remove = [word[1:].lstrip("#") for word in words or () if word.startswith("-")]
    targets = [word for word in words or () if not word.startswith(("+", "-"))]
    for word in remove:
        if word.startswith("-"):
            raise UsageError(
                f"There is no option -{word}. To see which there are: studiolo tags --help"
            )
    if not all(" ".join(tag.split()) == tag and tag for tag in (*add, *remove)):
        raise UsageError("A tag is empty or begins with a blank. Write for example: +nlp")
    if merge:
        with in_turn(library):
            _merge(merge[0].lstrip("#"), merge[1].lstrip("#"), library)
    elif suggest:
        _suggest(targets, library, as_json=as_json)
    elif not add and not remove:
        _show(targets, path, library, as_json=as_json)
    elif not targets:
        raise UsageError("Say whose tags: studiolo tags KEY +nlp, or studiolo tags LIST +nlp")
    else:
        with in_turn(library, path):
            for target in targets:
                _change(target, add, remove, path, library)


def _is_list(word: str, library: Path | None) -> bool:
    from studiolo.library import Library, find_list

    try:
        return find_list(Library.find(library), word, whole=True).is_file()
    except UsageError:
        return False


def _change(
    target: str, add: Sequence[str], remove: Sequence[str], path: str | None, library: Path | None
) -> None:
    from studiolo.library import Library, called, find_list, tag, tag_list
    from studiolo.lists import Document

    if _is_list(target, library):
        document = Document.load(find_list(Library.find(library), target))
        assert document.path is not None
        home = Library.find(library, near=document.path)
        plan = tag_list(home, document, add, remove)
        if plan is None:
            say(f"{document.path} has these tags already.")
            return
    else:
        home, listed = one_entry(target, path, library)
        plan = tag(home, listed, add, remove)
        if plan is None:
            say(f"{called(listed.entry)} has these tags already.")
            return
    show_diff(plan)
    make(home, plan)


def _merge(old: str, new: str, library: Path | None) -> None:
    from studiolo.library import Library, carry_out, merge_tags

    home = Library.find(library)
    plan, left = merge_tags(home, old, new)
    for why in left:
        say(f"left as it is: {why}", style="yellow")
    if plan is None:
        say(f"Nothing has the tag {old!r}.")
        return
    show_pages(home, plan.pages)
    carry_out(home, plan)
    changed = [page for page in plan.pages if home.state not in page.path.parents]
    say(f"{old} is {new} now, on {counted(len(changed), 'page')}. Take it back: studiolo undo")


def _suggest(targets: Sequence[str], library: Path | None, *, as_json: bool) -> None:
    from studiolo.garden import suggest_tags
    from studiolo.library import Library, find_list

    home = Library.find(library)
    named = {home.relative(find_list(home, word)) for word in targets} or None
    advice = suggest_tags(home, named)
    if as_json:
        say_json(
            [
                {
                    "page": one.page,
                    "title": one.title,
                    "tags": [
                        {"tag": tag.tag, "because": list(tag.words), "score": round(tag.score, 3)}
                        for tag in one.tags
                    ],
                }
                for one in advice
            ]
        )
        return
    for one in advice:
        say(Styled(one.title, "bold"), f"  {one.page}")
        for tag in one.tags:
            say(f"  {tag.tag}: because of {', '.join(tag.words)}")
    some = [one for one in advice if one.tags]
    say(f"{counted(len(advice), 'page')} without tags, {len(some)} with something to suggest")
    if some:
        first = quote(some[0].page)
        say(f"Nothing was written. To take one: studiolo tags {first} +{some[0].tags[0].tag}")


def _show(targets: Sequence[str], path: str | None, library: Path | None, *, as_json: bool) -> None:
    from studiolo.library import (
        Library,
        load_kept,
        load_lists,
        load_vocabulary,
        spelling,
        tags_of,
    )
    from studiolo.lists import folded_tag

    home = Library.find(library)
    keys = [word for word in targets if not _is_list(word, library)]
    lists = [word for word in targets if word not in keys] or ([path] if path else None)
    chosen = [one_entry(word, path, library)[1] for word in keys]
    documents = [] if keys and not lists else load_lists(lists, home)
    kept, vocabulary = load_kept(home.folder), load_vocabulary(home)
    carried: dict[str, list[Entry]] = defaultdict(list)
    whole: dict[str, list[str]] = defaultdict(list)
    entries = [entry for document in documents for entry in document.entries]
    entries += [listed.entry for listed in chosen]
    of_entries = [(entry, vocabulary.all_meant(tags_of(entry, kept))) for entry in entries]
    of_lists = [(document, vocabulary.all_meant(document.tags)) for document in documents]
    spelled = spelling(tag for _, some in (*of_entries, *of_lists) for tag in some)
    for entry, some in of_entries:
        for tag in some:
            carried[spelled[folded_tag(tag)]].append(entry)
    for document, some in of_lists:
        for tag in some:
            whole[spelled[folded_tag(tag)]].append(str(document.path))
    names = sorted(
        {*carried, *whole}, key=lambda tag: (-len(carried[tag]) - len(whole[tag]), tag.casefold())
    )
    if as_json:
        rows = [
            {
                "tag": tag,
                "entries": [str(e.key or e.title) for e in carried[tag]],
                "lists": whole[tag],
            }
            for tag in names
        ]
        say_json(rows)
        return
    for tag in names:
        pages = whole[tag]
        more = f" and {len(pages) - 3} more" if len(pages) > 3 else ""
        on = f"  of {', '.join(pages[:3])}{more}" if pages else ""
        say(f"{len(carried[tag]):5}  {tag}{on}")
    say(counted(len(names), "tag"))
