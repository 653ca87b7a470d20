"""The reader: every key, every error with its exact line, inheritance, the environment."""

# ruff: noqa: E501 - texts stand whole, as a user reads them
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from edgetpu_build.config.load import load, parse
from edgetpu_build.config.model import Budget, Config, DeviceConfig, GroupConfig, ModelConfig, RemoteCache
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.report.diagnostics import render_all
from tests.config.cases import BAD, GOOD, GROUP, MODEL, Bad, model, project

EVERY_KEY = """\
[build-system]
build-backend = "hatchling.build"
[tool.hatch.build.hooks.edgetpu]
[tool.uv]
cache-keys = []
[tool.edgetpu]
compiler = "google"
compiler-command = ["docker", "{workdir}"]
requires-compiler = ">=16"
out-dir = "./src//models/"
wheel-path = "x"
min-runtime-version = 13
allow-simulator = true
timeout = "2 min"
jobs = 3
ship-logs = true
remote-cache = ["s3://a", { url = "https://b", mode = "read" }]
device = { link = "pcie", clock = "std", count = 2, sram = "4 MiB" }
[tool.edgetpu.budget]
off-chip = "64 KiB"
cpu-operators = 3
strict-figures = true
[tool.edgetpu.models.a]
source = "./models/a.tflite"
output = "out/{stem}-{index}.tflite"
segments = "auto"
balance = "latency"
search-delegate = 4
max-segments = 5
multiple-subgraphs = true
restore-metadata = false
min-runtime-version = 12
timeout = "1 s"
compiler = "builtin"
out-dir = "o"
wheel-path = "w"
ship = false
budget = { off-chip = "none", edgetpu-operators = { min = 2 }, latency = "8 ms" }
[tool.edgetpu.models.b]
source = "b.tflite"
restore-metadata = true
intermediate-tensors = ["t"]
[tool.edgetpu.models.c]
source = "c.tflite"
restore-metadata = true
[tool.edgetpu.models.d]
source = "d.tflite"
cuts = ["x", "y"]
[tool.edgetpu.groups.g]
models = ["c", "b"]
order = "auto"
calls = { b = 2 }
compiler = "auto"
timeout = "3 s"
budget.cpu-operators = "none"
"""


def failure(text: str, env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(EdgeTpuBuildError) as raised:
        parse(text, env or {})
    return render_all(raised.value.diagnostics)


def test_every_key_lands_in_its_field() -> None:
    inherited = {"compiler": "google", "timeout": 120.0, "out_dir": "src/models", "wheel_path": "x"}
    budget = Budget(off_chip=65536, cpu_operators=3, strict_figures=True)
    assert parse(EVERY_KEY, {}) == Config(
        compiler="google",
        compiler_command=("docker", "{workdir}"),
        requires_compiler=">=16",
        out_dir="src/models",
        wheel_path="x",
        min_runtime_version=13,
        allow_simulator=True,
        timeout=120.0,
        jobs=3,
        ship_logs=True,
        remote_cache=(RemoteCache(url="s3://a"), RemoteCache(url="https://b", mode="read")),
        device=DeviceConfig(link="pcie", clock="std", count=2, sram=4 << 20),
        budget=budget,
        models=(
            ModelConfig(
                name="a",
                source="models/a.tflite",
                output="out/{stem}-{index}.tflite",
                segments=0,
                balance="latency",
                search_delegate=4,
                max_segments=5,
                multiple_subgraphs=True,
                min_runtime_version=12,
                timeout=1.0,
                compiler="builtin",
                out_dir="o",
                wheel_path="w",
                ship=False,
                budget=Budget(cpu_operators=3, strict_figures=True, min_edgetpu_operators=2, latency=0.008),
            ),
            ModelConfig(
                name="b",
                source="b.tflite",
                restore_metadata=True,
                intermediate_tensors=("t",),
                min_runtime_version=13,
                budget=budget,
                **inherited,
            ),
            ModelConfig(
                name="c", source="c.tflite", restore_metadata=True, min_runtime_version=13, budget=budget, **inherited
            ),
            ModelConfig(
                name="d", source="d.tflite", cuts=("x", "y"), min_runtime_version=13, budget=budget, **inherited
            ),
        ),
        groups=(
            GroupConfig(
                name="g",
                models=("c", "b"),
                order="auto",
                calls={"b": 2.0},
                compiler="auto",
                timeout=3.0,
                budget=Budget(off_chip=65536, strict_figures=True),
            ),
        ),
        hook_enabled=True,
        uses_hatchling=True,
        uses_uv=True,
        uv_cache_keys=True,
    )


def test_an_empty_table_gives_the_defaults() -> None:
    assert parse("[tool.edgetpu]", {}) == Config()


def test_lines_name_where_each_value_was_set() -> None:
    config = parse(EVERY_KEY, {})
    first, second = config.models[0], config.models[1]
    assert (config.lines[""], config.lines["timeout"]) == (6, 14)
    assert (first.lines[""], first.lines["segments"]) == (23, 26)
    assert (first.budget.lines["latency"], first.budget.lines["cpu-operators"]) == (38, 21)
    assert second.budget.lines["off-chip"] == 20
    assert config.groups[0].lines["models"] == 50


@pytest.mark.parametrize("body", GOOD)
def test_accepts(body: str) -> None:
    parse(body, {})


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.body.replace("\n", " ")[-60:])
def test_refuses_with_place_found_allowed_and_way_out(bad: Bad) -> None:
    assert failure(bad.body) == bad.says


