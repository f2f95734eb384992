"""One disk image, in every shape in which people download it."""
