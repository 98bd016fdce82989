"""Spoils good exports and reads them: `python -m tests.sources.fuzz 60 [NAME...]` for sixty seconds each."""

import json
import random
import sys
import time

from studiolo.sources import SavedFolder, SavedItem, Skipped

from .samples import ALLOWED, SAMPLES


PIECES = [
    b"<",
    b">",
    b'"',
    b"'",
    b"&#x110000;",
    b"\0",
    b"\xff\xfe",
    b"{",
    b"[",
    b"]}",
    b"\\u0000",
    b"\n",
    b"\\",
    b"|",
    b"99999999999999999999",
    b"-1",
    b"null",
    b"<!--",
    b"<DL>",
    b"</DL>",
    b"<A HREF=",
    b"\xed\xa0\x80",
    b"1e999",
    b"c__builtin__\neval\n",
    b"R",
    b"%00",
    b"://",
]


def spoil(data, rng):
    """Return data with a few bytes changed, cut, doubled, or replaced by something nasty."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8, 30))):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(6)
        if what == 0 and data:
            data[min(at, len(data) - 1)] = rng.randrange(256)
        elif what == 1:
            del data[at : at + rng.randrange(1, 20)]
        elif what == 2:
            data[at:at] = rng.choice(PIECES)
        elif what == 3:
            data[at:at] = data[at : at + rng.randrange(1, 60)]
        elif what == 4:
            data[at : at + rng.randrange(8)] = rng.choice(PIECES)
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data)


def assert_reads_or_refuses(read, data):
    """Read data and return whether it was read: what comes out can be kept, or the refusal is a sentence."""
    try:
        things = read(data)
    except ALLOWED as refusal:
        things, sentence = [], str(refusal).strip()
    else:
        sentence = None
    if sentence is not None:
        assert sentence
        return False
    for thing in things if isinstance(things, list) else ():
        if isinstance(thing, SavedItem):
            record = json.loads(json.dumps(thing.to_record()).encode("utf-8", "replace"))
            assert SavedItem.from_record(record).identity == thing.identity
            assert isinstance(thing.content, str)
        elif isinstance(thing, SavedFolder):
            json.dumps(thing.to_record())
        elif isinstance(thing, Skipped):
            assert str(thing)
    return True


def main(seconds, *names):
    for name in names or SAMPLES:
        good, read = SAMPLES[name]
        rng = random.Random(name)
        end = time.monotonic() + seconds
        tried = refused = 0
        slowest = 0.0
        while time.monotonic() < end:
            data = spoil(good, rng)
            before = time.process_time()
            try:
                refused += not assert_reads_or_refuses(read, data)
            except Exception:
                print(f"{name}: failed on {data[:200]!r}")
                raise
            slowest = max(slowest, time.process_time() - before)
            tried += 1
        print(f"| {name} | {tried:,} | {refused:,} | {slowest * 1000:.0f} ms |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, *sys.argv[2:])
