"""Measures what the project promises on speed, each as a ratio against a peer in the same run.

    python benchmarks/run.py [--quick] [NAME...]

Peers (doit, dvc, vela) are installed into `benchmarks/out/peers` on first use. Prints a table and, when everything was
measured, writes it to docs/explanation/speed.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import projects
from timing import Job, measure

BIN = Path(sys.executable).parent
OURS = str(BIN / "edgetpu-build")
PEERS = Path(__file__).resolve().parent / "out" / "peers"
PAGE = projects.ROOT / "docs" / "explanation" / "speed.md"
RACY = 2.2
"""Seconds until a file's times are old enough to be trusted, as after any coffee."""
PASS = Job([sys.executable, "-c", "pass"])

PAGE_TEXT = """# Speed

Written by `benchmarks/run.py`: whole processes, medians, each against a peer taken in turns in the same run.
Python {version}, {cores} cores.

{table}

`doit` and `dvc` stand for what people use today to rebuild what changed: on the same tree, their stages copy one file
each. `vela` compiles the same model for another chip (Arm's Ethos-U) and does more for it; it is the nearest open
compiler, run with its default settings.
"""


@dataclass(frozen=True)
class Row:
    """A line of the table. ``value``, ``bound``: in ``unit``; below the bound is good, or above it (``at_least``)."""

    what: str
    value: float
    unit: str
    bound: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def kept(self) -> bool:
        return self.bound is None or (self.value >= self.bound if self.at_least else self.value <= self.bound)


@contextmanager
def scratch() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder and an environment whose cache lies in it."""
    with tempfile.TemporaryDirectory(prefix="edgetpu-bench-") as name:
        env = os.environ | {"EDGETPU_BUILD_CACHE_DIR": str(Path(name) / "cache"), "HOME": name}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        yield Path(name), env


def peer(name: str, package: str) -> str:
    """Path of a peer's program, installed on first use."""
    program = PEERS / "bin" / name
    if not program.exists():
        if not PEERS.exists():
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([str(PEERS / "bin" / "pip"), "install", "-q", package], check=True)
    return str(program)


def built(folder: Path, count: int, env: dict[str, str], size: int = 1 << 20) -> Path:
    """A project of ``count`` models that is up to date and older than the racy window."""
    project = projects.many(folder, count, size)
    projects.age(project)
    subprocess.run([OURS, "build", "-q"], cwd=project, env=env, check=True)
    time.sleep(RACY)
    for command in ("build", "check"):
        subprocess.run([OURS, command, "-q"], cwd=project, env=env, check=True)
    return project


def start_up(quick: bool) -> list[Row]:
    got = measure(
        {"pass": PASS, "version": Job([OURS, "--version"]), "help": Job([OURS, "--help"])}, 7 if quick else 25
    )
    base = got["pass"].median
    return [
        Row("`--version`", got["version"].median / base, "x `python -c pass`", 1.5),
        Row("`--help`", got["help"].median / base, "x `python -c pass`", 3),
    ]


def no_op(quick: bool) -> list[Row]:
    count = 50 if quick else 500
    with scratch() as (folder, env):
        project = built(folder / "p", count, env)
        projects.doit_file(project)
        projects.dvc_file(project)
        doit, dvc = peer("doit", "doit"), peer("dvc", "dvc")
        dvc_env = env | {"DVC_NO_ANALYTICS": "1"}
        subprocess.run([dvc, "init", "-q", "--no-scm"], cwd=project, env=dvc_env, check=True)
        jobs = {
            "pass": PASS,
            "ours": Job([OURS, "build"], project, env),
            "doit": Job([doit], project, env),
        }
        got = measure(jobs, 5 if quick else 15)
        slow = measure({"ours": jobs["ours"], "dvc": Job([dvc, "repro", "-q"], project, dvc_env)}, 1 if quick else 3)
    ours, base = got["ours"].median, got["pass"].median
    return [
        Row(
            f"no-op build of {count} models of 1 MiB",
            ours / base,
            "x `python -c pass`",
            1.5,
            detail=f"{ours * 1e3:.1f} ms",
        ),
        Row("the same tree, `doit`", got["doit"].median / ours, "times as long", 8, at_least=True),
        Row(
            "the same tree, `dvc repro`", slow["dvc"].median / slow["ours"].median, "times as long", 200, at_least=True
        ),
    ]


