"""Pure functions of text: chunks, words, ranking. Nothing here does I/O, and nothing here can fail."""
