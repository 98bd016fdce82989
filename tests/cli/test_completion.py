"""Completion by the Tab key, as docs/install.md tells readers to set it up."""

import os
import subprocess
import sys

import pytest


def ask(shell, instruction, **variables):
    code = "from studiolo.cli import main; import sys; sys.argv[0] = 'studiolo'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False,
        env=os.environ | {"_STUDIOLO_COMPLETE": f"{instruction}_{shell}", **variables},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "typed"),
    [
        ("bash", {"COMP_WORDS": "studiolo sugg", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "studiolo sugg"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "studiolo sugg", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)  # fmt: skip
def test_command_half_typed_is_completed(shell, typed):
    assert "suggest" in ask(shell, "complete", **typed)


def test_bash_takes_the_script_and_completes_an_option():
    script = ask("bash", "source")
    line = (
        f'{script}\nCOMP_WORDS=(studiolo run --bud); COMP_CWORD=2; COMP_LINE="studiolo run --bud"\n'
    )
    done = subprocess.run(
        ["bash", "-c", f"{line}complete -p studiolo"], capture_output=True, text=True, check=True
    )
    assert "studiolo" in done.stdout
    words = ask("bash", "complete", COMP_WORDS="studiolo run --bud", COMP_CWORD="2")
    assert words.split() == ["--budget"]
