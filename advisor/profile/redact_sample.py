"""A sample without secrets: command lines, and every name that a process or its owner has chosen."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from advisor.profile.model import HostFacts, HostState, Mapping, ProcessFacts, ProcessRecord, Profile, Sample, Skipped
from advisor.profile.redact import redact_command_line, redact_name


def redacted_profile(profile: Profile) -> Profile:
    """All its samples, and the paths in its header."""
    header = replace(profile.header, host=redacted_host(profile.header.host), redacted=True)
    return replace(profile, header=header, samples=[redacted_sample(sample) for sample in profile.samples])


def redacted_host(facts: HostFacts) -> HostFacts:
    """Of a host's configuration only settings of huge pages are kept; what is left are paths of mounts."""
    configuration = facts.configuration
    if configuration is None or configuration.mounts is None:
        return facts
    mounts = [replace(mount, path=redact_name(mount.path)) for mount in configuration.mounts]
    return replace(facts, configuration=replace(configuration, mounts=mounts))


def redacted_sample(sample: Sample) -> Sample:
    """The sample with secrets taken out of command lines, names, paths and cgroups."""
    return replace(
        sample,
        host=_host(sample.host),
        processes=[_record(record) for record in sample.processes],
        skipped=[_skipped(one) for one in sample.skipped],
    )


def _record(record: ProcessRecord) -> ProcessRecord:
    facts, maps = record.facts, record.maps
    if facts is not None:
        facts = _facts(facts)
    if maps is not None:
        maps = _maps(maps)
    return record if facts is record.facts and maps is record.maps else replace(record, facts=facts, maps=maps)


def _facts(facts: ProcessFacts) -> ProcessFacts:
    program = facts.program
    if program is not None and program.executable is not None:
        elf = program.executable
        program = replace(program, executable=replace(elf, path=redact_name(elf.path)))
    return replace(
        facts,
        name=redact_name(facts.name),
        executable=None if facts.executable is None else redact_name(facts.executable),
        command_line=None if facts.command_line is None else redact_command_line(facts.command_line),
        cgroup=None if facts.cgroup is None else [replace(one, path=redact_name(one.path)) for one in facts.cgroup],
        libraries=None if facts.libraries is None else [redact_name(name) for name in facts.libraries],
        program=program,
    )


def _maps(maps: list[Mapping]) -> list[Mapping]:
    """The same list where no name changes, as nearly always."""
    names = [redact_name(mapping.name) for mapping in maps]
    if all(name == mapping.name for name, mapping in zip(names, maps, strict=True)):
        return maps
    return [replace(mapping, name=name) for name, mapping in zip(names, maps, strict=True)]


def _skipped(one: Skipped) -> Skipped:
    return replace(
        one,
        name=None if one.name is None else redact_name(one.name),
        detail=None if one.detail is None else redact_name(one.detail),
    )


def _host(host: HostState) -> HostState:
    if not host.cgroup_hugetlb and not host.cgroup_memory:
        return host
    memory: Sequence[object] | None = host.cgroup_memory
    if host.cgroup_memory is not None:
        memory = [replace(one, path=redact_name(one.path)) for one in host.cgroup_memory]
    return replace(
        host,
        cgroup_hugetlb=[replace(one, path=redact_name(one.path)) for one in host.cgroup_hugetlb],
        cgroup_memory=memory,
    )
