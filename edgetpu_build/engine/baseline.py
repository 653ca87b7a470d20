"""The lock as it is in a commit: what growth is measured against, and what `diff` shows."""

from __future__ import annotations

from edgetpu_build.engine import git, lockfile
from edgetpu_build.engine.lockfile import Lock
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.figure import Figures


def at(project: Project, rev: str) -> Lock | None:
    """The lock in ``rev``; None if that commit has none. ETB209 if there is no such commit."""
    data = git.show(project.root, rev, lockfile.NAME, project.env)
    if data is not None:
        return lockfile.parse(data)
    if not git.is_commit(project.root, rev, project.env):
        if not git.has_repository(project.root, project.env):
            raise error("ETB209", f"`{project.root}` is in no git repository, so there is no `{rev}`")
        raise error("ETB209", f"git knows no commit `{rev}`", "name a branch, a tag or a commit")
    return None


def figures(lock: Lock | None) -> dict[str, Figures]:
    """Figures by member."""
    return {m.name: m.figures for unit in lock.units.values() for m in unit.members} if lock else {}


def committed(project: Project, otherwise: Lock) -> dict[str, Figures]:
    """Figures of the lock as committed; outside of a repository, or before the first commit, those of ``otherwise``."""
    try:
        return figures(at(project, "HEAD"))
    except EdgeTpuBuildError:
        return figures(otherwise)
