"""What is left of a build for those who were not there: its record, and what is told from it."""
