"""The machine under us: what it can do, and the surroundings a build is given."""
