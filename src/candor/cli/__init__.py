"""The command line: thin, printing only here."""