def test_everything_is_told_at_once_in_the_order_of_the_file() -> None:
    said = failure(
        model("segments = 0", "shipp = true") + project("jobs = 0").replace("[tool.edgetpu]", "[tool.edgetpu.device]")
    )
    assert [line.split(":")[2] for line in said.splitlines() if line.startswith("error")] == ["3", "4", "6"]


def test_one_fault_is_told_once() -> None:
    assert failure(model('segments = "two"', 'balance = "latency"')).count("error") == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_is_not_toml_has_its_line(newline: str) -> None:
    said = failure(newline.join(["[tool.edgetpu]", "jobs = 1", "timeout = 5s", ""]))
    assert said.startswith("error: pyproject.toml:3: `pyproject.toml` is not TOML: ")
    assert said.endswith("[ETB201]")


def test_a_text_that_ends_too_early_has_its_last_line() -> None:
    assert failure("[tool.edgetpu]\njobs = [\n").startswith("error: pyproject.toml:3: ")


@pytest.mark.parametrize("text", ["", "[tool.other]", "tool = 3", "[project]\nname = 'x'"])
def test_no_table(text: str) -> None:
    assert failure(text) == (
        "error: pyproject.toml:1: `pyproject.toml` has no `[tool.edgetpu]` table [ETB202]\n"
        "  hint: run `edgetpu-build init` to write one"
    )


def test_a_table_that_is_none() -> None:
    assert failure("[tool]\nedgetpu = 1") == (
        "error: pyproject.toml:2: `tool.edgetpu` is `1`, allowed: a table [ETB204]"
    )


def test_the_hook_has_no_options_of_its_own() -> None:
    said = failure("[tool.hatch.build.hooks.edgetpu]\nenable-by-default = false\njobs = 3\n[tool.edgetpu]\n")
    assert said.startswith("error: pyproject.toml:3: unknown key `tool.hatch.build.hooks.edgetpu.jobs`, known here: ")
    assert said.endswith("hint: all settings of edgetpu-build stand in `[tool.edgetpu]`")


def test_a_source_outside_the_project_is_a_warning() -> None:
    config = parse('[tool.edgetpu.models.a]\nsource = "../a.tflite"', {})
    assert config.models[0].source == "../a.tflite"
    assert render_all(config.warnings) == (
        'warning: pyproject.toml:2: `models.a.source` is `"../a.tflite"`, which leaves the project [ETB210]\n'
        "  hint: it cannot travel in an sdist; move it into the project"
    )


def test_what_a_member_cannot_decide_is_a_warning() -> None:
    config = parse(GROUP.replace('"a.tflite"', '"a.tflite"\ntimeout = "1 s"'), {})
    assert render_all(config.warnings) == (
        "warning: pyproject.toml:3: `models.a.timeout` has no effect: the model is compiled as a member of `groups.g` "
        "[ETB207]\n  hint: set `timeout` there"
    )


