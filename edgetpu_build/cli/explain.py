"""`edgetpu-build explain`: a unit's fingerprint, a placement rule's page, or what an error code means."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from edgetpu_build.cli import options, output, project
from edgetpu_build.cli.output import View
from edgetpu_build.errors import CATALOGUE, EdgeTpuBuildError, error

if TYPE_CHECKING:
    from edgetpu_build.engine.explain import Explanation
    from edgetpu_build.engine.project import Project

NAME = "explain"
HELP = "Explain a model's fingerprint, a placement rule or an error code"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "subject", metavar="NAME|RULE|CODE", help="a model or group, a rule's id, or a code such as ETB101"
    )


def run(args: Namespace) -> int:
    """A code is a code wherever it is asked for; a project's own names come before rules."""
    view, subject = View.of(args), args.subject
    if subject.upper() in CATALOGUE:
        from edgetpu_build.report import codes

        return _page(view, codes.page(subject.upper()), code=subject.upper())
    found = _project(args)
    unit = _unit(found, subject) if found else None
    if unit:
        from edgetpu_build.report import explanation

        text = explanation.human(unit, output.style(view, sys.stdout))
        return output.answer(view, NAME, text, explanation=explanation.to_json(unit))
    from edgetpu_build.chip import rules

    ids = [rule.id for rule in rules.RULES]
    if subject in ids:
        return _page(view, rules.page(subject), rule=subject)
    near = options.nearest(subject, [*_names(found), *ids, *CATALOGUE])
    hint = f"did you mean `{near}`?" if near else "`edgetpu-build ops` lists the rules"
    raise error("ETB209", f"`{subject}` is no model, group, rule or error code", hint)


def _page(view: View, text: str, **what: Any) -> int:
    return output.answer(view, NAME, text, page=text, **what)


def _unit(found: Project, name: str) -> Explanation | None:
    """None where the project has no unit of that name."""
    from edgetpu_build.engine.explain import explain

    try:
        return explain(found, name)
    except EdgeTpuBuildError as problem:
        if problem.diagnostics[0].code == "ETB209":
            return None
        raise


def _project(args: Namespace) -> Project | None:
    """None where there is none: rules and codes can be explained anywhere. With `--project` there must be one."""
    try:
        return project.load(args)
    except EdgeTpuBuildError as problem:
        if args.project is not None or problem.diagnostics[0].code not in ("ETB201", "ETB202"):
            raise
        return None


def _names(found: Project | None) -> list[str]:
    if not found:
        return []
    return [*(model.name for model in found.config.models), *(group.name for group in found.config.groups)]
