"""File systems read from their bytes, without mounting."""
