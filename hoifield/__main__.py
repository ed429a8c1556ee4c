"""`python -m hoifield` is the command `hoifield`."""

from hoifield.cli.main import main

main()
