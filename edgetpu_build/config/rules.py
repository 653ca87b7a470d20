"""The rules that hold between keys and tables: names, what excludes what, groups. One function each.

They see only what the reader could make sense of: a value that did not fit is not there, and was told already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edgetpu_build.config.findings import ROOT, Findings, listed, named, nearest
from edgetpu_build.config.keys import NAME

if TYPE_CHECKING:
    from edgetpu_build.config.lines import KeyPath

Tables = Mapping[str, dict[str, Any]]
_MODELS: KeyPath = (*ROOT, "models")
_GROUPS: KeyPath = (*ROOT, "groups")


def check(
    models: Tables, groups: Tables, findings: Findings, *, is_file: Callable[[str], bool], default_runtime: int
) -> None:
    """Every rule, on every table."""
    _names(models, groups, findings)
    for name, model in models.items():
        path = (*_MODELS, name)
        _segments(model, path, findings)
        _placeholders(model, path, findings, is_glob=is_glob(model.get("source", ""), is_file))
        _source_inside(model, path, findings)
    for name, group in groups.items():
        _members_known(group, (*_GROUPS, name), models, findings)
        _members_agree(group, (*_GROUPS, name), models, findings, default_runtime)
        _calls(group, (*_GROUPS, name), findings)
    _one_group_each(groups, findings)
    _members_whole(models, groups, findings)


def is_glob(source: str, is_file: Callable[[str], bool]) -> bool:
    """A source that names an existing file is that file; only otherwise are `* ? [` a glob."""
    return ("*" in source or "?" in source or "[" in source) and not is_file(source)


def is_segmented(model: Mapping[str, Any]) -> bool:
    return model.get("segments", 1) != 1 or bool(model.get("cuts"))


def _names(models: Tables, groups: Tables, findings: Findings) -> None:
    seen: dict[str, KeyPath] = {}
    for path in [(*_MODELS, name) for name in models] + [(*_GROUPS, name) for name in groups]:
        name = str(path[-1])
        if not re.fullmatch(NAME, name):
            allowed = "letters, digits, `-`, `_` and `.`"
            findings.error("ETB208", path, f"name {named(path)}, allowed: {allowed}", f"call it `{_slug(name)}`")
        other = seen.setdefault(name.lower(), path)
        if other != path:
            why = "models and groups share their names" if other[-1] == name else "they differ in case alone"
            findings.error("ETB208", path, f"{named(path)} clashes with {named(other)}: {why}", "rename one of them")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "model"


def _segments(model: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    def exclude(one: str, other: str, hint: str) -> None:
        keys = f"{named((*path, one))} and `{other}` exclude each other"
        findings.error("ETB207", (*path, one), keys, hint)

    given = model.get("lines", {})
    if "balance" in given and "cuts" in given:
        exclude("cuts", "balance", "keep `cuts` to say where, or `balance` to have it found")
    elif "balance" in given and not is_segmented(model) and ("segments" not in given or "segments" in model):
        message = f"{named((*path, 'balance'))} needs `segments`, of two or more"
        findings.error("ETB207", (*path, "balance"), message, "add `segments = 2`, or remove `balance`")
    if is_segmented(model) and model.get("intermediate_tensors"):
        other = "segments" if model.get("segments", 1) != 1 else "cuts"
        exclude("intermediate-tensors", other, f"remove one of them; `{other}` already makes the pieces' outputs")
    if is_segmented(model) and model.get("restore_metadata"):
        exclude("restore-metadata", "segments" if "cuts" not in given else "cuts", "metadata speak of the whole model")
    if is_segmented(model) and model.get("reweight", "off") != "off":
        exclude("reweight", "segments" if "cuts" not in given else "cuts", "only whole models are reweighted")
    if model.get("segments") == 1 and model.get("cuts"):
        exclude("cuts", "segments = 1", "remove `segments`")


def _placeholders(model: Mapping[str, Any], path: KeyPath, findings: Findings, *, is_glob: bool) -> None:
    output = model.get("output")
    if output is None:
        return
    path = (*path, "output")
    if is_segmented(model) and "{index}" not in output:
        message = f'{named(path)} is `"{output}"`, allowed with segments: a path with `{{index}}` in it'
        findings.error("ETB205", path, message, "each segment is a file of its own")
    if is_glob and "{stem}" not in output:
        message = f'{named(path)} is `"{output}"`, allowed with a glob as `source`: a path with `{{stem}}` in it'
        findings.error("ETB205", path, message, "each match is a file of its own")
    if not is_segmented(model) and ("{index}" in output or "{count}" in output):
        message = f"{named(path)} has `{{index}}` or `{{count}}`, but the model is not segmented"
        findings.error("ETB205", path, message, "add `segments`, or remove the placeholder")


def _source_inside(model: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    source = model.get("source", "")
    if source.startswith("/") or ".." in source.split("/"):
        path = (*path, "source")
        hint = "it cannot travel in an sdist; move it into the project"
        findings.warn("ETB210", path, f'{named(path)} is `"{source}"`, which leaves the project', hint)


def _base(name: str) -> str:
    """`KEY` of `KEY[stem]`, one match of a glob."""
    return name.partition("[")[0] if name.endswith("]") else name


def _members(group: Mapping[str, Any]) -> list[tuple[int, str]]:
    return list(enumerate(group.get("models", ())))


def _members_known(group: Mapping[str, Any], path: KeyPath, models: Tables, findings: Findings) -> None:
    for index, name in _members(group):
        if _base(name) not in models:
            known = f"known: {listed(models)}" if models else "there are none"
            where = (*path, "models", index)
            findings.error("ETB209", where, f"{named(where)} is `{name}`, not a model; {known}", nearest(name, models))


def _members_agree(
    group: Mapping[str, Any], path: KeyPath, models: Tables, findings: Findings, default_runtime: int
) -> None:
    """One compile has one runtime version, one mode, one compiler and one time limit."""
    members = [(index, name, models[_base(name)]) for index, name in _members(group) if _base(name) in models]
    alike = (("min-runtime-version", default_runtime), ("multiple-subgraphs", False), ("restore-metadata", False))
    for key, default in alike:
        found = {model.get(key.replace("-", "_"), default) for _, _, model in members}
        if len(found) > 1:
            values = ", ".join(str(value).lower() for value in sorted(found))
            message = f"members of {named(path)} differ in `{key}`: {values}"
            findings.error("ETB207", (*path, "models"), message, "a group is one compile: give all the same")
    for index, name, model in members:
        if model.get("reweight", "off") != "off":
            text = f"`{name}`, a member of {named(path)}, has `reweight`: only models on their own are reweighted"
            findings.error("ETB207", (*path, "models", index), text, "remove `reweight`")
    for _, name, model in members:
        for key in ("compiler", "timeout"):
            if key in model:
                where = (*_MODELS, _base(name), key)
                message = f"{named(where)} has no effect: the model is compiled as a member of {named(path)}"
                findings.warn("ETB207", where, message, f"set `{key}` there")


def _calls(group: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    members = group.get("models", ())
    for name in group.get("calls", {}) if members else ():
        if name not in members:
            where = (*path, "calls", name)
            message = f"{named(where)} is not a member of the group, which are {listed(members)}"
            findings.error("ETB209", where, message, nearest(name, members))


def _one_group_each(groups: Tables, findings: Findings) -> None:
    homes: dict[str, str] = {}
    for group, values in groups.items():
        for index, name in _members(values):
            other = homes.setdefault(name, group)
            if other != group:
                message = f"model `{name}` is in two groups, `{other}` and `{group}`; allowed is one"
                findings.error("ETB208", (*_GROUPS, group, "models", index), message, "remove it from one of them")


def _members_whole(models: Tables, groups: Tables, findings: Findings) -> None:
    """What is compiled with others can be neither segmented nor searched for a delegate."""
    homes = {_base(name): group for group, values in groups.items() for _, name in _members(values)}
    for name, model in models.items():
        if name not in homes:
            continue
        given = {
            "segments": model.get("segments", 1) != 1,
            "cuts": model.get("cuts"),
            "search-delegate": model.get("search_delegate"),
        }
        for key in (key for key, is_given in given.items() if is_given):
            where = (*_MODELS, name, key)
            message = f"{named(where)} and membership in `groups.{homes[name]}` exclude each other"
            findings.error("ETB207", where, message, f"remove `{key}`, or take the model out of the group")
