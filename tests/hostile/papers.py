"""A hundred hostile paper folders, and a good one."""

import json
import os
from pathlib import Path


HEAD = """key = "arxiv:2001.{number:05d}"
version = "v1"
title = "Paper {number}"
authors = ["A. Author"]
year = 2020
"""
CLAIM = """
[[claim]]
id = "x-is-large"
says = "A sentence."
where = "Section 1"
source = "recalled"
run = "f"
config = {}
metric = "x"
region = { at_least = 0.5 }
why = "a reason"
statistic = "exact"
timeout_s = 20
scale = { kind = "toy", paper = "large", here = "small" }
"""
FIGURE = """
[[figure]]
id = "curve"
title = "A curve"
description = "A curve."
run = "f"
config = {}
kind = "KIND"
x = { array = "x", label = "n" }
y = { array = "x", label = "y" }
z = { array = "z", label = "z" }
images = { array = "pictures" }
series = [{ array = "y", label = "measured" }]
"""
FIGURES = {
    "lines": FIGURE.replace(
        'z = { array = "z", label = "z" }\nimages = { array = "pictures" }\n', ""
    ),
    "heatmap": FIGURE.replace("series =", "# ").replace('images = { array = "pictures" }\n', ""),
    "gallery": "\n".join(
        line for line in FIGURE.splitlines() if line[:4] not in ("x = ", "y = ", "z = ", "seri")
    ),
}
FIGURES = {kind: text.replace("KIND", kind) for kind, text in FIGURES.items()}
GOOD = "    return Outcome({'x': 1.0})"
PRINTED = 3_000_000  # bytes; the findings had a hundred times as many, on the same path

SEND = """    import gc
    from multiprocessing.connection import Connection

    for one in gc.get_objects():
        if isinstance(one, Connection) and one.writable and not one.closed:
            os.write(one.fileno(), DATA)
    time.sleep(60)"""

