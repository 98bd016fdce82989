"""`python -m studiolo`."""

from studiolo.cli import main


main()
