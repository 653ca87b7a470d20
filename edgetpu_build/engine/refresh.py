"""The command `lock`: the lock from what exists, without compiling; with `--upgrade`, from today's compiler."""

from __future__ import annotations

from edgetpu_build.engine.build import Mode, run, silent
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project


def refresh(project: Project, *, upgrade: bool = False) -> Outcome:
    """Units of which neither outputs nor store have what the configuration asks for stay as they are, with ETB105.

    ``upgrade``: whatever the present compiler makes otherwise is compiled.
    """
    mode = Mode(command="lock", upgrade=upgrade, existing=not upgrade)
    return run(project, (), mode, say=silent)
