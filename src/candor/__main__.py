"""`python -m candor` is the `candor` command."""

from candor.cli.main import main

main()