# The body of the experiment, by what is wrong with it.
BODIES = {
    "exit-0": "    os._exit(0)",
    "exit-3": "    os._exit(3)",
    "sys-exit": "    sys.exit('no')",
    "kills-itself": "    os.kill(os.getpid(), signal.SIGKILL)",
    "kills-its-group": "    os.killpg(0, signal.SIGKILL)",
    "segfault": "    import ctypes; ctypes.string_at(0)",
    "abort": "    os.abort()",
    "interrupt": "    raise KeyboardInterrupt",
    "generator-exit": "    raise GeneratorExit",
    "memory-error": "    raise MemoryError",
    "recursion": "    return f(seed=seed)",
    "stops-itself": "    os.kill(os.getpid(), signal.SIGSTOP)",
    "never-ends": "    while True: pass",
    "ignores-signals": "    for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n    time.sleep(60)",
    "prints-and-ends": f"    os.write(1, b'a' * {PRINTED}); os._exit(1)",
    "prints-and-goes-on": f"    print('a' * {PRINTED}, flush=True)\n{GOOD}",
    "prints-escapes": "    print('\\x1b]0;owned\\x07[/x][red]'); os._exit(1)",
    "prints-bytes": "    os.write(2, bytes(range(256)) * 99); os._exit(1)",
    "closes-everything": "    os.closerange(0, 256)\n" + GOOD,
    "closes-output": "    os.close(1); os.close(2)\n" + GOOD,
    "sends-garbage": SEND.replace("DATA", "b'\\0\\0\\0\\7garbage'"),
    "sends-half-a-message": SEND.replace("DATA", "b'\\x7f\\xff\\xff\\xff'"),
    "writes-everywhere": "    for place in range(3, 64):\n        try: os.write(place, b'\\xff' * 64)\n"
    "        except OSError: pass\n" + GOOD,
    "forks": "    for n in range(30):\n        if os.fork() == 0:\n            time.sleep(60)\n            os._exit(0)\n"
    + GOOD,
    "daemon": "    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(60)\n"
    "        os._exit(0)\n" + GOOD,
    "threads": "    import threading\n    threading.Thread(target=time.sleep, args=(60,)).start()\n" + GOOD,
    "str-raises": "    class E(Exception):\n        def __str__(self): raise E\n    raise E",
    "str-exits": "    class E(Exception):\n        def __str__(self): os._exit(1)\n    raise E",
    "long-error": "    raise ValueError('a' * 5_000_000)",
    "escaped-error": "    raise ValueError('\\x1b[2J [/red] \\ud800 \\0')",
    "error-with-no-class-name": "    raise type('\\x1b[2J', (Exception,), {})('x')",
    "returns-nothing": "    return None",
    "returns-a-dict": "    return {'x': 1.0}",
    "returns-a-generator": "    yield 1",
    "value-is-text": "    return Outcome({'x': 'large'})",
    "value-is-none": "    return Outcome({'x': None})",
    "value-is-complex": "    return Outcome({'x': 1j})",
    "value-is-a-function": "    return Outcome({'x': lambda: 1})",
    "value-is-nan": "    return Outcome({'x': float('nan')})",
    "value-is-infinite": "    return Outcome({'x': -float('inf')})",
    "value-is-too-large": "    return Outcome({'x': 10**400})",
    "value-raises": "    class V:\n        def __float__(self): raise SystemExit\n    return Outcome({'x': V()})",
    "values-are-a-list": "    return Outcome([1.0])",
    "many-values": "    return Outcome({f'x{n}': n for n in range(20_000)} | {'x': 1.0})",
    "name-is-a-number": "    return Outcome({1: 1.0})",
    "name-is-empty": "    return Outcome({'': 1.0})",
    "name-is-an-escape": "    return Outcome({'\\x1b[2J': 1.0})",
    "name-is-half-a-letter": "    return Outcome({'\\ud800': 1.0})",
    "name-is-long": "    return Outcome({'x' * 1_000_000: 1.0})",
    "name-is-a-path": "    return Outcome({'../../x': 1.0}, arrays={'../../../x': [1.0]})",
    "array-raises": "    class A:\n        def __array__(self, *a, **k): raise OSError\n"
    "    return Outcome({'x': 1.0}, arrays={'x': A()})",
    "array-of-objects": "    return Outcome({'x': 1.0}, arrays={'x': [object()], 'y': [lambda: 1]})",
    "ragged-array": "    return Outcome({'x': 1.0}, arrays={'x': [[1], [1, 2]]})",
    "file-is-text": "    return Outcome({'x': 1.0}, files={'a': 'text'})",
    "file-is-a-number": "    return Outcome({'x': 1.0}, files={'a': 3})",
    "file-leads-out": "    return Outcome({'x': 1.0}, files={'../../../../outside/new': b'x'})",
    "file-has-a-long-name": "    return Outcome({'x': 1.0}, files={'a' * 10_000 + '.' + 'b' * 999: b'x'})",
    "outcome-is-fake": "    class Outcome: values = 3\n    return Outcome()",
    "outcome-lies": "    class O(Outcome):\n        @property\n        def values(self): raise KeyboardInterrupt\n"
    "    return object.__new__(O)",
    "result-is-fake": "    import studiolo.runs.worker as w\n"
    "    w._result_of = lambda *a: w.Result(status='banana', why=3, values={'x': 'y'})\n" + GOOD,
    "result-is-no-result": "    import studiolo.runs.worker as w\n    w._result_of = lambda *a: 'x'\n" + GOOD,
    "removes-its-folder": "    import shutil\n    shutil.rmtree(Path(__file__).parent / '__pycache__', True)\n"
    "    os.chdir('/')\n" + GOOD,
    "needs-odd-data": "    raise NeedsData('\\x1b[2J [/x]')",
    "signature": None,
}  # fmt: skip
HEADER = (
    "import os, signal, sys, time\nfrom pathlib import Path\n\nfrom studiolo.errors import NeedsData\n"
    "from studiolo.runs import Outcome\n\n\ndef f(*, seed):\n"
)
SHAPES = {
    "lengths": "{'x': [1.0, 2.0], 'y': [1.0]}",
    "empty": "{'x': [], 'y': []}",
    "numbers": "{'x': 1.0, 'y': 1.0, 'z': 1.0, 'pictures': 1.0}",
    "tables": "{'x': [[1.0]], 'y': [[1.0]], 'z': [1.0], 'pictures': [[1.0]]}",
    "texts": "{'x': ['a', 'b'], 'y': ['a', 'b'], 'z': [['a']], 'pictures': [[['a']]]}",
    "nan": "{'x': [float('nan')] * 2, 'y': [1.0] * 2, 'z': [[float('nan')] * 2] * 2}",
    "huge": "{'x': [1e308, -1e308], 'y': [1e308, -1e308], 'z': [[1e308, -1e308]] * 2}",
    "missing": "{'other': [1.0]}",
}
CODES = {
    "syntax": b"def f(:\n",
    "nul": b"x = 1\0\n",
    "latin-1": b"x = 'caf\xe9'\n",
    "deep": b"x = " + b"-" * 20_000 + b"1\n",
    "deep-lists": b"x = " + b"[" * 3_000 + b"]" * 3_000 + b"\n",
    "empty": b"",
    "import-kills": b"import os\nos._exit(1)\n",
    "import-missing-function": b"def g(*, seed):\n    return None\n",
    "import-of-itself": b"from .experiments import f\n",
    "huge": b"x = [\n" + b"    1,\n" * 60_000 + b"]\n",
    "bom-and-coding": b"# -*- coding: banana -*-\nx = 1\n",
}
TOMLS = {
    "syntax": HEAD + "[[claim\n",
    "nul": HEAD + '\0\nx = "\0"\n',
    "latin-1": (HEAD + "# ").encode() + b"\xe9\n",
    "nothing": "",
    "deep-config": HEAD + CLAIM.replace("config = {}", f"config = {{ a = {'[' * 400}{']' * 400} }}"),
    "deeper": HEAD + f"a = {'[' * 100_000}",
    "date-in-config": HEAD + CLAIM.replace("config = {}", "config = { a = 2020-01-01 }"),
    "nan-in-config": HEAD + CLAIM.replace("config = {}", "config = { a = nan, b = inf }"),
    "huge-config": HEAD + CLAIM.replace("config = {}", f'config = {{ a = "{"b" * 3_000_000}" }}'),
    "config-is-a-list": HEAD + CLAIM.replace("config = {}", "config = [1]"),
    "seeds": HEAD + CLAIM + "seeds = 1000000000\n",
    "timeout": HEAD + CLAIM.replace("timeout_s = 20", "timeout_s = 1e300"),
    "region": HEAD + CLAIM.replace("0.5", "9" * 400),
    "run-nul": HEAD + CLAIM.replace('run = "f"', 'run = "f\\u0000"'),
    "run-is-markup": HEAD + CLAIM.replace('run = "f"', 'run = "[/x]"'),
    "run-is-private": HEAD + CLAIM.replace('run = "f"', 'run = "__import__"'),
    "escapes": (HEAD + CLAIM).replace("A sentence.", "\\u001b[2J [/red] a").replace("a reason", "\\u009b1m"),
    "title-is-code": HEAD.replace("Paper {number}", "<script>alert(1)</script> [/x] \\u001b[2J") + CLAIM,
    "metric-is-odd": HEAD + CLAIM.replace('metric = "x"', 'metric = "\\u001b[2J"'),
    "like-itself": HEAD + CLAIM + 'like = "x-is-large"\n',
    "like-chain": HEAD
    + CLAIM
    + "".join(
        f'\n[[claim]]\nid = "c{n}"\nlike = "{f"c{n - 1}" if n else "x-is-large"}"\n' for n in range(300)
    ),
    "needs-odd": HEAD + CLAIM + 'needs = ["world:99999999999999999999"]\n',
    "types": HEAD + CLAIM.replace("timeout_s = 20", 'seeds = "5"').replace("0.5", '"a"'),
    "claims-are-a-table": HEAD + "[claim]\nid = 3\n",
}  # fmt: skip
RECORD = {
    "v": 1, "paper": "p", "run": "f", "config": {}, "series": 0, "index": 0, "seed": 1, "status": "ok",
    "values": {"x": 1.0}, "arrays": None, "fingerprint": "0" * 16, "machine": "m", "environment": "e",
    "started": "2026-01-01T00:00:00Z", "wall_s": 1.0, "cpu_s": 1.0, "load": 0.1, "peak_mem_bytes": 1,
}  # fmt: skip
OTHER: tuple[object, ...] = (
    1,
    "text",
    None,
    [],
    {},
    {"a": []},
    "../../../outside/new",
    -1,
    "\ud800\x1b[2J",
    10**400,
)


