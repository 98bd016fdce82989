"""Long lines of anything are read in linear time: four times as long takes at most some eight times as long."""

import time
from io import BytesIO

import pytest

from studiolo.keys import find_mention
from studiolo.sources.netscape import parse_netscape
from studiolo.sources.notes import parse_notes
from studiolo.sources.urls import parse_stream


SHAPES = {
    "blanks": " ",
    "dashes": "-",
    "digits": "10.1234/",
    "glued DOIs": "https://doi.org/10.1234/x",
    "hosts": "a.b/",
    "words": "word ",
    "ids": "2105.03824 ",
    "slashes": "/https:/",
    "angles": "<",
    "emoji": "✅ ",
    "brackets": "{{a ((",
    "wiki": "[[a]] ",
}
READERS = {
    "text": lambda text: list(parse_stream(BytesIO(f"x{text}y https://x.org\n".encode()))),
    "notes": lambda text: list(parse_notes(f"- x{text}y https://x.org ✅\n".encode(), "f")),
    "note of a bookmark": lambda text: list(
        parse_netscape(
            BytesIO(f'<DL><DT><A HREF="https://x.org">a</A><DD><b>x</b>{text}y</DL>'.encode()), "f"
        )
    ),
    "address": lambda text: find_mention(f"https://example.org/{text}?url=https://x.org"),
}


def cpu_s(read, text):
    start = time.process_time()
    read(text)
    return time.process_time() - start


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reader", READERS)
def test_long_line_takes_linear_time(reader, shape):
    read, piece = READERS[reader], SHAPES[shape]
    short, long = (piece * (size // len(piece)) for size in (10_000, 40_000))
    times = [(cpu_s(read, short), cpu_s(read, long)) for _ in range(2)]
    assert min(b for _, b in times) < 8 * min(a for a, _ in times) + 0.05
