"""pyproject.toml and the environment -> Config. Every problem is found and told at once, nothing is guessed.

First each table is read by the kinds of its keys (`keys`), then the rules that hold between keys are checked
(`rules`), then inheritance is resolved: a model's value over the project's, an environment variable over both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgetpu_build import noop
from edgetpu_build.config import document, rules
from edgetpu_build.config import keys as names
from edgetpu_build.config.findings import ROOT, Findings, listed, named, nearest, shown
from edgetpu_build.config.keys import FROZEN, HOOK_OPTIONS, KEYS, PROJECT, REMOTE_ALLOWED, Key, Scope
from edgetpu_build.config.kinds import BOOLEAN, URL, Kind, Unfit
from edgetpu_build.config.model import Budget, Config, DeviceConfig, GroupConfig, ModelConfig, RemoteCache
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from pathlib import Path

    from edgetpu_build.config.document import Document
    from edgetpu_build.config.lines import KeyPath

Values = dict[str, Any]  # what a table gives, by field name: only keys that are there and fit
Tables = Mapping[str, Values]
_HOOK: KeyPath = ("tool", "hatch", "build", "hooks", "edgetpu")
_FOR_MODELS = ("compiler", "timeout", "min_runtime_version", "out_dir", "wheel_path")
_FOR_GROUPS = ("compiler", "timeout")


def load(root: Path, env: Mapping[str, str]) -> Config:
    """The configuration of the project in ``root``; EdgeTpuBuildError with every problem found."""
    text, memo = read(root), memo_path(root, env)
    return parse(text, env, is_file=lambda path: os.path.isfile(os.path.join(root, path)), memo=memo)


def memo_path(root: Path, env: Mapping[str, str]) -> str:
    """Where it is kept what the text of a project's pyproject.toml was read as."""
    return os.path.join(noop.state_dir(os.path.realpath(root), env), "document")


def read(root: Path) -> str:
    """The text of pyproject.toml, line ends as they are."""
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        hint = "run `edgetpu-build init` to write one, or name its folder with `--project`"
        raise error("ETB201", f"no `pyproject.toml` in `{root}`", hint, file="pyproject.toml") from None
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise error("ETB201", f"`pyproject.toml` cannot be read: {reason}", file="pyproject.toml") from None
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise error("ETB201", "`pyproject.toml` is not UTF-8", file="pyproject.toml", line=line) from None


def parse(
    text: str,
    env: Mapping[str, str],
    *,
    file: str = "pyproject.toml",
    is_file: Callable[[str], bool] = lambda _: False,
    memo: str = "",
) -> Config:
    """The configuration in a text, which may come from git's index. ``is_file``: a source of that name exists.

    ``memo``: a file that may spare reading the text again (``document``).
    """
    tree, lines = _document(text, file, memo)
    table = _at(tree, ROOT)
    if table is None:
        hint = "run `edgetpu-build init` to write one"
        raise error("ETB202", f"`{file}` has no `[tool.edgetpu]` table", hint, file=file, line=1, key="tool.edgetpu")
    findings = Findings(file, lines)
    values = _table(table, ROOT, "project", findings)
    twins = _twins(env, findings)
    values["remote_cache"] = _modes(twins.pop("remote_cache", values.get("remote_cache", ())), env, findings)
    frozen = bool(_twin(FROZEN, BOOLEAN, env, findings))
    _hook_table(_at(tree, _HOOK), findings)
    models, groups = values.pop("models", {}), values.pop("groups", {})
    rules.check(models, groups, findings, is_file=is_file, default_runtime=values.get("min_runtime_version", 14))
    findings.raise_errors()

    hook, uv = _at(tree, _HOOK), _at(tree, ("tool", "uv"))
    about = Config(
        frozen=frozen,
        hook_enabled=isinstance(hook, dict),
        uses_hatchling=_at(tree, ("build-system", "build-backend")) == "hatchling.build",
        uses_uv=isinstance(uv, dict),
        uv_cache_keys=isinstance(uv, dict) and "cache-keys" in uv,
        warnings=tuple(findings.warnings),
    )
    return _resolve(about, values | twins, models, groups, twins)


