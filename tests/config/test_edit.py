"""`init` and `add`: what they write is what was meant, and every other line stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.config import edit
from edgetpu_build.config.load import parse
from edgetpu_build.config.toml import loads
from edgetpu_build.errors import EdgeTpuBuildError
from tests.config.test_lines import documents

BLOCKS = [
    '[build-system]\nrequires = ["hatchling"]  # the backend\nbuild-backend = "hatchling.build"\n',
    '[build-system]\nbuild-backend = "hatchling.build"\nrequires = [\n  "hatchling",\n  "edgetpu_build", # ours\n]\n',
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    '# who we are\n[project]\nname = "x"   # odd   spacing\nversion="1"\n',
    "[tool.ruff]\nline-length = 10\n[tool.ruff.lint]\nselect = ['ALL']\n",
    "[tool.hatch.build.targets.wheel]\npackages = ['src/x']\n",
    "[tool.hatch.build.hooks.edgetpu]\nenable-by-default = true\n",
    "[tool.hatch]\nbuild.hooks.vcs.version-file = 'x'\n",
    "[tool.edgetpu]\njobs = 2\n\n# ours\n[tool.edgetpu.models.old]\nsource = 'old.tflite'\n",
    "[tool.edgetpu]\nmodels.old.source = 'old.tflite'\n",
    "[tool.edgetpu]\nmodels = { old = { source = 'old.tflite' } }\n",
    "[tool.edgetpu.groups.door]\nmodels = ['old', 'older']\n",
    "[tool.uv]\ndev-dependencies = []\n",
    "[tool.uv.sources]\nx = { path = '..' }\n",
    "[tool.uv]\ncache-keys = [{ file = 'pyproject.toml' }, { file = 'models/*.tflite' }]\n",
    '[tool.text]\ntext = """\n[tool.edgetpu]\n# not a table\n"""\n',
    "[[tool.list]]\na = 1\n[[tool.list]]\n",
    "# the end\n",
]
SOURCES = st.lists(
    st.sampled_from(["models/a.tflite", "b c.tflite", "old.tflite", "é/ü.tflite", "A.tflite"]), unique=True
)


@st.composite
def projects(draw: st.DrawFn) -> str:
    """Blocks in any order, tables of one name once, with or without a blank line between, LF or CRLF."""
    chosen: list[str] = []
    for block in draw(st.permutations(BLOCKS).flatmap(lambda all_: st.integers(0, 8).map(lambda n: all_[:n]))):
        text = draw(st.sampled_from(["", "\n", "\n\n"])).join([*chosen, block])
        try:
            loads(text)
        except ValueError:
            continue
        chosen.append(block)
    text = draw(st.sampled_from(["", "\n"])).join(chosen)
    text = text.removesuffix("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def kept(before: str, after: str) -> bool:
    """Every line of ``before`` is in ``after``, in order; but for arrays that got one more element."""
    rows = iter(after.splitlines(keepends=True))
    return all(
        any(row == line or row.rstrip("\r\n") == line or _grown(line, row) for row in rows)
        for line in before.splitlines(keepends=True)
    )


def _grown(line: str, row: str) -> bool:
    head, bracket, tail = line.rpartition("]")
    if (bracket and "requires" in line) or "cache-keys" in line:
        return row.startswith(head.rstrip()) and row.rstrip().endswith((bracket + tail).rstrip())
    return "models = {" in line and row.startswith(line.rpartition(" }")[0].removesuffix(" }"))


@settings(deadline=None)
@given(text=projects(), uv=st.booleans())
def test_init_says_what_is_needed_and_keeps_every_line(text: str, uv: bool) -> None:
    made = edit.init(text, name="x", uv=uv)
    assert kept(text if text.strip() else "", made)
    document = loads(made)
    assert isinstance(document["tool"]["edgetpu"], dict)
    if edit.uses_hatchling(made):
        assert "edgetpu" in document["tool"]["hatch"]["build"]["hooks"]
        assert sum("edgetpu" in requirement for requirement in document["build-system"]["requires"]) == 1
    assert ("cache-keys" in document["tool"].get("uv", {})) == (uv or "uv" in loads(text).get("tool", {}))
    assert edit.init(made, name="x", uv=uv) == made


@settings(deadline=None)
@given(text=projects(), sources=SOURCES)
def test_add_gives_each_source_a_model_once_and_keeps_every_line(text: str, sources: list[str]) -> None:
    try:
        made = edit.add(text, sources, name="x")
    except EdgeTpuBuildError as problem:  # a group without models cannot be given them where `models` is inline
        pytest.fail(problem.diagnostics[0].message)
    assert kept(text if text.strip() else "", made)
    models = loads(made)["tool"]["edgetpu"].get("models", {})
    before = loads(text).get("tool", {}).get("edgetpu", {}).get("models", {})
    known = {model["source"] for model in before.values()}
    assert {model["source"] for model in models.values()} == known.union(sources)
    assert len({name.lower() for name in models}) == len(models) == len({model["source"] for model in models.values()})
    assert edit.add(made, sources, name="x") == made
    keys = loads(made)["tool"].get("uv", {}).get("cache-keys")
    if keys is not None:
        assert all(any(edit._covers(key, source) for key in keys) for source in sources if source not in known)


@settings(deadline=None)
@given(text=documents(), sources=SOURCES)
def test_whatever_else_is_in_the_file_stays(text: str, sources: list[str]) -> None:
    made = edit.add(text, sources)
    after = loads(made)
    assert {key: after[key] for key in loads(text)} == loads(text)
    assert kept(text if text.strip() else "", made)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[]", '["edgetpu-build"]'),
        ('["hatchling"]', '["hatchling", "edgetpu-build"]'),
        ('[ "hatchling", ] # why', '[ "hatchling", "edgetpu-build", ] # why'),
        ('[\n  "a",\n  "b", # why\n]', '[\n  "a",\n  "b", # why\n  "edgetpu-build",\n]'),
        ('[\n\t"a" # why\n]', '[\n\t"a", # why\n\t"edgetpu-build",\n]'),
        ('[\n  "a", "b",\n]', '[\n  "a", "b",\n  "edgetpu-build",\n]'),
        ('["a",\n "b"]', '["a",\n "b", "edgetpu-build"]'),
    ],
)
def test_an_array_grows_in_its_own_layout(before: str, after: str) -> None:
    text = '[build-system]\nrequires = {}\nbuild-backend = "hatchling.build"\n'
    assert edit.init(text.format(before)).startswith(text.format(after))


