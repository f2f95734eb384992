"""The token by which a job shows Sigstore who it is: GitLab puts one into the environment, GitHub hands them out.

https://docs.github.com/en/actions/reference/security/oidc and https://docs.gitlab.com/ci/secrets/id_token_authentication/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_toolkit.ci.detect import detect
from ci_toolkit.ci.job import Provider
from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish.wire import Wire, shaped
from ci_toolkit.records import keyless

TOKEN_VARIABLE: Final = "SIGSTORE_ID_TOKEN"
ADDRESS_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
BEARER_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_GITHUB: Final = "Give the job `permissions: id-token: write`; a fork's pull request never gets it."
_HINTS: Final[Mapping[Provider, str]] = {
    Provider.GITHUB: _GITHUB,
    Provider.GITLAB: "Give the job `id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}`.",
}
_HINT: Final = (
    f"Let a job of GitHub (`permissions: id-token: write`) or GitLab (`id_tokens:`) do it, put a token for the "
    f"audience sigstore into {TOKEN_VARIABLE}, or sign with a key."
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credential:
    """A token, or where one is handed out, and what is shown there; none of it is ever shown."""

    given: str = ""
    address: str = ""
    bearer: str = ""

    def token(self, patience: Patience) -> str:
        """Return the token: a new one, where they are handed out. Raises ForgeError."""
        if self.given:
            return self.given
        wire = Wire(homes=(self.address,), headers={"Authorization": f"Bearer {self.bearer}"}, patience=patience)
        try:
            with shaped("what hands out tokens"):
                found = wire.ask("GET", self.address, query={"audience": keyless.AUDIENCE}).json()["value"]
        except ForgeError as error:
            raise ForgeError(f"no token tells Sigstore who this job is: {error.message}", hint=_GITHUB) from error
        if not isinstance(found, str):
            raise ForgeError("what hands out tokens gave none", hint=_GITHUB)
        return found


def find(environ: Mapping[str, str]) -> Credential:
    """Return what ENVIRON has; nobody is asked yet. Raises UsageError where there is nothing."""
    given = environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        return Credential(given=given)
    address, bearer = environ.get(ADDRESS_VARIABLE, ""), environ.get(BEARER_VARIABLE, "")
    if address and bearer:
        return Credential(address=address, bearer=bearer)
    hint = _HINTS.get(detect(environ).provider, _HINT)
    raise UsageError("there is no token that tells Sigstore who signs", hint=hint)
