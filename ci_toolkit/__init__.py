"""Build operating-system images with mkosi without privileges, and prove that they are reproducible."""
