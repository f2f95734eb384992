"""An SBOM as SPDX 2.3: the image, and the packages that it contains.

https://spdx.github.io/spdx-spec/v2.3/
"""

import json
import re
from typing import Final
from urllib.parse import quote

from ci_toolkit.records import identity
from ci_toolkit.records.identity import plain
from ci_toolkit.records.purl import purl
from ci_toolkit.records.record import Installed, Record

_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_IMAGE: Final = "SPDXRef-image"
_NOT_SAID: Final = "NOASSERTION"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9.-]+")


def render(record: Record) -> str:
    """Return the SBOM of the image of RECORD."""
    packages = [_package(record, one, index) for index, one in enumerate(record.packages or (), 1)]
    related = [(_DOCUMENT, "DESCRIBES", _IMAGE), *((_IMAGE, "CONTAINS", str(one["SPDXID"])) for one in packages)]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": plain(record.title),
        "documentNamespace": "https://spdx.org/spdxdocs/"
        f"{quote(plain(record.image.name), safe='')}-{identity.unique(record, 'spdx')}",
        "creationInfo": {
            "created": identity.created(record),
            "creators": [f"Tool: ci-toolkit-{plain(record.toolkit)}"],
        },
        "packages": [_image(record), *packages],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in related
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _image(record: Record) -> dict[str, object]:
    found = _described(_IMAGE, record.title, identity.version(record))
    main = next((one for one in record.outputs if one.name == record.main), None)
    if main is not None:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": main.sha256}]
    found["primaryPackagePurpose"] = "OPERATING-SYSTEM"
    return found


def _package(record: Record, package: Installed, index: int) -> dict[str, object]:
    name = _UNFIT.sub("-", package.name)[:100]
    found = _described(f"SPDXRef-Package-{index}-{name}", package.name, package.version)
    if package.sha256 is not None:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": package.sha256}]
    found["externalRefs"] = [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(package, record.image),
        }
    ]
    return found


def _described(identifier: str, name: str, version: str) -> dict[str, object]:
    return {
        "SPDXID": identifier,
        "name": plain(name),
        **({"versionInfo": plain(version)} if version else {}),
        "downloadLocation": _NOT_SAID,
        "filesAnalyzed": False,
        "supplier": _NOT_SAID,
        "licenseConcluded": _NOT_SAID,
        "licenseDeclared": _NOT_SAID,
        "copyrightText": _NOT_SAID,
    }
