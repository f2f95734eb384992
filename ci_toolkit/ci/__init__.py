"""Where are we: which CI system runs this job, for which change, and may it write."""
