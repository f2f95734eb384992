"""An SBOM as CycloneDX 1.6: the image as what it is about, the packages as its components.

https://cyclonedx.org/docs/1.6/json/
"""

import json
from typing import Final

from ci_toolkit.records import identity
from ci_toolkit.records.identity import plain
from ci_toolkit.records.purl import purl
from ci_toolkit.records.record import Installed, Record

_IMAGE: Final = "image"


def render(record: Record) -> str:
    """Return the SBOM of the image of RECORD."""
    components = [_component(record, one, index) for index, one in enumerate(record.packages or (), 1)]
    references = [str(component["bom-ref"]) for component in components]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity.unique(record, 'cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": identity.created(record),
            "tools": {"components": [{"type": "application", "name": "ci-toolkit", "version": plain(record.toolkit)}]},
            "component": _image(record),
        },
        "components": components,
        "dependencies": [{"ref": _IMAGE, "dependsOn": references}, *({"ref": one} for one in references)],
    }
    return json.dumps(document, indent=1) + "\n"


def _image(record: Record) -> dict[str, object]:
    main = next((one for one in record.outputs if one.name == record.main), None)
    return {
        "type": "operating-system",
        "bom-ref": _IMAGE,
        "name": plain(record.title),
        "version": identity.version(record),
        **({} if main is None else {"hashes": [{"alg": "SHA-256", "content": main.sha256}]}),
    }


def _component(record: Record, package: Installed, index: int) -> dict[str, object]:
    return {
        "type": "library",
        "bom-ref": f"package-{index}",
        "name": plain(package.name),
        "version": plain(package.version),
        "purl": purl(package, record.image),
        **({} if package.sha256 is None else {"hashes": [{"alg": "SHA-256", "content": package.sha256}]}),
    }
