"""The Hatch build hook: a thin door from hatchling to ``engine.build``.

hatchling loads this module in every build of every project in whose environment it is installed, so nothing of ours is
imported before our own table asks for it. A user's mistake ends the build with our message and no traceback
(``app.abort``); anything else goes through as it is, for it is a bug.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

if TYPE_CHECKING:
    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.engine.project import Project
    from edgetpu_build.engine.ship import Shipped

    from .archive import Entry

HATCHS_OWN = frozenset(
    {"enable-by-default", "require-runtime-dependencies", "require-runtime-features", "dependencies"}
)

WRITTEN_WITHIN = 60
"""Seconds after which a temporary file of ours is nobody's any more: writing one takes milliseconds."""


class EdgeTPUBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds before packing, adds what was built, and looks into the archive afterwards."""

    PLUGIN_NAME = "edgetpu"
    _entries: tuple[Entry, ...] = ()
    _scratch: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        with self._told():
            self._refuse_options()
            project = self._load()
            outcome = self._build(project)
            if version != "editable":
                self._add(project, outcome, build_data)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        from edgetpu_build.errors import error

        from .archive import missing

        if self._scratch:
            self._scratch.cleanup()
        if version == "editable" or not (lost := missing(Path(artifact_path), self._entries)):
            return
        Path(artifact_path).unlink()
        with self._told():
            raise error(
                "ETB109",
                f"the {self.target_name} does not hold {', '.join(lost)}",
                "put `out-dir` inside a folder that the target packs, or set `wheel-path`; see "
                "`[tool.hatch.build.targets]` for what is left out",
                file="pyproject.toml",
            )

    def clean(self, versions: list[str]) -> None:
        from edgetpu_build.engine.clean import clean

        with self._told():
            for path in clean(self._load()):
                self.app.display_info(f"edgetpu: removed {path}")

    def _load(self) -> Project:
        from edgetpu_build.engine.project import Project

        return Project.load(Path(self.root), os.environ)

    def _refuse_options(self) -> None:
        from edgetpu_build.errors import error

        for key in self.config.keys() - HATCHS_OWN:
            raise error(
                "ETB203",
                f"`[tool.hatch.build.hooks.edgetpu]` has no key `{key}`",
                "everything but hatch's own options stands in `[tool.edgetpu]`",
                file="pyproject.toml",
                key=key,
            )

    def _build(self, project: Project) -> Outcome:
        from edgetpu_build.engine.build import build
        from edgetpu_build.errors import EdgeTpuBuildError
        from edgetpu_build.report import human

        outcome = build(project, sdist=project.unpacked_sdist, progress=self._progress)
        self.app.display_info(human.render(outcome))
        self._warn(outcome)
        if outcome.exit_code:
            raise EdgeTpuBuildError(*(d for d in outcome.all_diagnostics if d.severity == "error"))
        self._sweep(outcome)
        return outcome

    def _sweep(self, outcome: Outcome) -> None:
        """What a build that was killed left beside the outputs would be packed with them."""
        from edgetpu_build.files import sweep_temps

        outputs = (output.path for unit in outcome.units for member in unit.members for output in member.outputs)
        for folder in {Path(self.root, path).parent for path in outputs}:
            sweep_temps(folder, older_than=WRITTEN_WITHIN)

    def _add(self, project: Project, outcome: Outcome, build_data: dict[str, Any]) -> None:
        """Every shipped output, and for an sdist what its wheel will be built from."""
        from edgetpu_build.engine.ship import shipped

        files = shipped(project, outcome)
        self._entries = tuple(self._place(file, build_data) for file in files)
        if self.target_name == "sdist":
            self._entries += tuple(self._carry(path, build_data) for path in self._origins(project, outcome))
        elif "sbom_files" in build_data:
            build_data["sbom_files"] += self._evidence(project)

    def _place(self, file: Shipped, build_data: dict[str, Any]) -> Entry:
        """In-tree files by name; those with a `wheel-path` by force, since hatchling would not look where they are."""
        if self.target_name == "sdist" or not file.wheel_path:
            return self._carry(file.path, build_data)
        from .archive import Entry, sha256

        source = Path(self.root, file.path)
        build_data["force_include"][str(source)] = file.wheel_path
        return Entry(path=file.path, inside=file.wheel_path, sha256=sha256(source))

    def _carry(self, path: str, build_data: dict[str, Any]) -> Entry:
        from .archive import Entry, pattern, sha256

        build_data["artifacts"].append(pattern(path))
        inside = path if self.target_name == "sdist" else self.build_config.get_distribution_path(path)
        return Entry(path=path, inside=inside.replace(os.sep, "/"), sha256=sha256(Path(self.root, path)))

    def _origins(self, project: Project, outcome: Outcome) -> Iterator[str]:
        """Sources and lock. A source outside the project cannot travel."""
        from edgetpu_build.engine import lockfile
        from edgetpu_build.errors import error

        for source in dict.fromkeys(member.source for unit in outcome.units for member in unit.members):
            if source.startswith(("/", "../")):
                raise error(
                    "ETB210",
                    f"source `{source}` lies outside the project, so an sdist cannot carry it",
                    "move the model into the project, or build a wheel directly (`python -m build --wheel`)",
                    file="pyproject.toml",
                )
            yield source
        if (project.root / lockfile.NAME).exists():
            yield lockfile.NAME

    def _evidence(self, project: Project) -> list[str]:
        """Lock and provenance for `.dist-info/sboms`; the latter in a folder of its own, never in the tree."""
        from edgetpu_build.engine import lockfile
        from edgetpu_build.report import provenance

        lock = lockfile.read(project.root)
        if lock is None:
            return []
        self._scratch = tempfile.TemporaryDirectory(prefix="edgetpu-build-")
        bill = Path(self._scratch.name, "edgetpu.cdx.json")
        bill.write_text(provenance.page(lock, self.metadata.name), encoding="utf-8")
        return [str(bill), str(project.root / lockfile.NAME)]

    def _progress(self, unit: str, what: str) -> None:
        if what == "compiling":
            self.app.display_waiting(f"edgetpu: compiling {unit}")

    def _warn(self, outcome: Outcome) -> None:
        from edgetpu_build.report import diagnostics

        for diagnostic in outcome.all_diagnostics:
            if diagnostic.severity != "error":
                self.app.display_warning(f"edgetpu: {diagnostics.render(diagnostic)}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Ends the build with the message of any error of ours, as the last thing that is said."""
        from edgetpu_build.errors import EdgeTpuBuildError
        from edgetpu_build.report import diagnostics

        try:
            yield
        except EdgeTpuBuildError as problem:
            self.app.abort("edgetpu: " + diagnostics.render_all(problem.diagnostics))


@hookimpl
def hatch_register_build_hook() -> type[BuildHookInterface]:  # type: ignore[type-arg]
    return EdgeTPUBuildHook
