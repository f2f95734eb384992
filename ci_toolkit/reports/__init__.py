"""Tell: a report becomes text for a terminal, a comment, a machine."""
