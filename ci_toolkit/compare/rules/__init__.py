"""One module per family of causes, and the table that puts them in order."""
