"""Judge: pair the entries of two images, recognise causes, advise on the fix."""
