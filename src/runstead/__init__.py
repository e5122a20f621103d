"""Runstead: a server that keeps code written for the Assistants API running."""

__version__ = "0.1.0"
