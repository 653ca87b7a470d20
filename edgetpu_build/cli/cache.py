"""`edgetpu-build cache dir|stats|prune|clear|verify`: the store, looked at and tidied by hand."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edgetpu_build.cli import output
from edgetpu_build.cli.options import one_of, usage_error
from edgetpu_build.cli.output import View
from edgetpu_build.errors import Diagnostic, error
from edgetpu_build.units import format_size

if TYPE_CHECKING:
    from edgetpu_build.store import Store
    from edgetpu_build.store.maintenance import Finding, Removed, Stats

NAME = "cache"
HELP = "Show, prune, clear or verify the store"
ACTIONS = {
    "dir": "print its folder",
    "stats": "what is in it (default)",
    "prune": "remove what no record needs, then what was used longest ago, until the size limit holds",
    "clear": "remove everything",
    "verify": "read every file and check it; exit code 5 if one is damaged",
}


def configure(parser: ArgumentParser) -> None:
    what = "; ".join(f"{name}: {does}" for name, does in ACTIONS.items())
    parser.add_argument(
        "action", nargs="?", type=one_of(*ACTIONS), default="stats", metavar="|".join(ACTIONS), help=what
    )
    parser.add_argument("--size", metavar="SIZE", help="prune: the size to reach, instead of the configured limit")
    parser.add_argument(
        "--ci", action="store_true", help="prune: keep what edgetpu.lock names and nothing else, for a CI job to save"
    )
    parser.add_argument("--repair", action="store_true", help="verify: set what is damaged aside")


def run(args: Namespace) -> int:
    from edgetpu_build.store import open_store

    for option, given, action in (
        ("--size", args.size, "prune"),
        ("--ci", args.ci, "prune"),
        ("--repair", args.repair, "verify"),
    ):
        if given and args.action != action:
            raise usage_error(f"`{option}` goes with `cache {action}`, found `cache {args.action}`")
    if args.ci and args.size:
        raise usage_error("`--ci` and `--size` exclude each other")
    view, store = View.of(args), open_store(os.environ)
    if args.action == "dir":
        return output.answer(view, NAME, store.folder, folder=store.folder)
    act = {"stats": _stats, "prune": _prune, "clear": _clear, "verify": _verify}[args.action]
    return act(args, view, store)


def _stats(args: Namespace, view: View, store: Store) -> int:
    from edgetpu_build.store.maintenance import stats
    from edgetpu_build.store.remote import tally

    found, tiers = stats(store), tally.read(store)
    rows = {name: asdict(counts) for name, counts in tiers.items()}
    return output.answer(view, NAME, _stats_text(found, rows), stats=asdict(found), tiers=rows)


def _prune(args: Namespace, view: View, store: Store) -> int:
    from edgetpu_build.store.content import size_limit
    from edgetpu_build.store.maintenance import prune

    if args.ci:
        return _prune_for_ci(args, view, store)
    limit = size_limit(args.size, "--size") if args.size else None
    return _removed(view, prune(store, limit, blocked=lambda: _waiting(view)))


def _prune_for_ci(args: Namespace, view: View, store: Store) -> int:
    from edgetpu_build.cli import project
    from edgetpu_build.engine import lockfile
    from edgetpu_build.store.maintenance import keep_only

    root = project.root(args)
    lock = lockfile.read(root)
    if lock is None:
        raise error("ETB502", f"there is no `{lockfile.NAME}` in `{root}`", "`edgetpu-build build` writes it")
    fingerprints = [unit.fingerprint for unit in lock.units.values()]
    return _removed(view, keep_only(store, fingerprints, blocked=lambda: _waiting(view)))


def _clear(args: Namespace, view: View, store: Store) -> int:
    from edgetpu_build.store.maintenance import clear

    return _removed(view, clear(store, blocked=lambda: _waiting(view)))


def _verify(args: Namespace, view: View, store: Store) -> int:
    from edgetpu_build.store.maintenance import verify

    result = verify(store, repair=args.repair)
    text = f"{result.records} records and {result.blobs} blobs checked, {len(result.findings)} damaged"
    diagnostics = [_diagnostic(finding) for finding in result.findings]
    return output.answer(view, NAME, text, diagnostics=diagnostics, verification=asdict(result))


def _removed(view: View, removed: Removed) -> int:
    text = (
        f"removed {removed.records} records, {removed.blobs} blobs and {removed.others} other files, "
        f"{format_size(removed.bytes)}"
    )
    return output.answer(view, NAME, text, removed=asdict(removed))


def _stats_text(found: Stats, tiers: Mapping[str, Mapping[str, int]]) -> str:
    rows = {
        "folder": found.folder,
        "records": str(found.records),
        "blobs": str(found.blobs),
        "size": f"{format_size(found.bytes)} of {format_size(found.limit)}",
        "projects": str(found.projects),
        "damaged": f"{found.quarantined} set aside",
        "used": f"{_day(found.oldest_use)} to {_day(found.newest_use)}",
    }
    lines = [f"{name:<10}{value}" for name, value in rows.items()]
    if tiers:
        width = max(map(len, tiers)) + 2
        words = list(next(iter(tiers.values())))
        lines += ["", f"{'store':<{width}}" + "".join(f"{word:>9}" for word in words)]
        lines += [f"{name:<{width}}" + "".join(f"{counts[w]:>9}" for w in words) for name, counts in tiers.items()]
    return "\n".join(lines)


def _day(stamp: float | None) -> str:
    return "never" if stamp is None else f"{datetime.fromtimestamp(stamp, timezone.utc):%Y-%m-%d}"


def _diagnostic(finding: Finding) -> Diagnostic:
    what = "was set aside; it will be compiled again" if finding.repaired else "is damaged"
    hint = "" if finding.repaired else "`edgetpu-build cache verify --repair` sets it aside"
    return Diagnostic(code="ETB505", message=f"`{finding.path}` {what}: {finding.problem}", hint=hint)


def _waiting(view: View) -> None:
    output.note(view, "waiting for a running build to finish")
