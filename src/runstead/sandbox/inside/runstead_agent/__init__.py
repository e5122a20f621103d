"""Runs inside the sandbox: takes code from its channel, executes it, and tells what came of it.

Standard library only, for Python 3.8 and newer. It shares its process with the code it runs, so it guards nothing: it keeps
order for code that is friendly, and the server believes nothing it says.
"""
