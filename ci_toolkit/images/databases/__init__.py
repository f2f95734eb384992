"""Databases and caches: what they hold, as lines of text."""
