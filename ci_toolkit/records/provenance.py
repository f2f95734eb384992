"""An in-toto statement with SLSA provenance: which files were made, by whom, from what, with which parameters.

It says nothing of when: two who build the same bits state the same.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.1/provenance
"""

import json
from collections.abc import Iterator
from typing import Final

from ci_toolkit.records.identity import plain
from ci_toolkit.records.purl import purl
from ci_toolkit.records.record import Record

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
# What the parameters mean is told there.
BUILD_TYPE: Final = "https://github.com/archlinux/mkosi-action/blob/main/docs/rebuild.md#build-type"
_BUILDER: Final = "https://github.com/archlinux/mkosi-action"


def render(record: Record) -> str:
    """Return the statement about every file that RECORD names."""
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": plain(one.name), "digest": {"sha256": one.sha256}} for one in record.outputs],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _external(record),
                "internalParameters": _internal(record),
                "resolvedDependencies": list(_dependencies(record)),
            },
            "runDetails": {
                "builder": {
                    "id": f"{_BUILDER}#{record.runner}",
                    "version": {"ci-toolkit": plain(record.toolkit)}
                    | {plain(name): plain(version) for name, version in record.tools},
                }
            },
        },
    }
    return json.dumps(statement, indent=1) + "\n"


def _external(record: Record) -> dict[str, object]:
    """What the caller chose."""
    return {
        "repository": record.origin.repository,
        "commit": record.origin.commit,
        "directory": plain(record.origin.directory),
        "profiles": list(record.image.profiles),
        "arguments": [plain(one) for one in record.image.arguments],
    }


def _internal(record: Record) -> dict[str, object]:
    """What the toolkit decided or found."""
    image, surroundings = record.image, record.surroundings
    return {
        "definition": {"sha256": record.origin.digest, "dirty": record.origin.dirty},
        "snapshot": image.snapshot,
        "epoch": image.epoch,
        "seed": image.seed,
        "surroundings": {
            "hostname": plain(surroundings.hostname),
            "build_path": plain(surroundings.build_path),
            "locale": plain(surroundings.locale),
            "zone": plain(surroundings.zone),
            "home": plain(surroundings.home),
            "umask": f"{surroundings.umask:04o}",
        },
        "command": [plain(one) for one in record.command],
    }


def _dependencies(record: Record) -> Iterator[dict[str, object]]:
    origin = record.origin
    if origin.commit is not None:
        where = f"git+{origin.repository}@{origin.commit}" if origin.repository else f"git:{origin.commit}"
        yield {"uri": where, "digest": {"gitCommit": origin.commit}}
    if record.toolkit_image is not None:
        digests = record.toolkit_image.digests or (f"{record.toolkit_image.name}@{record.toolkit_image.id}",)
        for name in digests:
            yield {"uri": f"docker://{plain(name)}", "digest": {"sha256": name.rpartition("sha256:")[2]}}
    for package in record.packages or ():
        digest = {} if package.sha256 is None else {"digest": {"sha256": package.sha256}}
        yield {"uri": purl(package, record.image), **digest}
