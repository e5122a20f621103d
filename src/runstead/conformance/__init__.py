"""Checks any Assistants-compatible server over HTTP, from the outside.

It is one more client: nothing here knows how a server is built, and what it expects stands in tables of its own, so that
a mistake of our server cannot hide in a type that both of them use.
"""
