"""Runs commands, each in a fork of one process that has imported Studiolo: `python -m tests.hostile.commands < jobs`.

A job is a line of JSON, `{"cwd": …, "commands": [[…], …], "uid": 0}`; its answer is one too: a list of
`{"command": …, "code": …, "out": …, "err": …}`.
"""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from studiolo.cli import main


LIMIT_S = 30
MEMORY = 2**32


def run_all(jobs, state_home):
    """Return the answers to jobs."""
    environment = {"XDG_STATE_HOME": str(state_home), "XDG_CACHE_HOME": str(state_home)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.commands"],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=60 + LIMIT_S * len(jobs), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _answer(command, cwd, uid):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.chdir(cwd)
            os.umask(0o022)
            if uid:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_S)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            sys.argv = ["studiolo", *command]
            code = 99
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
                sys.stdout.flush()
                sys.stderr.flush()
            except BaseException:  # noqa: BLE001
                import traceback

                traceback.print_exc()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(200_000).decode(errors="replace"))
        return {"command": command, "code": code, "out": texts[0], "err": texts[1]}


def _preload(commands):
    """Run the commands once in this process, on a list of its own, so that forks need not import anything."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("list.md").write_text("# To Review\n\n* FNet https://arxiv.org/abs/2105.03824\n")
        sink = io.TextIOWrapper(io.BytesIO())
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            for command in commands:
                sys.argv = ["studiolo", *command]
                sys.stdin = io.StringIO()
                with contextlib.suppress(SystemExit):
                    main()


if __name__ == "__main__":
    jobs = [json.loads(line) for line in sys.stdin]
    _preload(jobs[0]["commands"])
    for job in jobs:
        answers = [_answer(c, job["cwd"], job.get("uid", 0)) for c in job["commands"]]
        print(json.dumps(answers), flush=True)
