"""Everything that Studiolo raises on purpose.

```
StudioloError             a sentence with the value in it and the next step; exit code 1
├── UsageError          what was asked for does not exist or cannot be meant; exit code 2
├── FileError           a file cannot be read or written
│   └── NewerFormat     a record was written by a later Studiolo
├── ListError           a Markdown list cannot be read or edited
│   └── StaleEdit       the bytes to be replaced are not there any more
├── SourceError         an export or a page to collect from cannot be read
├── NetworkError        a service did not answer, or said no
├── PaperError          a paper folder is wrong: file, table, field, what was found, what is allowed
└── RunError            a run cannot go on
    └── NeedsData       an experiment lacks a data set: its claims become "not testable here"
```
"""

from __future__ import annotations


class StudioloError(Exception):
    """Base of all: `str(error)` is a sentence for the reader; `exit_code` is the command's."""

    exit_code = 1


class UsageError(StudioloError):
    """What was asked for does not exist or cannot be meant."""

    exit_code = 2


class FileError(StudioloError):
    """A file cannot be read or written; says why, and what became of its content."""


class NewerFormat(FileError):
    """A record was written by a later Studiolo."""


class ListError(StudioloError):
    """A Markdown list cannot be read or edited."""


class StaleEdit(ListError):
    """The bytes to be replaced are not there any more: somebody edited the file since it was read."""


class SourceError(StudioloError):
    """An export or a page to collect from cannot be read."""


class NetworkError(StudioloError):
    """A service did not answer, or said no."""


class PaperError(StudioloError):
    """A paper folder is wrong: names file, table, field, what was found and what is allowed."""


class RunError(StudioloError):
    """A run cannot go on."""


class NeedsData(RunError):
    """An experiment lacks the data set `name`; its claims are not testable here."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The data set {name!r} is not here. Point STUDIOLO_DATA at a folder that holds it, "
            f"or try: studiolo fetch-data {name}"
        )
        self.name = name
