import functools

import typer.testing


# Each `CliRunner.invoke` would build all commands again, which takes 60 ms; what is built keeps no state.
vars(typer.testing)["_get_command"] = functools.cache(typer.main.get_command)