def _resolve(about: Config, project: Values, models: Tables, groups: Tables, twins: Values) -> Config:
    """``about`` with all of `[tool.edgetpu]` filled in and every inheritance applied."""
    budget = project.pop("budget", {})
    inherited_budget = _budget(budget)
    device = {name: value for name, value in project.pop("device", {}).items() if name != "lines"}

    def own(values: Values, *inherited: str) -> Values:
        passed = {name: project[name] for name in inherited if name in project}
        won = {name: value for name, value in twins.items() if name in inherited}
        bounds = _budget(budget, values["budget"]) if "budget" in values else inherited_budget
        return passed | values | won | {"budget": bounds}

    return replace(
        about,
        **project,
        device=DeviceConfig(**device),
        budget=inherited_budget,
        models=tuple(ModelConfig(name=name, **own(values, *_FOR_MODELS)) for name, values in models.items()),
        groups=tuple(GroupConfig(name=name, **own(values, *_FOR_GROUPS)) for name, values in groups.items()),
    )


def _budget(*inheritance: Values) -> Budget:
    """Key by key, the later over the earlier; None was "none" and lifts."""
    merged: Values = {}
    lines: dict[str, int] = {}
    for values in inheritance:
        merged |= values
        lines |= values.get("lines", {})
    return Budget(**merged | {"lines": lines})


def _document(text: str, file: str, memo: str) -> Document:
    try:
        return document.read(text, memo)
    except ValueError as problem:  # tomllib's, which need not be loaded to be caught
        reason, _, place = str(problem).partition(" (at ")
        match = re.match(r"line ([0-9]+)", place)
        line = int(match[1]) if match else text.count("\n") + 1
        reason = reason[:1].lower() + reason[1:]
        raise error("ETB201", f"`{file}` is not TOML: {reason}", file=file, line=line) from None


def _at(tree: Mapping[str, Any], path: KeyPath) -> Any:
    """What stands at a path of tables, None if nothing does."""
    found: Any = tree
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _table(found: Any, path: KeyPath, scope: Scope, findings: Findings) -> Values:
    """A table's values by field name, and under "lines" where its keys stand. What does not fit is left out."""
    if not isinstance(found, dict):
        findings.error("ETB204", path, f"{named(path)} is `{shown(found)}`, allowed: a table")
        return {}
    known = KEYS[scope]
    lines = {"": findings.line(path)} | {name: findings.line((*path, name)) for name in found}
    values: Values = {"lines": lines}
    for name, value in found.items():
        if name in known:
            _value(known[name], value, (*path, name), values, findings)
        else:
            _unknown(name, (*path, name), scope, findings)
    for key in known.values():
        if key.required and key.name not in found:
            message = f"{named((*path, key.name))} is missing, allowed: {key.kind.allowed if key.kind else 'a table'}"
            findings.error("ETB206", path, message, f"add `{key.example}`")
    return values


def _value(key: Key, value: Any, path: KeyPath, values: Values, findings: Findings) -> None:
    if key.table in ("model", "group"):
        values[key.attribute] = _named_tables(value, path, key.table, findings)
    elif key.table == "remote":
        values[key.attribute] = _remotes(value, path, findings)
    elif key.table:
        values[key.attribute] = _table(value, path, key.table, findings)
    elif key.kind:
        fits, parsed = _fit(key.kind, value, path, findings)
        if fits:
            values[key.attribute] = parsed


def _named_tables(found: Any, path: KeyPath, scope: Scope, findings: Findings) -> dict[str, Values]:
    if not isinstance(found, dict):
        findings.error("ETB204", path, f"{named(path)} is `{shown(found)}`, allowed: a table of tables")
        return {}
    return {name: _table(value, (*path, name), scope, findings) for name, value in found.items()}


def _remotes(found: Any, path: KeyPath, findings: Findings) -> tuple[RemoteCache, ...]:
    """A URL, a table, or a list of these."""
    places = enumerate(found) if isinstance(found, list) else [(None, found)]
    stores = []
    for index, one in places:
        where = path if index is None else (*path, index)
        if not isinstance(one, (str, dict)):
            findings.error("ETB204", where, f"{named(where)} is `{shown(one)}`, allowed: {REMOTE_ALLOWED}")
            continue
        table = {"url": one} if isinstance(one, str) else one
        values = _table(table, where, "remote", findings)
        if "@" in values.get("url", "").partition("://")[2].partition("/")[0]:
            hint = "keep it in netrc, or set `EDGETPU_BUILD_REMOTE_CACHE` where it is needed"
            findings.error("ETB205", where, f"{named(where)} holds a name or password, which everybody can read", hint)
        elif "url" in values:
            stores.append(RemoteCache(**{name: value for name, value in values.items() if name != "lines"}))
    return tuple(stores)


