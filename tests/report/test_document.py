"""The document keeps its contract: schema, explicit nulls, clear errors."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from advisor.report.document import SCHEMA, Report, ReportError, decode_report, encode_report
from advisor.report.schema import SCHEMA_PATH, report_schema, schema_text
from tests.render.conftest import make_report

CONTRACT = {
    "": "schema generated_at tool source host plan processes limitations skipped",
    "source": "kind duration_s samples privileged cost",
    "source.cost": "cpu_s wall_s share_of_one_cpu",
    "host": "hostname kernel arch cpu_model virtualization base_page_bytes memory_total_bytes memory_available_bytes "
    "thp khugepaged pools supply tlb",
    "host.thp": "enabled defrag shmem_enabled pmd_bytes sizes",
    "host.thp.sizes.0": "page_bytes enabled",
    "host.khugepaged": "pages_collapsed_per_s full_scans_per_s cpu_share pages_to_scan scan_sleep_ms max_ptes_none",
    "host.pools.0": "page_bytes node total free reserved surplus overcommit",
    "host.supply.0": "page_bytes node available_now basis",
    "host.tlb.0": "level page_bytes entries reach_bytes source",
    "plan": "summary thp pools memory page_table_bytes artefacts",
    "plan.pools.0": "page_bytes node pages when for_pids",
    "plan.memory": "before after",
    "plan.page_table_bytes": "before after",
    "plan.artefacts.0": "id kind title path text undo needs_reboot",
    "processes.0": "pid start_time name user cgroup application memory recommendation why_not_huge",
    "processes.0.application": "id name confidence",
    "processes.0.memory": "rss_bytes anon_bytes anon_huge_bytes shmem_huge_bytes file_huge_bytes hugetlb_bytes "
    "swap_bytes page_table_bytes thp_eligible_bytes",
    "processes.0.recommendation": "policy page_bytes pages expected_gain confidence decided_by override_reason "
    "bloat_bytes reasons alternatives artefacts",
    "processes.0.recommendation.expected_gain": "median low high level",
    "processes.0.recommendation.reasons.0": "rule status severity message evidence sources",
    "processes.0.recommendation.alternatives.0": "policy page_bytes expected_gain why_not",
    "processes.0.why_not_huge.0": "reason bytes vmas remedy",
    "limitations.0": "id message remedy",
    "skipped.0": "pid name reason",
}
"""Path into a document -> field names that others rely upon."""


@pytest.fixture
def report() -> Report:
    return make_report()


def test_the_committed_schema_is_the_one_that_the_types_give() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), "run python -m advisor.report.schema"


def test_the_schema_is_a_valid_schema_and_describes_every_type() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(definition["title"] and definition["description"] for definition in schema["$defs"].values())


def test_a_report_validates_against_the_schema(report: Report) -> None:
    jsonschema.validate(json.loads(encode_report(report)), report_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", CONTRACT)
def test_the_fields_that_others_rely_upon_are_there(report: Report, path: str) -> None:
    value = json.loads(encode_report(report))
    for step in filter(None, path.split(".")):
        value = value[int(step) if step.isdigit() else step]
    assert set(CONTRACT[path].split()) <= set(value)


def test_unknown_is_written_as_null(report: Report) -> None:
    vault = next(p for p in json.loads(encode_report(report))["processes"] if p["name"] == "vault")
    assert vault["memory"]["anon_huge_bytes"] is None
    assert vault["recommendation"]["expected_gain"] is None
    assert vault["command_line"] is None


def test_a_document_reads_back_as_it_was(report: Report) -> None:
    assert decode_report(encode_report(report)) == report


def test_encoding_is_the_same_every_time(report: Report) -> None:
    assert encode_report(report) == encode_report(make_report())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a hugepage-advisor/report/1"),
        (b"{}", "schema"),
        (b'{"schema": "hugepage-advisor/report/2"}', "report/2"),
        (b'{"schema": "hugepage-advisor/report/1"}', "generated_at"),
    ],
)
def test_what_is_no_report_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        decode_report(data)


def test_a_wrong_value_is_named_with_its_place(report: Report) -> None:
    document = json.loads(encode_report(report))
    document["processes"][0]["recommendation"]["policy"] = "guess"
    with pytest.raises(ReportError, match=r"guess.*\$\.processes\[0\]\.recommendation\.policy"):
        decode_report(json.dumps(document).encode())


def test_fields_of_later_versions_are_passed_over(report: Report) -> None:
    document = json.loads(encode_report(report)) | {"added_later": 1}
    assert decode_report(json.dumps(document).encode()) == report


def test_a_name_that_is_no_utf_8_can_be_encoded(report: Report) -> None:
    odd = msgspec.structs.replace(report.processes[0], name="caf\udce9")
    data = encode_report(msgspec.structs.replace(report, processes=[odd]))
    assert decode_report(data).processes[0].name == r"caf\xe9"
    assert decode_report(data).schema == SCHEMA
