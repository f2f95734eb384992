"""A person's own machine: no CI system at all."""

from ci_toolkit.ci.job import Job, Provider


def job() -> Job:
    """Return the job of a machine that is in no CI."""
    return Job(provider=Provider.LOCAL, may_not_write_because="no CI system runs this")
