"""A chat-completions server that says what it was told to: for tests, demos of behaviour and benchmarks.

It speaks real HTTP on a real port, so that what is tested is what runs. Behaviour is keyed by the name of the
requested model, so that tests running side by side do not disturb each other.
"""
