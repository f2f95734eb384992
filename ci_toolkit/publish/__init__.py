"""Hand out what was built: checksums, a signature, and targets that show a release whole or not at all."""
