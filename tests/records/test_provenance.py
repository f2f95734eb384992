import json
from dataclasses import replace

import pytest
import recorded

from ci_toolkit.records import provenance
from ci_toolkit.records.record import Record

json_format = pytest.importorskip("google.protobuf.json_format", reason="in-toto-attestation is needed (group dev)")
statement = pytest.importorskip("in_toto_attestation.v1.statement", reason="in-toto-attestation is needed (group dev)")
statement_pb2 = pytest.importorskip("in_toto_attestation.v1.statement_pb2")
resource = pytest.importorskip("in_toto_attestation.v1.resource_descriptor")
provenance_pb2 = pytest.importorskip("in_toto_attestation.predicates.provenance.v1.provenance_pb2")


@pytest.mark.parametrize(
    "record",
    [recorded.RECORD, replace(recorded.origin(commit=None, repository=None), packages=None, toolkit_image=None)],
    ids=["full", "bare"],
)
def test_in_totos_own_library_knows_every_field_of_it(record: Record) -> None:
    document = json.loads(provenance.render(record))
    read = statement.Statement.copy_from_pb(json_format.ParseDict(document, statement_pb2.Statement()))
    read.validate()
    predicate = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    definition = predicate.build_definition
    assert definition.build_type.startswith("https://")
    assert predicate.run_details.builder.id == "https://github.com/archlinux/mkosi-action#container"
    for dependency in definition.resolved_dependencies:
        resource.ResourceDescriptor.copy_from_pb(dependency).validate()
    assert len(definition.resolved_dependencies) == (0 if record.packages is None else 5)


def test_every_output_is_a_subject_with_its_digest() -> None:
    document = json.loads(provenance.render(recorded.RECORD))
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    assert document["subject"] == [
        {"name": "cloud.raw", "digest": {"sha256": "b" * 64}},
        {"name": "cloud.manifest", "digest": {"sha256": "c" * 64}},
    ]


def test_the_source_and_the_container_image_are_dependencies_by_digest() -> None:
    source, image, *_ = json.loads(provenance.render(recorded.RECORD))["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    commit = recorded.RECORD.origin.commit
    assert source == {"uri": f"git+https://forge.example/images/cloud.git@{commit}", "digest": {"gitCommit": commit}}
    assert image["uri"].startswith("docker://ghcr.io/archlinux/mkosi-action@sha256:")
    assert image["digest"] == {"sha256": "2" * 64}


def test_it_is_the_same_whenever_the_same_bits_are_built() -> None:
    later = replace(recorded.RECORD, varying=replace(recorded.RECORD.varying, started=1.0, seconds=2.0))
    assert provenance.render(later) == provenance.render(recorded.RECORD)