def test_newlines_stay_what_they_are() -> None:
    made = edit.add(BLOCKS[0].replace("\n", "\r\n"), ["a.tflite"])
    assert made.count("\r\n") == made.count("\n")
    assert "\r" not in edit.add(BLOCKS[0], ["a.tflite"])


def test_a_whole_project_from_nothing() -> None:
    made = edit.add("", ["models/a.tflite"], name="doorbell")
    config = parse(made, {})
    assert (config.hook_enabled, config.uses_hatchling) == (True, True)
    assert [(model.name, model.source) for model in config.models] == [("a", "models/a.tflite")]
    assert loads(made)["project"]["name"] == "doorbell"


def test_a_model_goes_after_its_like() -> None:
    text = "[tool.edgetpu.models.b]\nsource = 'b.tflite' # keep\n\n# about ruff\n[tool.ruff]\nline-length = 9\n"
    assert edit.add(text, ["a.tflite"]).startswith(
        "[tool.edgetpu.models.b]\nsource = 'b.tflite' # keep\n\n"
        '[tool.edgetpu.models.a]\nsource = "a.tflite"\n\n# about ruff\n[tool.ruff]\n'
    )


@pytest.mark.parametrize(
    ("source", "taken", "name"),
    [("m/a.tflite", "", "a"), ("a b(1).tflite", "", "a-b-1"), ("é.tflite", "", "model"), ("A.tflite", "a", "A-2")],
)
def test_names(source: str, taken: str, name: str) -> None:
    text = f"[tool.edgetpu.models.{taken}]\nsource = 'x'\n" if taken else ""
    assert name in loads(edit.add(text, [source]))["tool"]["edgetpu"]["models"]


@pytest.mark.parametrize(
    "requirement", ["edgetpu-build", "Edgetpu_Build>=1", "edgetpu.build [remote]; python_version > '3'"]
)
def test_a_requirement_that_is_there_is_not_doubled(requirement: str) -> None:
    text = f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "hatchling.build"\n'
    assert loads(edit.init(text))["build-system"]["requires"] == [requirement]


def test_another_backend_is_left_alone() -> None:
    made: dict[str, Any] = loads(edit.init(BLOCKS[2]))
    assert made["build-system"]["requires"] == ["setuptools"]
    assert "hatch" not in made["tool"]


def test_a_text_that_is_not_toml_is_left_alone() -> None:
    with pytest.raises(EdgeTpuBuildError, match="is not TOML"):
        edit.init("[tool")


def test_a_layout_that_tomlkit_cannot_read_is_no_obstacle() -> None:
    text = (
        "[tool.hatch]\nbuild.hooks.vcs.version-file = 'x'\n[tool.hatch.build.targets.wheel]\npackages = ['src/x']\n"
        f"{BLOCKS[0]}[tool.hatch.build.hooks.edgetpu]\n"
    )
    made = edit.add(text, ["a.tflite"])
    assert kept(text, made)
    assert loads(made)["tool"]["edgetpu"]["models"] == {"a": {"source": "a.tflite"}}
