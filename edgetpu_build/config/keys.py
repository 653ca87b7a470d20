"""Every key of `[tool.edgetpu]` as data: the one source of parser, messages, JSON Schema and reference page.

The defaults are those of `config.model`; ``default`` is how TOML would write them (a test holds the two together).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from edgetpu_build.config.kinds import (
    BOOLEAN,
    CALLS,
    DURATION,
    FOLDER,
    OPERATORS,
    OUTPUT,
    POSITIVE_SIZE,
    SEARCH,
    SIZE,
    SOURCE,
    SPECIFIER,
    TEXT,
    URL,
    Kind,
    choice,
    integer,
    list_of,
    or_none,
)

Scope = Literal["project", "model", "group", "budget", "device", "remote"]

NAME = r"[A-Za-z0-9._-]+"


class Key(NamedTuple):
    """One key of one table. ``table``: it holds a table (for models and groups: a table of them) of that scope.

    ``kind`` is None exactly where ``table`` is not. ``field``: its name in `config.model`. ``env``: the variable that
    wins over the file, for this key wherever it stands.
    """

    name: str
    doc: str
    example: str
    kind: Kind | None = None
    table: Scope | None = None
    default: str = ""
    required: bool = False
    env: str = ""
    field: str = ""

    @property
    def attribute(self) -> str:
        return self.field or self.name.replace("-", "_")


_COMPILER = choice("auto", "builtin", "google")
_VERSION = integer(10, 14)

PROJECT = (
    Key(
        name="compiler",
        kind=_COMPILER,
        default='"auto"',
        env="EDGETPU_BUILD_COMPILER",
        doc="Which compiler makes the artifacts. `google` is Google's `edgetpu_compiler`, whose artifacts run on "
        "silicon; `builtin` is this project's own, which predicts it and whose artifacts run on the simulated device "
        "only; `auto` is what the lock names, else google where it is found, else builtin.",
        example='compiler = "google"',
    ),
    Key(
        name="compiler-command",
        kind=list_of(TEXT, at_least=1),
        default='["edgetpu_compiler"]',
        env="EDGETPU_BUILD_COMMAND",
        doc="How to start Google's compiler, one list element an argument. `{workdir}` is replaced by the folder that "
        "holds the models, so that it can run in a container or on another machine.",
        example='compiler-command = ["podman", "run", "--rm", "-v", "{workdir}:{workdir}", "edgetpu_compiler"]',
    ),
    Key(
        name="requires-compiler",
        kind=SPECIFIER,
        doc="Versions of the compiler that may be used, as a PEP 440 specifier; another one is refused. With builtin "
        "it chooses the compiler generation that is predicted: the newest known one that fits, 16.0 without this key.",
        example='requires-compiler = ">=16"',
    ),
    Key(
        name="out-dir",
        kind=FOLDER,
        doc="Folder for the compiled files, relative to pyproject.toml and inside the project. Without it each stands "
        "beside its source.",
        example='out-dir = "src/doorbell/models"',
    ),
    Key(
        name="wheel-path",
        kind=FOLDER,
        doc="Where in the wheel the compiled files go, if `out-dir` is not inside a packaged folder.",
        example='wheel-path = "doorbell/models"',
    ),
    Key(
        name="min-runtime-version",
        kind=_VERSION,
        default="14",
        doc="The oldest Edge TPU runtime that the compiled files must run on. Older ones know fewer operators.",
        example="min-runtime-version = 13",
    ),
    Key(
        name="allow-simulator",
        kind=BOOLEAN,
        default="false",
        doc="Whether artifacts of the builtin compiler, which no silicon runs, may go into a wheel or sdist.",
        example="allow-simulator = true",
    ),
    Key(
        name="timeout",
        kind=DURATION,
        default='"180s"',
        env="EDGETPU_BUILD_TIMEOUT",
        doc="How long one compile may take before it is stopped and fails.",
        example='timeout = "10 min"',
    ),
    Key(
        name="jobs",
        kind=integer(1, auto=True),
        default='"auto"',
        env="EDGETPU_BUILD_JOBS",
        doc="How many compiles run at the same time; `auto` is one for each processor, with Google's compiler as many "
        "as there is memory for.",
        example="jobs = 4",
    ),
    Key(
        name="ship-logs",
        kind=BOOLEAN,
        default="false",
        doc="Whether the compiler's `.log` files go into the wheel too.",
        example="ship-logs = true",
    ),
    Key(
        name="remote-cache",
        table="remote",
        env="EDGETPU_BUILD_REMOTE_CACHE",
        doc="A shared store behind the local one: a URL, a table of `url` and `mode`, or a list of these, asked in "
        "that order. Slow or unreachable stores cost a warning, never a build.",
        example='remote-cache = "https://cache.example.org"',
    ),
    Key(
        name="device",
        table="device",
        doc="What simulation and predicted latency assume about the device.",
        example='device = { link = "usb3", count = 2 }',
    ),
    Key(
        name="budget",
        table="budget",
        doc="Bounds that every model and group inherits, key by key.",
        example='budget = { off-chip = "64 KiB" }',
    ),
    Key(
        name="models",
        table="model",
        doc="The models to compile, a table each. Names have letters, digits, `-`, `_` and `.`, and are unique across "
        "models and groups, whatever the case of their letters.",
        example='[tool.edgetpu.models.detector]\nsource = "models/detector.tflite"',
    ),
    Key(
        name="groups",
        table="group",
        doc="Models compiled together, so that they share the on-chip memory, a table each.",
        example='[tool.edgetpu.groups.front-door]\nmodels = ["detector", "classifier"]',
    ),
)

MODEL = (
    Key(
        name="source",
        kind=SOURCE,
        required=True,
        doc="The model to compile, relative to pyproject.toml. A path that names no file and holds `*`, `?` or `[` is "
        "a glob: one model for each match, named `KEY[stem]`; compiled files never match.",
        example='source = "models/detector.tflite"',
    ),
    Key(
        name="output",
        kind=OUTPUT,
        default='"OUT-DIR/{stem}_edgetpu.tflite"',
        doc="Path of the compiled file. Segments need `{index}` in it (their default is "
        "`OUT-DIR/{stem}_segment_{index}_of_{count}_edgetpu.tflite`), a glob needs `{stem}`.",
        example='output = "src/doorbell/detector.tflite"',
    ),
    Key(
        name="segments",
        kind=integer(1, auto=True),
        default="1",
        doc="Into how many segments the model is cut, to be run as a pipeline; `auto` is the smallest count, up to "
        "`max-segments`, with nothing off-chip. Not for members of a group, nor with `intermediate-tensors`.",
        example="segments = 4",
    ),
    Key(
        name="balance",
        kind=choice("parameters", "latency", "profile"),
        default='"parameters"',
        doc="What the segments are balanced by: `parameters` as Google's compiler does, `latency` as predicted for the "
        "`device` table (the slowest segment is as fast as it can be), `profile` as measured, which this version does "
        "on the simulated device only and so cuts as `latency`. Needs `segments`.",
        example='balance = "latency"',
    ),
    Key(
        name="cuts",
        kind=list_of(TEXT, at_least=1, unique=True),
        default="[]",
        doc="Names of the tensors where to cut, instead of `balance`.",
        example='cuts = ["block_4/add", "block_9/add"]',
    ),
    Key(
        name="intermediate-tensors",
        kind=list_of(TEXT, at_least=1, unique=True),
        default="[]",
        doc="Names of the tensors that become outputs of the Edge TPU operator: what comes after runs on the CPU.",
        example='intermediate-tensors = ["logits"]',
    ),
    Key(
        name="search-delegate",
        kind=SEARCH,
        default="false",
        doc="When the compile fails, step back from the end of the graph until it works; a number is the step in "
        "operators. The builtin compiler guesses from activation memory whether a try would fail, and warns where it "
        "did.",
        example="search-delegate = 4",
    ),
    Key(
        name="max-segments",
        kind=integer(1),
        default="8",
        doc='The bound for `segments = "auto"`.',
        example="max-segments = 4",
    ),
    Key(
        name="multiple-subgraphs",
        kind=BOOLEAN,
        default="false",
        doc="Make every part that can be mapped an Edge TPU operator, not the first one only.",
        example="multiple-subgraphs = true",
    ),
    Key(
        name="restore-metadata",
        kind=BOOLEAN,
        default="false",
        doc="Put back what Google's compiler drops: metadata, signatures, and labels appended to the model. The Edge "
        "TPU operator's bytes stay as they are. Not for segments, of which no metadata speaks. Members of a group must "
        "agree.",
        example="restore-metadata = true",
    ),
    Key(
        name="reweight",
        kind=choice("off", "auto", "only"),
        default='"off"',
        doc="With Google's compiler: make the artifact from a stored one of the same architecture, without a compile, "
        "where that is proven; `only`: never compile. Not for segments or members of a group. Never tried on hardware: "
        "see docs/explanation/reweighting.md.",
        example='reweight = "auto"',
    ),
    Key(
        name="min-runtime-version",
        kind=_VERSION,
        doc="As in the project's table, for this model. Members of a group must agree.",
        example="min-runtime-version = 13",
    ),
    Key(
        name="timeout",
        kind=DURATION,
        env="EDGETPU_BUILD_TIMEOUT",
        doc="As in the project's table, for this model.",
        example='timeout = "10 min"',
    ),
    Key(
        name="compiler",
        kind=_COMPILER,
        env="EDGETPU_BUILD_COMPILER",
        doc="As in the project's table, for this model.",
        example='compiler = "builtin"',
    ),
    Key(
        name="out-dir",
        kind=FOLDER,
        doc="As in the project's table, for this model.",
        example='out-dir = "src/doorbell/models"',
    ),
    Key(
        name="wheel-path",
        kind=FOLDER,
        doc="As in the project's table, for this model.",
        example='wheel-path = "doorbell/models"',
    ),
    Key(
        name="ship",
        kind=BOOLEAN,
        default="true",
        doc="Whether the compiled file goes into wheel and sdist.",
        example="ship = false",
    ),
    Key(
        name="budget",
        table="budget",
        doc="This model's bounds, on top of the project's.",
        example="budget = { cpu-operators = 1 }",
    ),
)

GROUP = (
    Key(
        name="models",
        kind=list_of(TEXT, at_least=2, unique=True),
        required=True,
        doc="Names of the models that are compiled together, in this order. Compilers up to 15.0 serve them in turn "
        "when they share out on-chip memory, 16.0 pools the layers of all. A model is in one group at most.",
        example='models = ["detector", "classifier"]',
    ),
    Key(
        name="order",
        kind=choice("declared", "auto"),
        default='"declared"',
        doc="`declared` takes `models` as they stand; `auto` the order that leaves least off-chip, weighted by "
        "`calls`.",
        example='order = "auto"',
    ),
    Key(
        name="calls",
        kind=CALLS,
        default="{}",
        doc="How often each model is called, in calls per second.",
        example="calls = { detector = 30, classifier = 2 }",
    ),
    Key(
        name="budget",
        table="budget",
        doc="Bounds for the sum of the members, on top of the project's; members keep their own too.",
        example='budget = { off-chip = "none" }',
    ),
    Key(
        name="compiler",
        kind=_COMPILER,
        env="EDGETPU_BUILD_COMPILER",
        doc="As in the project's table, for this group.",
        example='compiler = "builtin"',
    ),
    Key(
        name="timeout",
        kind=DURATION,
        env="EDGETPU_BUILD_TIMEOUT",
        doc="As in the project's table, for this group.",
        example='timeout = "10 min"',
    ),
)

BUDGET = (
    Key(
        name="off-chip",
        kind=or_none(SIZE),
        doc="Most parameter bytes that may be streamed from off-chip memory at each inference. Element-wise constants "
        "always stream a little, so leave room for some KiB. With segments, for each of them.",
        example='off-chip = "64 KiB"',
    ),
    Key(
        name="on-chip",
        kind=or_none(SIZE),
        doc="Most parameter bytes that may be cached on-chip.",
        example='on-chip = "6 MiB"',
    ),
    Key(
        name="cpu-operators",
        kind=or_none(integer(0)),
        doc="Most operators that may stay on the CPU.",
        example="cpu-operators = 1",
    ),
    Key(
        name="edgetpu-operators",
        kind=or_none(OPERATORS),
        field="min_edgetpu_operators",
        doc="Fewest operators that must be mapped to the Edge TPU. A minimum of 0 also allows a model of which nothing "
        "is mapped.",
        example="edgetpu-operators = { min = 60 }",
    ),
    Key(
        name="subgraphs",
        kind=or_none(integer(0)),
        doc="Most Edge TPU subgraphs.",
        example="subgraphs = 1",
    ),
    Key(
        name="artifact-size",
        kind=or_none(SIZE),
        doc="Largest compiled file.",
        example='artifact-size = "7 MiB"',
    ),
    Key(
        name="latency",
        kind=or_none(DURATION),
        doc="Longest predicted latency of one inference, on the `device` that is described; with segments, of the "
        "slowest.",
        example='latency = "8 ms"',
    ),
    Key(
        name="growth",
        kind=or_none(SIZE),
        doc="Most bytes by which the off-chip parameters may grow against the committed lock, or the one at "
        "`check --base REV`.",
        example='growth = "16 KiB"',
    ),
    Key(
        name="strict-figures",
        kind=BOOLEAN,
        default="false",
        doc="Fail also where a bound is kept by a figure that is not exact.",
        example="strict-figures = true",
    ),
)

DEVICE = (
    Key(
        name="link",
        kind=choice("pcie", "usb3", "usb2"),
        default='"usb3"',
        doc="How the device is attached.",
        example='link = "pcie"',
    ),
    Key(
        name="clock",
        kind=choice("max", "std"),
        default='"max"',
        doc="At which of the runtime's two clock rates it runs.",
        example='clock = "std"',
    ),
    Key(
        name="count",
        kind=integer(1),
        default="1",
        doc="How many devices there are.",
        example="count = 2",
    ),
    Key(
        name="sram",
        kind=POSITIVE_SIZE,
        default='"8 MiB"',
        doc="On-chip memory of each device.",
        example='sram = "8 MiB"',
    ),
)

MODE = choice("read", "read-write")

REMOTE = (
    Key(
        name="url",
        kind=URL,
        required=True,
        doc="Address of the store: an object store, a folder, or a server with the HTTP layout of Bazel's cache.",
        example='url = "s3://models/edgetpu"',
    ),
    Key(
        name="mode",
        kind=MODE,
        default='"read-write"',
        doc="Whether results are only taken from it, or put there too.",
        example='mode = "read"',
    ),
)

KEYS: dict[Scope, dict[str, Key]] = {
    "project": {key.name: key for key in PROJECT},
    "model": {key.name: key for key in MODEL},
    "group": {key.name: key for key in GROUP},
    "budget": {key.name: key for key in BUDGET},
    "device": {key.name: key for key in DEVICE},
    "remote": {key.name: key for key in REMOTE},
}

REMOTE_ALLOWED = "a URL, a table of `url` and `mode`, or a list of these"

FROZEN = "EDGETPU_BUILD_FROZEN"
REMOTE_MODE = "EDGETPU_BUILD_REMOTE_MODE"
REMOTE_WRITE_ERRORS = "EDGETPU_BUILD_REMOTE_WRITE_ERRORS"
WRITE_ERRORS = choice("ignore", "local", "all")

PULL_REQUEST = {
    "GITHUB_EVENT_NAME": "pull_request",
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CIRCLE_PULL_REQUEST": "https://",
    "BUILD_REASON": "PullRequest",
    "BITBUCKET_PR_ID": "",
}
"""Variable of a CI -> how its value begins when the job builds what anybody may have proposed."""

ENVIRONMENT = {
    **{key.env: f"Wins over `{key.name}`, wherever that stands." for key in PROJECT if key.env},
    REMOTE_MODE: "`read` or `read-write`, for every shared store; without it, CI jobs of pull requests only read.",
    REMOTE_WRITE_ERRORS: "`ignore` (default): a unit that cannot be kept is a warning; `local`: an error where the "
    "local store cannot keep it; `all`: also where a shared one cannot.",
    "EDGETPU_BUILD_REMOTE_TOKEN": "Bearer token for the servers in `EDGETPU_BUILD_REMOTE_CACHE`, and for no others; "
    "netrc serves those in pyproject.toml.",
    FROZEN: "`1` compiles nothing, as `build --frozen`: only the lock and stored or committed outputs.",
    "EDGETPU_BUILD_CACHE_DIR": "Folder of the store, instead of the user's cache folder.",
    "EDGETPU_BUILD_CACHE_SIZE": "How large the store may grow (2 GiB without it).",
}

# What hatch itself understands in the table that switches the hook on; the hook has no options of its own.
HOOK_OPTIONS = ("dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features")
