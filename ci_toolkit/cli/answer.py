"""The command `answer` of the action: what somebody asks for in a comment on a pull request."""

import re
from collections.abc import Mapping
from typing import Final

from ci_toolkit import settings
from ci_toolkit.ci import github, remark
from ci_toolkit.ci import token as tokens
from ci_toolkit.ci.job import Job
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, UsageError

_WORKFLOW: Final = re.compile(r"[A-Za-z0-9_.-]{1,200}\.ya?ml")


def answer(job: Job, environ: Mapping[str, str], console: Console, known: dict[str, str]) -> int:
    """Do what the comment asks for that started this JOB, and add the outputs asked and commit to KNOWN.

    A comment that is no command, and an author who may not write, are no failure. Raises UsageError for a setting.
    """
    from ci_toolkit.forges import commands
    from ci_toolkit.forges.patience import Patience

    workflow = settings.value("workflow", environ)
    if workflow != commands.NOTHING and not _WORKFLOW.fullmatch(workflow):
        raise UsageError(f"workflow is {workflow!r}", hint="It is the name of a file in .github/workflows, or none.")
    known |= {"asked": "", "commit": ""}
    asked = remark.read(github.read_event(environ.get("GITHUB_EVENT_PATH")))
    if asked is None:
        console.say("nothing to do: this is no command in a new comment on a pull request")
        return ExitCode.FINE
    found = commands.obey(job, tokens.find(job.provider, environ), asked, workflow, Patience(tell=console.say))
    if found.commit is not None and asked.word is not None:
        known |= {"asked": asked.word, "commit": found.commit}
    if found.failed or found.hint:
        console.warn(found.reason, hint=found.hint)
    else:
        console.say(found.reason)
    return ExitCode.FORGE if found.failed else ExitCode.FINE
