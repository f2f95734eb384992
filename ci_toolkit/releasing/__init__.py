"""A release from start to end: is it due, build, verify, convert, sign, publish, prune. Read run.py first."""
