"""The only code that touches the outside: Postgres, files, processes, embedding servers."""