def many_models(quick: bool) -> list[Row]:
    rows = []
    for count in (100, 1000) if quick else (100, 1000, 10_000):
        with scratch() as (folder, env):
            project = projects.many(folder / "p", count, 4096)
            made = time.perf_counter()
            subprocess.run([OURS, "build", "-q"], cwd=project, env=env, check=True)
            first = time.perf_counter() - made
            time.sleep(RACY)
            subprocess.run([OURS, "build", "-q"], cwd=project, env=env, check=True)
            got = measure({"pass": PASS, "ours": Job([OURS, "build"], project, env)}, 5)
        ratio = got["ours"].median / got["pass"].median
        rows += [
            Row(f"first build of {count} small models", first / count * 1e3, "ms a model", detail=f"{first:.1f} s"),
            Row(f"no-op build of {count} small models", ratio, "x `python -c pass`", 6 if count == 10_000 else None),
        ]
    return rows


def one_changed(quick: bool) -> list[Row]:
    """A changed model among 500, against the same model alone in a project."""
    count = 50 if quick else 500
    with scratch() as (folder, env):
        jobs = {}
        for name, size in (("one", 1), ("many", count)):
            project = built(folder / name, size, env)
            jobs[name] = Job([OURS, "build"], project, env, changer(project / "models" / "m00000.tflite"))
        got = measure(jobs, 5 if quick else 15)
    extra = (got["many"].median - got["one"].median) * 1e3
    detail = f"{got['many'].median * 1e3:.0f} ms against {got['one'].median * 1e3:.0f} ms alone"
    return [Row(f"one changed model among {count}, beyond its own compile", extra, "ms", 30, detail=detail)]


def changer(model: Path) -> Callable[[], None]:
    """Writes other bytes into a model at each call."""
    content, calls = model.read_bytes()[:-16], iter(range(1 << 30))

    def change() -> None:
        model.write_bytes(content + time.time_ns().to_bytes(8, "little") + next(calls).to_bytes(8, "little"))

    return change


def check(quick: bool) -> list[Row]:
    with scratch() as (folder, env):
        project = built(folder / "p", 10, env)
        for command in (["git", "init", "-q"], ["git", "add", "-A"]):
            subprocess.run(command, cwd=project, env=env, check=True)
        got = measure({"pass": PASS, "ours": Job([OURS, "check"], project, env),
                       "staged": Job([str(BIN / "edgetpu-check-hook")], project, env)}, 7 if quick else 25)  # fmt: skip
    base = got["pass"].median
    return [
        Row("`check` of ten models", got["ours"].median / base, "x `python -c pass`", 4),
        Row("`edgetpu-check` hook (git's index) of ten models", got["staged"].median / base, "x `python -c pass`", 4),
    ]


