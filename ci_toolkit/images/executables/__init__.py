"""Executables that carry other files."""
