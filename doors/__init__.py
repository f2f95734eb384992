"""Where the tables of settings.py are told: written anew by `python -m doors`, so that nobody has to copy a row."""
