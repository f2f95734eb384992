"""What is built: the configuration mkosi reports, its command line, and what came out."""