def test_members_of_a_group_may_be_matches_of_a_glob() -> None:
    body = '[tool.edgetpu.models.x]\nsource = "m/*.tflite"\n[tool.edgetpu.groups.g]\nmodels = ["x[b]", "x[a]"]\n'
    assert parse(body, {}).groups[0].models == ("x[b]", "x[a]")


def test_a_file_of_that_name_is_no_glob() -> None:
    body = '[tool.edgetpu.models.x]\nsource = "a[1].tflite"\noutput = "x.tflite"\n'
    assert parse(body, {}, is_file=lambda path: path == "a[1].tflite").models[0].output == "x.tflite"
    assert "each match is a file of its own" in failure(body)


class TestEnvironment:
    def test_wins_over_project_models_and_groups(self) -> None:
        env = {
            "EDGETPU_BUILD_COMPILER": "builtin",
            "EDGETPU_BUILD_COMMAND": "ssh coral 'edgetpu compiler'",
            "EDGETPU_BUILD_JOBS": "7",
            "EDGETPU_BUILD_REMOTE_CACHE": "file:///srv",
            "EDGETPU_BUILD_TIMEOUT": "9 s",
            "EDGETPU_BUILD_FROZEN": "1",
        }
        config = parse(EVERY_KEY, env)
        assert config.compiler_command == ("ssh", "coral", "edgetpu compiler")
        assert (config.jobs, config.frozen) == (7, True)
        assert config.remote_cache == (RemoteCache(url="file:///srv", from_env=True),)
        everywhere = (config, *config.models, *config.groups)
        assert {(place.compiler, place.timeout) for place in everywhere} == {("builtin", 9.0)}

    def test_an_empty_variable_is_none(self) -> None:
        env = {
            f"EDGETPU_BUILD_{name}": "" for name in ("COMPILER", "COMMAND", "JOBS", "REMOTE_CACHE", "FROZEN", "TIMEOUT")
        }
        assert parse(EVERY_KEY, env) == parse(EVERY_KEY, {})

    @pytest.mark.parametrize("text", ["0", "false"])
    def test_frozen_can_be_denied(self, text: str) -> None:
        assert not parse(MODEL, {"EDGETPU_BUILD_FROZEN": text}).frozen

    @pytest.mark.parametrize(
        ("variable", "text", "said"),
        [
            (
                "COMPILER",
                "googel",
                'is `"googel"`, allowed: `"auto"`, `"builtin"` or `"google"` [ETB205]\n  hint: did you mean `google`?',
            ),
            ("JOBS", "0", 'is `"0"`, allowed: a whole number of at least 1 or `"auto"` [ETB205]'),
            ("JOBS", "x", 'is `"x"`, allowed: a whole number of at least 1 or `"auto"` [ETB205]'),
            (
                "COMMAND",
                "a 'b",
                "is `\"a 'b\"`, allowed: a list of 1 or more, each a string that is not empty [ETB205]\n  hint: the shell's rules for quotes apply: no closing quotation",
            ),
            ("FROZEN", "yes", 'is `"yes"`, allowed: `true` or `false` [ETB205]'),
            (
                "REMOTE_CACHE",
                "cache",
                'is `"cache"`, allowed: a URL that begins with s3://, gs://, az://, file://, http:// or https:// [ETB205]',
            ),
        ],
    )
    def test_its_errors_name_the_variable(self, variable: str, text: str, said: str) -> None:
        assert failure(MODEL, {f"EDGETPU_BUILD_{variable}": text}) == f"error: `EDGETPU_BUILD_{variable}` {said}"


