"""Set a machine up: from a bare Debian with Python to a virtual environment and the toolkit's image."""
