"""Remove exactly what a build wrote: a file goes only if its content is what the lock says."""

from __future__ import annotations

from edgetpu_build.engine.project import Project


def clean(project: Project) -> tuple[str, ...]:
    """The paths removed, relative to the project. The lock stays."""
    raise NotImplementedError