def damaged_records():
    """Lines of records that are not records, or lead astray."""
    lines = [
        "1",
        "null",
        "[]",
        "{}",
        '"x"',
        "[" * 900 + "]" * 900,
        "a" * 1_000_000,
        '{"v": 9}',
        "<<<<<<< HEAD",
    ]
    for name in (*RECORD, "why", "files", "rules", "dirty", "commit"):
        lines += [json.dumps(RECORD | {name: value}) for value in OTHER]
    lines += [json.dumps(RECORD).replace("1.0", text) for text in ("NaN", "Infinity", "1e999")]
    return lines


def _paper(folder, number, toml=None, code=None):
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Hostile."""\n')
    text = HEAD + CLAIM if toml is None else toml
    if isinstance(text, str):
        text = text.encode()
    (folder / "paper.toml").write_bytes(
        text.replace(b"{number:05d}", b"%05d" % number).replace(b"{number}", b"%d" % number)
    )
    (folder / "experiments.py").write_bytes(
        code if code is not None else f"{HEADER}{GOOD}\n".encode()
    )
    (folder / "README.md").write_text("# P\n\n## What this does not show\n\nMuch.\n")
    return folder


def _by_body(body, seconds):
    def make(folder, number):
        code = HEADER + body + "\n" if body else HEADER.replace("*, seed", "") + GOOD + "\n"
        toml = (HEAD + CLAIM).replace("timeout_s = 20", f"timeout_s = {seconds}")
        _paper(folder, number, toml, code.encode())

    return make


def _by_shape(kind, arrays):
    def make(folder, number):
        code = HEADER + f"    return Outcome({{'x': 1.0}}, arrays={arrays})\n"
        _paper(folder, number, HEAD + CLAIM + FIGURES[kind], code.encode())

    return make


def _by_place(change):
    def make(folder, number):
        change(_paper(folder, number), folder.parents[2] / "outside")

    return make


def _instead(name, make):
    def change(folder, outside):
        path = folder / name
        if path.is_file():
            path.unlink()
        make(path, outside)

    return change


def _records(folder, outside):
    (folder / "results").mkdir()
    (folder / "results" / "m.jsonl").write_text("\n".join(damaged_records()) + "\n")
    (folder / "results" / "ledger.jsonl").write_text("\n".join(damaged_records()) + "\n")


def _results_out(folder, outside):
    (folder / "results").symlink_to(outside)


def _records_are_a_folder(folder, outside):
    (folder / "results" / "m.jsonl").mkdir(parents=True)


def _readme(text):
    return lambda folder, outside: (folder / "README.md").write_bytes(text)


def _closed(folder, outside):
    folder.chmod(0)


PLACES = {
    "records": _records,
    "results-lead-out": _results_out,
    "records-are-a-folder": _records_are_a_folder,
    "no-init": lambda folder, outside: (folder / "__init__.py").unlink(),
    "no-experiments": lambda folder, outside: (folder / "experiments.py").unlink(),
    "no-toml": lambda folder, outside: (folder / "paper.toml").unlink(),
    "init-raises": lambda folder, outside: (folder / "__init__.py").write_text("1 / 0\n"),
    "readme-latin-1": _readme(b"# X\n\n## What this does not show\n\nCaf\xe9.\n"),
    "readme-nul": _readme(b"\0" * 100_000),
    "readme-deep": _readme(b"> " * 5_000 + b"x\n"),
    "readme-long": _readme(b"[" * 50_000 + b"\n"),
    "closed": _closed,
} | {
    f"{name.split('.')[0]}-is-{what}": _instead(name, make)
    for name in ("paper.toml", "experiments.py", "README.md", "reference.py", "results")
    for what, make in {
        "a-folder": lambda path, outside: path.mkdir(),
        "a-loop": lambda path, outside: path.symlink_to(path.name),
        "a-pipe": lambda path, outside: os.mkfifo(path),
        "endless": lambda path, outside: path.symlink_to("/dev/zero"),
    }.items()
}  # fmt: skip
SLOW_BODIES = {
    "stops-itself",
    "never-ends",
    "ignores-signals",
    "sends-garbage",
    "sends-half-a-message",
}

FOLDERS = {
    **{f"body-{n}": _by_body(body, 0.5 if n in SLOW_BODIES else 20) for n, body in BODIES.items()},
    **{f"array-{n}-{k}": _by_shape(k, a) for k in FIGURES for n, a in SHAPES.items()},
    **{f"code-{n}": lambda f, i, c=c: _paper(f, i, code=c) for n, c in CODES.items()},
    **{f"toml-{n}": lambda f, i, t=t: _paper(f, i, t) for n, t in TOMLS.items()},
    **{f"place-{n}": _by_place(change) for n, change in PLACES.items()},
}


def make_library(folder: Path, names):
    """Make a library whose list names the folders and, last, a good one; return the list."""
    library = folder / "library"
    (library / ".studiolo").mkdir(parents=True)
    outside = folder / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    lines = ["# Hostile", ""]
    for number, name in enumerate([*names, "good"], 1):
        place = library / "papers" / name.replace("-", "_")
        (FOLDERS.get(name) or _paper)(place, number)
        lines.append(f"* [{name}](https://arxiv.org/abs/2001.{number:05d})")
    path = library / "list.md"
    path.write_text("\n".join([*lines, ""]))
    return path