class TestSharedStores:
    STORES = '[tool.edgetpu]\nremote-cache = ["file:///near", { url = "https://far", mode = "read" }]\n'

    def modes(self, env: Mapping[str, str]) -> list[str]:
        return [store.mode for store in parse(self.STORES, env).remote_cache]

    def test_several_in_the_environment(self) -> None:
        env = {"EDGETPU_BUILD_REMOTE_CACHE": "file:///a, https://u:p@b"}
        assert parse(self.STORES, env).remote_cache == (
            RemoteCache(url="file:///a", from_env=True),
            RemoteCache(url="https://u:p@b", from_env=True),
        )

    def test_a_password_in_the_file_is_refused_and_not_repeated(self) -> None:
        said = failure('[tool.edgetpu]\nremote-cache = "https://anna:secret@host/x"\n')
        assert (
            "error: pyproject.toml:2: `remote-cache` holds a name or password, which everybody can read [ETB205]"
            in said
        )
        assert "secret" not in said
        assert "netrc" in said

    def test_an_at_sign_further_on_is_a_path(self) -> None:
        assert parse('[tool.edgetpu]\nremote-cache = "https://host/a@b"\n', {}).remote_cache

    def test_modes(self) -> None:
        assert self.modes({}) == ["read-write", "read"]
        assert self.modes({"EDGETPU_BUILD_REMOTE_MODE": "read"}) == ["read", "read"]
        assert self.modes({"EDGETPU_BUILD_REMOTE_MODE": "read-write"}) == ["read-write", "read-write"]

    @pytest.mark.parametrize(
        ("name", "value", "reads_only"),
        [
            ("GITHUB_EVENT_NAME", "pull_request", True),
            ("GITHUB_EVENT_NAME", "pull_request_target", True),
            ("GITHUB_EVENT_NAME", "push", False),
            ("CI_PIPELINE_SOURCE", "merge_request_event", True),
            ("CI_PIPELINE_SOURCE", "push", False),
            ("CIRCLE_PULL_REQUEST", "https://github.com/x/y/pull/1", True),
            ("CIRCLE_PULL_REQUEST", "", False),
            ("BUILD_REASON", "PullRequest", True),
            ("BITBUCKET_PR_ID", "7", True),
        ],
    )
    def test_jobs_of_pull_requests_read_only(self, name: str, value: str, reads_only: bool) -> None:
        assert self.modes({name: value}) == ["read" if reads_only else "read-write", "read"]
        assert self.modes({name: value, "EDGETPU_BUILD_REMOTE_MODE": "read-write"}) == ["read-write"] * 2

    @pytest.mark.parametrize("word", ["ignore", "local", "all"])
    def test_write_errors(self, word: str) -> None:
        assert parse(self.STORES, {"EDGETPU_BUILD_REMOTE_WRITE_ERRORS": word}).write_errors == word
        assert parse(self.STORES, {}).write_errors == "ignore"

    @pytest.mark.parametrize("name", ["MODE", "WRITE_ERRORS"])
    def test_other_words_are_refused(self, name: str) -> None:
        assert f'`EDGETPU_BUILD_REMOTE_{name}` is `"both"`' in failure(
            self.STORES, {f"EDGETPU_BUILD_REMOTE_{name}": "both"}
        )


class TestFile:
    def test_is_read_with_its_sources_at_hand(self, tmp_path: Path) -> None:
        (tmp_path / "a[1].tflite").write_bytes(b"")
        (tmp_path / "pyproject.toml").write_bytes(
            b'[tool.edgetpu.models.x]\r\nsource = "a[1].tflite"\r\noutput = "x.tflite"\r\n'
        )
        assert load(tmp_path, {}).models[0].lines["output"] == 3

    def test_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(EdgeTpuBuildError) as raised:
            load(tmp_path, {})
        assert render_all(raised.value.diagnostics) == (
            f"error: pyproject.toml: no `pyproject.toml` in `{tmp_path}` [ETB201]\n"
            "  hint: run `edgetpu-build init` to write one, or name its folder with `--project`"
        )

    def test_that_is_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").mkdir()
        with pytest.raises(EdgeTpuBuildError, match=r"`pyproject.toml` cannot be read: is a directory"):
            load(tmp_path, {})

    def test_that_is_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_bytes(b"[tool.edgetpu]\nout-dir = '\xff'\n")
        with pytest.raises(EdgeTpuBuildError) as raised:
            load(tmp_path, {})
        assert raised.value.diagnostics[0].line == 2
