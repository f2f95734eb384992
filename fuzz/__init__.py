"""Does `ci-toolkit compare` stand hostile images: real ones damaged at random, each in a process with limits."""
