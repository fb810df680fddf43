"""Sightline: semantic code search for every editor, over the Language Server Protocol."""

__version__ = "0.1.0"
