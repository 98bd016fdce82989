"""Running a command in this process, as a reader types it."""

from typer.testing import CliRunner

from studiolo.cli.app import app


def run(*words, typed="", code=0):
    """Run a command and return what it printed; what Studiolo raises on purpose is raised here too."""
    done = CliRunner().invoke(app, [str(word) for word in words], input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output
