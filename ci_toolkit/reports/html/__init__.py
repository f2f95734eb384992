"""One HTML page that needs nothing else: no file beside it, no request to anywhere."""
