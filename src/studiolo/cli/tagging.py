"""The command about tags: which there are, and to give and take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import UsageError

from .console import counted, say, say_json
from .diff import show_diff
from .options import AsJson
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
    library: Annotated[
        Path | None,
        typer.Option("--library", metavar="DIR", help="The library; default: this one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tags and how many entries have each, or change those of an entry or of a whole list.

    Tags are `#words`, `words` in code at the end of an entry, links to tags/…, a column of tags, the `<!-- TAGS` comment,
    front matter and tag badges. A new tag is written as the list's entries show theirs; where they show none, it is kept
    in `.studiolo/reading.jsonl`. The tags of a list go into its `<!-- TAGS` comment. `studiolo undo` takes it back.

    \b
    Examples:
      studiolo tags
      studiolo tags FNet
      studiolo tags FNet +fourier -todo
      studiolo tags recent-ml-research +reading-group
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
    if not add and not remove:
        _show(targets, path, library, as_json=as_json)
    elif not targets:
        raise UsageError("Say whose tags: studiolo tags KEY +nlp, or studiolo tags LIST +nlp")
    else:
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
        plan = tag_list(document, add, remove)
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


def _show(targets: Sequence[str], path: str | None, library: Path | None, *, as_json: bool) -> None:
    from studiolo.library import Library, load_kept, load_lists, tags_of

    home = Library.find(library)
    keys = [word for word in targets if not _is_list(word, library)]
    lists = [word for word in targets if word not in keys] or ([path] if path else None)
    chosen = [one_entry(word, path, library)[1] for word in keys]
    documents = [] if keys and not lists else load_lists(lists, home)
    kept = load_kept(home.folder)
    carried: dict[str, list[Entry]] = defaultdict(list)
    whole: dict[str, list[str]] = defaultdict(list)
    entries = [entry for document in documents for entry in document.entries]
    for entry in [*entries, *(listed.entry for listed in chosen)]:
        for tag in tags_of(entry, kept):
            carried[tag].append(entry)
    for document in documents:
        for tag in document.tags:
            whole[tag].append(str(document.path))
    names = sorted({*carried, *whole}, key=lambda tag: (-len(carried[tag]), tag.casefold()))
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
        of_lists = f"  of {', '.join(whole[tag])}" if whole[tag] else ""
        say(f"{len(carried[tag]):5}  {tag}{of_lists}")
    say(counted(len(names), "tag"))
