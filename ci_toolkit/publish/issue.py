"""One issue while releases fail: opened, kept up to date, and closed when a release works again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import PAGE_SIZE
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.reports.escape import code, fenced

TITLE: Final = "The release fails"
MARK: Final = "<!-- ci-toolkit release failed -->"
_LIMIT_PAGES: Final = 10

_Json = dict[str, Any]
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """How a forge speaks of issues: the state of open ones, the field of the text and number, and how one is closed."""

    open: str
    text: str
    number: str
    method: str
    closing: Mapping[str, str]


_GITHUB: Final = _Dialect(open="open", text="body", number="number", method="PATCH", closing={"state": "closed"})
_GITLAB: Final = _Dialect(
    open="opened", text="description", number="iid", method="PUT", closing={"state_event": "close"}
)


class Issue:
    """The issue of a repository. Raises ForgeError where the forge does not permit it."""

    def __init__(self, url: str, wire: Wire, dialect: _Dialect, patience: Patience) -> None:
        self._url, self._wire, self._dialect, self._patience = url, wire, dialect, patience

    def failed(self, what: str, job: Job) -> str:
        """Say WHAT failed in the open issue, or in a new one, and return where it is."""
        text = f"{MARK}\n{fenced(what)}\n\n{_origin(job)}The next release that works closes this issue.\n"

        def attempt() -> str:
            found = self._found()
            content = {"title": TITLE, self._dialect.text: text}
            if found is None:
                done = self._wire.ask("POST", self._url, content=content).json()
            else:
                address = f"{self._url}/{found[self._dialect.number]}"
                done = self._wire.ask(self._dialect.method, address, content=content).json()
            return str(done.get("html_url") or done.get("web_url"))

        return self._try(attempt)

    def works(self) -> bool:
        """Close the issue, and tell whether there was one."""

        def attempt() -> bool:
            found = self._found()
            if found is None:
                return False
            address = f"{self._url}/{found[self._dialect.number]}"
            self._wire.ask(self._dialect.method, address, content=dict(self._dialect.closing))
            return True

        return self._try(attempt)

    def _found(self) -> _Json | None:
        """Return the oldest open issue of ours."""
        ours: list[_Json] = []
        for page in range(1, _LIMIT_PAGES + 1):
            query: dict[str, str | int] = {"state": self._dialect.open, "per_page": PAGE_SIZE, "page": page}
            items = self._wire.ask("GET", self._url, query=query).json()
            ours += [one for one in items if one["title"] == TITLE and (one[self._dialect.text] or "").startswith(MARK)]
            if len(items) < PAGE_SIZE:
                break
        return min(ours, key=lambda one: int(one[self._dialect.number]), default=None)

    def _try(self, work: Callable[[], _Answer]) -> _Answer:
        def attempt() -> _Answer:
            with shaped("the forge's API"):
                return work()

        return self._patience.through(attempt)


def of(job: Job, token: str | None, patience: Patience) -> Issue:
    """Return the issue of the repository of JOB. Raises ForgeError where there is no forge, or no TOKEN for it."""
    if job.api_url is None or job.repository is None or not token:
        raise ForgeError("there is no issue without a forge and a token for it", hint="On GitLab: GITLAB_TOKEN.")
    match job.provider:
        case Provider.GITHUB:
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
            url = f"{job.api_url}/repos/{job.repository}/issues"
            return Issue(url, Wire(homes=(job.api_url,), headers=headers, patience=patience), _GITHUB, patience)
        case Provider.GITLAB:
            url = f"{job.api_url}/projects/{quote(job.repository, safe='')}/issues"
            wire = Wire(homes=(job.api_url,), headers={"PRIVATE-TOKEN": token}, patience=patience)
            return Issue(url, wire, _GITLAB, patience)
        case _:
            raise ForgeError(f"no issue is written on {job.provider.value}")


def _origin(job: Job) -> str:
    commit = f"of commit {code(job.commit[:12])} " if job.commit else ""
    return f"[The job]({job.run_url}) {commit}says more. " if job.run_url else ""