def _fit(kind: Kind, value: Any, path: KeyPath, findings: Findings) -> tuple[bool, Any]:
    """(True, the parsed value), or (False, None) and a finding; in a list, at the element that does not fit."""
    try:
        return True, kind.parse(value)
    except Unfit as unfit:
        wrong = unfit
    if kind.item and isinstance(value, list):
        fits = [_fit(kind.item, element, (*path, index), findings)[0] for index, element in enumerate(value)]
        if not all(fits):
            return False, None
    hint = wrong.hint or (nearest(value, kind.choices) if isinstance(value, str) else "")
    findings.error(wrong.code, path, f"{named(path)} is `{shown(value)}`, allowed: {kind.allowed}", hint)
    return False, None


def _unknown(name: str, path: KeyPath, scope: Scope, findings: Findings) -> None:
    known = KEYS[scope]
    hint = nearest(name, known)
    if not hint:
        homes = [_HOMES[other] for other, keys in KEYS.items() if name in keys]
        hint = f"`{name}` belongs in {' or '.join(homes)}" if homes else ""
    findings.error("ETB203", path, f"unknown key {named(path)}, known here: {listed(known)}", hint)


_HOMES: dict[Scope, str] = {
    "project": "`[tool.edgetpu]`",
    "model": "`[tool.edgetpu.models.NAME]`",
    "group": "`[tool.edgetpu.groups.NAME]`",
    "budget": "a `budget` table",
    "device": "`[tool.edgetpu.device]`",
    "remote": "a `remote-cache` table",
}


def _hook_table(found: Any, findings: Findings) -> None:
    """The hook takes no options of its own: whatever else stands in its table would be ignored without a word."""
    if isinstance(found, dict):
        for name in found:
            if name not in HOOK_OPTIONS:
                path = (*_HOOK, name)
                hint = f"all settings of edgetpu-build stand in {_HOMES['project']}"
                findings.error("ETB203", path, f"unknown key {named(path)}, known here: {listed(HOOK_OPTIONS)}", hint)


def _twins(env: Mapping[str, str], findings: Findings) -> Values:
    """Values of the environment variables that are set, by field name."""
    twins: Values = {}
    for key in PROJECT:
        if key.env and key.kind:
            value = _twin(key.env, key.kind, env, findings)
            if value is not None:
                twins[key.attribute] = value
        elif key.env and env.get(key.env):
            urls = (_twin(key.env, URL, {key.env: url.strip()}, findings) for url in env[key.env].split(","))
            twins[key.attribute] = tuple(RemoteCache(url=url, from_env=True) for url in urls if url)
    if word := _twin(names.REMOTE_WRITE_ERRORS, names.WRITE_ERRORS, env, findings):
        twins["write_errors"] = word
    return twins


def _modes(stores: tuple[RemoteCache, ...], env: Mapping[str, str], findings: Findings) -> tuple[RemoteCache, ...]:
    """As the environment says; without a word of it, what anybody may have proposed is not shared with all."""
    mode = _twin(names.REMOTE_MODE, names.MODE, env, findings)
    if not mode and any(name in env and env[name].startswith(begin) for name, begin in names.PULL_REQUEST.items()):
        mode = "read"
    return tuple(replace(store, mode=mode) for store in stores) if mode else stores


def _twin(variable: str, kind: Kind, env: Mapping[str, str], findings: Findings) -> Any:
    """The parsed value; None if the variable is unset, empty or wrong."""
    text = env.get(variable, "")
    if not text:
        return None
    try:
        return kind.parse(kind.from_env(text))
    except Unfit as unfit:
        hint = unfit.hint or nearest(text, kind.choices)
        message = f"`{variable}` is `{shown(text)}`, allowed: {kind.allowed}"
        findings.environment("ETB205", variable, message, hint)
        return None
