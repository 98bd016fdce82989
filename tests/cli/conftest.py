import functools

import typer.testing


# A command of a test in this process finds all commands built: each `CliRunner.invoke` would build them again, 60 ms.
typer.testing._get_command = functools.cache(typer.main.get_command)
