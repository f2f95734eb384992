"""How fast is it, against whom: whole processes, in turn, on one machine, as ratios."""
