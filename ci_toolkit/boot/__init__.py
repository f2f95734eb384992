"""Start an image in QEMU, ask it what became of its start, and run checks in it."""
