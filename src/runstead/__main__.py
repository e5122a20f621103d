"""`python -m runstead` is the command `runstead`."""

from runstead.cli import main

main()
