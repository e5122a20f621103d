"""One parser a format, each run only in the extraction's child process: `read` yields a file's text in parts."""
