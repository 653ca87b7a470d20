"""Remove exactly what a build wrote: a file goes only if its content is what the lock says."""

from __future__ import annotations

import time

from edgetpu_build.engine import lockfile, statindex
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.publish import withdraw
from edgetpu_build.engine.statindex import StatIndex


def clean(project: Project) -> tuple[str, ...]:
    """The paths removed, relative to the project. The lock stays. Raises ETB501 to ETB504."""
    lock = lockfile.read(project.root)
    if lock is None:
        return ()
    index = StatIndex(str(project.root), project.state, time.time_ns(), trust=False)
    removed, _ = withdraw(project.root, lock.files.values(), index)
    for question in ("build", "check"):
        statindex.forget(project, question)
    return removed
