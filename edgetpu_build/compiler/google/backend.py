"""The backend called ``google``: who its program is, and one request as a whole. The runs are ``job``'s."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

from edgetpu_build.compiler.google import command as commands
from edgetpu_build.compiler.google.job import Job
from edgetpu_build.compiler.google.session import Session
from edgetpu_build.compiler.interface import Identity, Progress, Request, Result
from edgetpu_build.errors import error
from edgetpu_build.tflite import reader

ANSWER = 60.0
"""Seconds in which the program must tell its version: a container may have to be fetched first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    """``command``: how to start it. ``locate``: look for the operator at which a compile fails by compiling again."""

    command: tuple[str, ...] = ("edgetpu_compiler",)
    requires_compiler: str | None = None
    locate: bool = False

    def identify(self) -> Identity:
        """Starts the program, to ask for its version. ETB401 to ETB403."""
        version = self._version()
        digest = commands.digest(self.command)
        identity = f"sha256 {digest}" if digest else f"version {version}"
        return Identity(name="google", version=version, identity=identity, target="edgetpu")

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        """ETB301 to ETB320 for models and failures, ETB401 to ETB403 for the program."""
        deadline = time.monotonic() + timeout
        models = [reader.read(source.data, label=source.label) for source in request.sources]
        identity = self.identify()
        with Session() as session:
            job = Job(
                self.command,
                session,
                version=identity.version,
                deadline=deadline,
                progress=progress,
                locate=self.locate,
            )
            options, members = job.compile(request, models)
        return Result(
            compiler=identity,
            options=options,
            members=members,
            warnings=tuple(job.notes),
            transcript="".join(job.text),
            attempts=tuple(job.attempts),
        )

    def _version(self) -> str:
        from edgetpu_build.compiler.choose import fits

        version = _asked(self.command, commands.stamp(self.command))
        if not fits(version, self.requires_compiler):
            message = f"`{self.command[0]}` is version {version}, `requires-compiler` allows {self.requires_compiler}"
            raise error("ETB402", message, "install another, or widen it", key="tool.edgetpu.requires-compiler")
        return version


@lru_cache(maxsize=8)  # a worker compiles many models with one program
def _asked(command: tuple[str, ...], _program: commands.Stamp) -> str:
    with Session() as session:
        argv = [*commands.start(command, session.folder), "--version"]
        run = session.run(argv, timeout=ANSWER, hear=lambda _line: None)
    version = commands.version_in(run.text)
    if version:
        return version
    first = next((line.strip() for line in run.text.splitlines() if line.strip()), "nothing")
    how = "did not answer in time" if run.timed_out else f"ended with code {run.code} and said: {first[:200]}"
    hint = f"`{' '.join(command)} --version` must print `{commands.BANNER}...`"
    raise error("ETB403", f"`{command[0]}` was asked for its version and {how}", hint)
