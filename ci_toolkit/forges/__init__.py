"""Speak to a forge: comment, summary, outputs."""