def watch(quick: bool) -> list[Row]:
    """From the save of a 0.5 MB model to its published output."""
    times = []
    with scratch() as (folder, env):
        project = built(folder / "p", 1, env, 500_000)
        change, output = changer(project / "models" / "m00000.tflite"), project / "out" / "m00000_edgetpu.tflite"
        process = subprocess.Popen([OURS, "watch"], cwd=project, env=env, stdout=subprocess.DEVNULL)
        time.sleep(2)
        for _ in range(3 if quick else 9):
            before = output.stat().st_mtime_ns
            change()
            begun = time.perf_counter()
            while output.stat().st_mtime_ns == before and time.perf_counter() - begun < 10:
                time.sleep(0.002)
            times.append(time.perf_counter() - begun)
            time.sleep(0.7)
        process.send_signal(2)
        process.wait(10)
    times.sort()
    return [Row("save to published output under `watch`, 0.5 MB", times[len(times) // 2], "s", 0.4)]


def compile_mobilenet(quick: bool) -> list[Row]:
    with scratch() as (folder, env):
        model = folder / "mobilenet_v2.tflite"
        model.write_bytes(projects.mobilenet_v2())
        vela = peer("vela", "ethos-u-vela")
        jobs = {
            "ours": Job([OURS, "compile", "-o", str(folder), str(model)], folder, env),
            "vela": Job([vela, "--output-dir", str(folder / "vela"), str(model)], folder, env),
        }
        got = measure(jobs, 3 if quick else 7)
    ours, theirs = got["ours"], got["vela"]
    return [
        Row("`compile` of a MobileNet v2, whole process", ours.median / theirs.median, "x `vela`", 0.4,
            detail=f"{ours.median * 1e3:.0f} ms against {theirs.median * 1e3:.0f} ms"),
        Row("its peak memory", ours.peak / 2**20, "MiB", 120, detail=f"`vela`: {theirs.peak / 2**20:.0f} MiB"),
    ]  # fmt: skip


def runtime(quick: bool) -> list[Row]:
    import simulated

    from tests.support import models

    rows = []
    for name, model in simulated.networks().items():
        got = simulated.inference(model, 30 if quick else 200)
        detail = f"{got['simulated'] * 1e3:.2f} ms against {got['litert'] * 1e3:.2f} ms"
        rows.append(Row(f"simulated inference, {name}", got["ratio"], "x LiteRT", 1.3, detail=detail))
    large = projects.mobilenet_v2()
    rows.append(Row("loading a compiled model of 4 MB", simulated.load(large, 7 if quick else 25) * 1e3, "ms", 150))
    for name, model in {"of equal segments": models.conv_net(18, 64, 32), "MobileNet v2": large}.items():
        got = simulated.pipeline(model, 4, 20 if quick else 50, 3 if quick else 9)
        detail = f"{got['at once']:.2f} s against {got['in turn']:.2f} s"
        what = f"a pipeline of four segments, {name}"
        rows.append(Row(what, got["ratio"], "x the segments in turn", 1, detail=detail))
    return rows


def shared_cache(quick: bool) -> list[Row]:
    """A checkout with its lock but no outputs and an empty cache: served from a cache on loopback, or compiled anew."""
    from tests.support.server import serving

    count, model = 3 if quick else 12, projects.mobilenet_v2()
    with scratch() as (folder, env), serving() as server:
        project = projects.many(folder / "p", count, 4096)
        for number, path in enumerate(sorted((project / "models").iterdir())):
            path.write_bytes(projects.padded(model, len(model) + 8, number))

        def cold() -> None:
            shutil.rmtree(env["EDGETPU_BUILD_CACHE_DIR"], ignore_errors=True)
            shutil.rmtree(project / "out", ignore_errors=True)

        shared = env | {"EDGETPU_BUILD_REMOTE_CACHE": server.url}
        subprocess.run([OURS, "build", "-q"], cwd=project, env=shared, check=True)
        served = Job([OURS, "build", "--frozen"], project, shared, cold)
        got = measure({"served": served, "anew": Job([OURS, "build"], project, env, cold)}, 3 if quick else 7)
    ours, anew = got["served"].median, got["anew"].median
    return [
        Row(f"cold checkout of {count} MobileNet v2 from a cache on loopback", ours / anew, "x compiling anew", 0.8,
            detail=f"{ours:.2f} s against {anew:.2f} s with the builtin compiler"),
    ]  # fmt: skip


BENCHMARKS: dict[str, Callable[[bool], list[Row]]] = {
    "start-up": start_up,
    "no-op": no_op,
    "one-changed": one_changed,
    "check": check,
    "watch": watch,
    "compile": compile_mobilenet,
    "runtime": runtime,
    "many": many_models,
    "shared-cache": shared_cache,
}


def table(rows: list[Row]) -> str:
    lines = ["| what | measured | | bound | |", "|---|---:|---|---|---|"]
    for row in rows:
        bound = "" if row.bound is None else f"{'at least' if row.at_least else 'at most'} {row.bound:g}"
        verdict = "" if row.bound is None else ("kept" if row.kept else "**missed**")
        detail = f" ({row.detail})" if row.detail else ""
        lines.append(f"| {row.what}{detail} | {row.value:.2f} | {row.unit} | {bound} | {verdict} |")
    return "\n".join(lines)


def page(rows: list[Row]) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return PAGE_TEXT.format(version=version, cores=os.cpu_count(), table=table(rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer runs on smaller projects; writes no page")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.names or BENCHMARKS:
        rows += (found := BENCHMARKS[name](arguments.quick))
        print(table(found), flush=True)
    if not arguments.names and not arguments.quick:
        PAGE.write_text(page(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
