"""Good and bad configurations, one table for parser and JSON Schema. What stands here is a body of `[tool.edgetpu]`."""

# ruff: noqa: E501 - rendered lines stand whole, as a user reads them
from __future__ import annotations

from typing import NamedTuple

MODEL = '[tool.edgetpu.models.a]\nsource = "a.tflite"\n'
SECOND = '[tool.edgetpu.models.b]\nsource = "b.tflite"\n'
GROUP = MODEL + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n'


class Bad(NamedTuple):
    """``says``: the rendered findings, one after the other. ``seen``: the schema can see it, too."""

    body: str
    says: str
    seen: bool = True


def project(*lines: str) -> str:
    return "[tool.edgetpu]\n" + "\n".join(lines) + "\n"


def model(*lines: str) -> str:
    return MODEL + "\n".join(lines) + "\n"


def group(*lines: str) -> str:
    return GROUP + "\n".join(lines) + "\n"


GOOD = [
    project(),
    *(project(f'compiler = "{name}"') for name in ("auto", "builtin", "google")),
    project('compiler-command = ["ssh", "coral", "edgetpu_compiler"]'),
    project('requires-compiler = ">=16"'),
    project('requires-compiler = "==15.*"'),
    project('out-dir = "src/x/models"'),
    project('out-dir = "."'),
    project('out-dir = "a b/[c]"'),
    project('wheel-path = "x/models"'),
    *(project(f"min-runtime-version = {version}") for version in range(10, 15)),
    project("allow-simulator = true"),
    *(project(f'timeout = "{text}"') for text in ("1s", "2.5 min", " 900 ms ", "10000us", "5 ns")),
    project("jobs = 1"),
    project('jobs = "auto"'),
    project("ship-logs = true"),
    *(project(f'remote-cache = "{scheme}://x"') for scheme in ("s3", "gs", "az", "http", "https")),
    project('remote-cache = "file:///srv/cache"'),
    project('remote-cache = ["s3://a/b", { url = "https://c", mode = "read" }]'),
    project('remote-cache = { url = "https://c" }'),
    project("remote-cache = []"),
    project('device = { link = "pcie", clock = "std", count = 2, sram = "8 MiB" }'),
    project("device.sram = 1"),
    *(project(f"budget.{key} = 0") for key in ("off-chip", "on-chip", "cpu-operators", "artifact-size", "growth")),
    *(project(f'budget.off-chip = "{text}"') for text in ("64 KiB", "1.5MB", "12B", "7 KB", "none", "0 B")),
    project('budget = { latency = "8 ms", subgraphs = 1, strict-figures = true }'),
    *(project(f'budget.{key} = "none"') for key in ("latency", "subgraphs", "edgetpu-operators", "on-chip", "growth")),
    project("budget.edgetpu-operators = { min = 0 }"),
    project("models = {}", "groups = {}"),
    model(),
    model('output = "out/{stem}.tflite"'),
    model("segments = 1"),
    model('segments = "auto"', "max-segments = 3", 'output = "{stem}_{index}_{count}.tflite"'),
    *(model("segments = 2", f'balance = "{word}"') for word in ("parameters", "latency", "profile")),
    model('cuts = ["x", "y"]'),
    model("segments = 3", 'cuts = ["x", "y"]', 'output = "p{index}.tflite"'),
    model('intermediate-tensors = ["x"]'),
    model("segments = 1", 'intermediate-tensors = ["x"]'),
    *(model(f"search-delegate = {value}") for value in ("true", "false", "1", "7")),
    model("restore-metadata = true"),
    model("multiple-subgraphs = true", "min-runtime-version = 10", 'timeout = "1s"', 'compiler = "google"'),
    model('out-dir = "o"', 'wheel-path = "w/x"', "ship = false", "budget = {}"),
    '[tool.edgetpu.models."a.B_c-1"]\nsource = "../outside/a.tflite"\n',
    '[tool.edgetpu.models.g]\nsource = "models/*.tflite"\noutput = "out/{stem}.tflite"\n',
    group(),
    group('order = "auto"', "calls = { a = 30, b = 0.5 }", 'compiler = "builtin"', 'timeout = "1s"'),
    group('budget = { off-chip = "none" }'),
]

_FOLDER = "allowed: a path inside the project"
_SIZE = 'allowed: bytes as a whole number, or a string such as `"64 KiB"` (B, KB, KiB, MB, MiB)'
_DURATION = 'allowed: a string such as `"180s"` or `"2.5 ms"` (ns, us, ms, s, min), more than nothing'
_URL = "allowed: a URL that begins with s3://, gs://, az://, file://, http:// or https://"
_OUTPUT = "allowed: the path of a file inside the project, with `{stem}`, `{index}` and `{count}` as placeholders"
_NAMES = "allowed: letters, digits, `-`, `_` and `.`"
_IN_PROJECT = (
    "`compiler`, `compiler-command`, `requires-compiler`, `out-dir`, `wheel-path`, `min-runtime-version`, "
    "`allow-simulator`, `timeout`, `jobs`, `ship-logs`, `remote-cache`, `device`, `budget`, `models`, `groups`"
)
_IN_MODEL = (
    "`source`, `output`, `segments`, `balance`, `cuts`, `intermediate-tensors`, `search-delegate`, `max-segments`, "
    "`multiple-subgraphs`, `restore-metadata`, `reweight`, `min-runtime-version`, `timeout`, `compiler`, `out-dir`, "
    "`wheel-path`, `ship`, `budget`"
)
_IN_BUDGET = (
    "`off-chip`, `on-chip`, `cpu-operators`, `edgetpu-operators`, `subgraphs`, `artifact-size`, `latency`, `growth`, "
    "`strict-figures`"
)
_IN_GROUP = "`models`, `order`, `calls`, `budget`, `compiler`, `timeout`"


def error(line: int, message: str, code: str, hint: str = "") -> str:
    first = f"error: pyproject.toml:{line}: {message} [{code}]"
    return f"{first}\n  hint: {hint}" if hint else first


BAD = [
    Bad(
        project("compilr = 1"),
        error(2, f"unknown key `compilr`, known here: {_IN_PROJECT}", "ETB203", "did you mean `compiler`?"),
    ),
    Bad(
        project("out_dir = 'x'"),
        error(2, f"unknown key `out_dir`, known here: {_IN_PROJECT}", "ETB203", "did you mean `out-dir`?"),
    ),
    Bad(
        project("ship = true"),
        error(2, f"unknown key `ship`, known here: {_IN_PROJECT}", "ETB203", "did you mean `ship-logs`?"),
    ),
    Bad(
        project("search-delegate = true"),
        error(
            2,
            f"unknown key `search-delegate`, known here: {_IN_PROJECT}",
            "ETB203",
            "`search-delegate` belongs in `[tool.edgetpu.models.NAME]`",
        ),
    ),
    Bad(model('"x y" = 1'), error(3, f'unknown key `models.a."x y"`, known here: {_IN_MODEL}', "ETB203")),
    Bad(
        model("budget.off_chip = 1"),
        error(
            3, f"unknown key `models.a.budget.off_chip`, known here: {_IN_BUDGET}", "ETB203", "did you mean `off-chip`?"
        ),
    ),
    Bad(
        group("segments = 2"),
        error(
            7,
            f"unknown key `groups.g.segments`, known here: {_IN_GROUP}",
            "ETB203",
            "`segments` belongs in `[tool.edgetpu.models.NAME]`",
        ),
    ),
    Bad(
        project('compiler = "gogle"'),
        error(
            2,
            '`compiler` is `"gogle"`, allowed: `"auto"`, `"builtin"` or `"google"`',
            "ETB205",
            "did you mean `google`?",
        ),
    ),
    Bad(
        project("compiler = 16"), error(2, '`compiler` is `16`, allowed: `"auto"`, `"builtin"` or `"google"`', "ETB204")
    ),
    Bad(
        project('compiler-command = "x y"'),
        error(
            2, '`compiler-command` is `"x y"`, allowed: a list of 1 or more, each a string that is not empty', "ETB204"
        ),
    ),
    Bad(
        project("compiler-command = []"),
        error(2, "`compiler-command` is `[]`, allowed: a list of 1 or more, each a string that is not empty", "ETB205"),
    ),
    Bad(
        project('compiler-command = [\n  "x",\n  "",\n]'),
        error(4, '`compiler-command[1]` is `""`, allowed: a string that is not empty', "ETB205"),
    ),
    Bad(
        project('requires-compiler = "16"'),
        error(
            2,
            '`requires-compiler` is `"16"`, allowed: a PEP 440 version specifier such as `">=16"`',
            "ETB205",
            'write `"==16"` for exactly that one',
        ),
        seen=False,
    ),
    Bad(
        project("requires-compiler = 16.0"),
        error(2, '`requires-compiler` is `16.0`, allowed: a PEP 440 version specifier such as `">=16"`', "ETB204"),
    ),
    Bad(
        project('out-dir = "/srv"'),
        error(2, f'`out-dir` is `"/srv"`, {_FOLDER}', "ETB210", "write it relative to the folder of `pyproject.toml`"),
    ),
    Bad(
        project('out-dir = "a/../../b"'),
        error(2, f'`out-dir` is `"a/../../b"`, {_FOLDER}', "ETB210", "outputs stay inside the project"),
    ),
    Bad(project('out-dir = ""'), error(2, f'`out-dir` is `""`, {_FOLDER}', "ETB205")),
    Bad(project("out-dir = true"), error(2, f"`out-dir` is `true`, {_FOLDER}", "ETB204")),
    Bad(
        project('wheel-path = ".."'),
        error(2, f'`wheel-path` is `".."`, {_FOLDER}', "ETB210", "outputs stay inside the project"),
    ),
    Bad(
        project("min-runtime-version = 15"),
        error(2, "`min-runtime-version` is `15`, allowed: a whole number from 10 to 14", "ETB205"),
    ),
    Bad(
        project("min-runtime-version = 9"),
        error(2, "`min-runtime-version` is `9`, allowed: a whole number from 10 to 14", "ETB205"),
    ),
    Bad(
        project('min-runtime-version = "14"'),
        error(2, '`min-runtime-version` is `"14"`, allowed: a whole number from 10 to 14', "ETB204"),
    ),
    Bad(
        project("min-runtime-version = true"),
        error(2, "`min-runtime-version` is `true`, allowed: a whole number from 10 to 14", "ETB204"),
    ),
    Bad(project("allow-simulator = 1"), error(2, "`allow-simulator` is `1`, allowed: `true` or `false`", "ETB204")),
    Bad(project("timeout = 180"), error(2, f"`timeout` is `180`, {_DURATION}", "ETB204", 'write `"180s"` for seconds')),
    Bad(project('timeout = "180"'), error(2, f'`timeout` is `"180"`, {_DURATION}', "ETB205")),
    Bad(project('timeout = "3 h"'), error(2, f'`timeout` is `"3 h"`, {_DURATION}', "ETB205")),
    Bad(project('timeout = "0 s"'), error(2, f'`timeout` is `"0 s"`, {_DURATION}', "ETB205")),
    Bad(project('timeout = "-1 s"'), error(2, f'`timeout` is `"-1 s"`, {_DURATION}', "ETB205")),
    Bad(project("timeout = 2026-11-25"), error(2, f"`timeout` is `2026-11-25`, {_DURATION}", "ETB204")),
    Bad(project("jobs = 0"), error(2, '`jobs` is `0`, allowed: a whole number of at least 1 or `"auto"`', "ETB205")),
    Bad(
        project('jobs = "many"'),
        error(2, '`jobs` is `"many"`, allowed: a whole number of at least 1 or `"auto"`', "ETB205"),
    ),
    Bad(
        project("jobs = 1.5"), error(2, '`jobs` is `1.5`, allowed: a whole number of at least 1 or `"auto"`', "ETB204")
    ),
    Bad(project('remote-cache = "ftp://x"'), error(2, f'`remote-cache.url` is `"ftp://x"`, {_URL}', "ETB205")),
    Bad(
        project('remote-cache = [\n  "s3://x",\n  { url = "s3://y", mode = "write" },\n]'),
        error(
            4,
            '`remote-cache[1].mode` is `"write"`, allowed: `"read"` or `"read-write"`',
            "ETB205",
            "did you mean `read-write`?",
        ),
    ),
    Bad(
        project("remote-cache = 3"),
        error(2, "`remote-cache` is `3`, allowed: a URL, a table of `url` and `mode`, or a list of these", "ETB204"),
    ),
    Bad(
        project('remote-cache = { mode = "read" }'),
        error(2, f"`remote-cache.url` is missing, {_URL}", "ETB206", 'add `url = "s3://models/edgetpu"`'),
    ),
    Bad(project('device = "usb"'), error(2, '`device` is `"usb"`, allowed: a table', "ETB204")),
    Bad(
        project("device.count = 0"), error(2, "`device.count` is `0`, allowed: a whole number of at least 1", "ETB205")
    ),
    Bad(
        project('device.sram = "0 MiB"'),
        error(
            2,
            '`device.sram` is `"0 MiB"`, allowed: bytes as a whole number of at least 1, or a string such as `"8 MiB"` (B, KB, KiB, MB, MiB)',
            "ETB205",
        ),
    ),
    Bad(project("budget.off-chip = -1"), error(2, f'`budget.off-chip` is `-1`, {_SIZE}, or `"none"`', "ETB205")),
    Bad(
        project('budget.off-chip = "64 kib"'),
        error(2, f'`budget.off-chip` is `"64 kib"`, {_SIZE}, or `"none"`', "ETB205"),
    ),
    Bad(
        project('budget.off-chip = "0.3 B"'),
        error(2, f'`budget.off-chip` is `"0.3 B"`, {_SIZE}, or `"none"`', "ETB205"),
        seen=False,
    ),
    Bad(project("budget.off-chip = 1.5"), error(2, f'`budget.off-chip` is `1.5`, {_SIZE}, or `"none"`', "ETB204")),
    Bad(
        project('budget.cpu-operators = "non"'),
        error(
            2,
            '`budget.cpu-operators` is `"non"`, allowed: a whole number of at least 0, or `"none"`',
            "ETB204",
            "did you mean `none`?",
        ),
    ),
    Bad(
        project("budget.edgetpu-operators = 3"),
        error(2, '`budget.edgetpu-operators` is `3`, allowed: a table `{ min = n }`, or `"none"`', "ETB204"),
    ),
    Bad(
        project("budget.edgetpu-operators = { max = 3 }"),
        error(2, '`budget.edgetpu-operators` is `{ max = 3 }`, allowed: a table `{ min = n }`, or `"none"`', "ETB205"),
    ),
    Bad(
        project('budget.strict-figures = "none"'),
        error(2, '`budget.strict-figures` is `"none"`, allowed: `true` or `false`', "ETB204"),
    ),
    Bad(project("models = []"), error(2, "`models` is `[]`, allowed: a table of tables", "ETB204")),
    Bad(project('models.a = "a.tflite"'), error(2, '`models.a` is `"a.tflite"`, allowed: a table', "ETB204")),
    Bad(
        "[tool.edgetpu.models.a]\nship = true\n",
        error(
            1,
            "`models.a.source` is missing, allowed: the path of a model, or a glob",
            "ETB206",
            'add `source = "models/detector.tflite"`',
        ),
    ),
    Bad(
        '[tool.edgetpu.models.a]\nsource = ["a"]\n',
        error(2, '`models.a.source` is `["a"]`, allowed: the path of a model, or a glob', "ETB204"),
    ),
    Bad(
        '[tool.edgetpu.models."a b"]\nsource = "x"\n',
        error(1, f'name `models."a b"`, {_NAMES}', "ETB208", "call it `a-b`"),
    ),
    Bad(
        '[tool.edgetpu.models."é"]\nsource = "x"\n',
        error(1, f'name `models."é"`, {_NAMES}', "ETB208", "call it `model`"),
    ),
    Bad(
        MODEL + '[tool.edgetpu.models.A]\nsource = "x"\n',
        error(3, "`models.A` clashes with `models.a`: they differ in case alone", "ETB208", "rename one of them"),
        seen=False,
    ),
    Bad(
        MODEL + SECOND + '[tool.edgetpu.groups.a]\nmodels = ["a", "b"]\n',
        error(
            5, "`groups.a` clashes with `models.a`: models and groups share their names", "ETB208", "rename one of them"
        ),
        seen=False,
    ),
    Bad(
        model('output = "out/"'),
        error(3, f'`models.a.output` is `"out/"`, {_OUTPUT}', "ETB205", "it names a file, not a folder"),
    ),
    Bad(
        model('output = "."'),
        error(3, f'`models.a.output` is `"."`, {_OUTPUT}', "ETB205", "it names a file, not a folder"),
    ),
    Bad(
        model('output = "../a.tflite"'),
        error(3, f'`models.a.output` is `"../a.tflite"`, {_OUTPUT}', "ETB210", "outputs stay inside the project"),
    ),
    Bad(
        model('output = "{name}.tflite"'),
        error(3, f'`models.a.output` is `"{{name}}.tflite"`, {_OUTPUT}', "ETB205", "`{name}` is not a placeholder"),
    ),
    Bad(
        model("segments = 2", 'output = "{stem}.tflite"'),
        error(
            4,
            '`models.a.output` is `"{stem}.tflite"`, allowed with segments: a path with `{index}` in it',
            "ETB205",
            "each segment is a file of its own",
        ),
    ),
    Bad(
        model('output = "{index}.tflite"'),
        error(
            3,
            "`models.a.output` has `{index}` or `{count}`, but the model is not segmented",
            "ETB205",
            "add `segments`, or remove the placeholder",
        ),
    ),
    Bad(
        '[tool.edgetpu.models.a]\nsource = "m/*.tflite"\noutput = "x.tflite"\n',
        error(
            3,
            '`models.a.output` is `"x.tflite"`, allowed with a glob as `source`: a path with `{stem}` in it',
            "ETB205",
            "each match is a file of its own",
        ),
        seen=False,
    ),
    Bad(
        model("segments = 0"),
        error(3, '`models.a.segments` is `0`, allowed: a whole number of at least 1 or `"auto"`', "ETB205"),
    ),
    Bad(
        model('balance = "latency"'),
        error(
            3,
            "`models.a.balance` needs `segments`, of two or more",
            "ETB207",
            "add `segments = 2`, or remove `balance`",
        ),
    ),
    Bad(
        model("segments = 1", 'balance = "latency"'),
        error(
            4,
            "`models.a.balance` needs `segments`, of two or more",
            "ETB207",
            "add `segments = 2`, or remove `balance`",
        ),
    ),
    Bad(
        model("segments = 2", 'balance = "size"'),
        error(4, '`models.a.balance` is `"size"`, allowed: `"parameters"`, `"latency"` or `"profile"`', "ETB205"),
    ),
    Bad(
        model("segments = 2", 'balance = "latency"', 'cuts = ["x"]'),
        error(
            5,
            "`models.a.cuts` and `balance` exclude each other",
            "ETB207",
            "keep `cuts` to say where, or `balance` to have it found",
        ),
    ),
    Bad(
        model("segments = 1", 'cuts = ["x"]'),
        error(4, "`models.a.cuts` and `segments = 1` exclude each other", "ETB207", "remove `segments`"),
    ),
    Bad(
        model('cuts = ["x", "x"]'),
        error(
            3,
            '`models.a.cuts` is `["x", "x"]`, allowed: a list of 1 or more, each a string that is not empty, none twice',
            "ETB205",
        ),
    ),
    Bad(
        model("segments = 2", 'intermediate-tensors = ["x"]'),
        error(
            4,
            "`models.a.intermediate-tensors` and `segments` exclude each other",
            "ETB207",
            "remove one of them; `segments` already makes the pieces' outputs",
        ),
    ),
    Bad(
        model('cuts = ["y"]', 'intermediate-tensors = ["x"]'),
        error(
            4,
            "`models.a.intermediate-tensors` and `cuts` exclude each other",
            "ETB207",
            "remove one of them; `cuts` already makes the pieces' outputs",
        ),
    ),
    *(
        Bad(
            model(key, "restore-metadata = true"),
            error(
                4,
                f"`models.a.restore-metadata` and `{key.split()[0]}` exclude each other",
                "ETB207",
                "metadata speak of the whole model",
            ),
            seen=False,
        )
        for key in ("segments = 2", 'cuts = ["y"]')
    ),
    Bad(
        model("search-delegate = 0"),
        error(
            3,
            "`models.a.search-delegate` is `0`, allowed: `true`, `false`, or a step as a whole number of at least 1",
            "ETB205",
        ),
    ),
    Bad(
        model('search-delegate = "yes"'),
        error(
            3,
            '`models.a.search-delegate` is `"yes"`, allowed: `true`, `false`, or a step as a whole number of at least 1',
            "ETB204",
        ),
    ),
    Bad(
        model("max-segments = 0"),
        error(3, "`models.a.max-segments` is `0`, allowed: a whole number of at least 1", "ETB205"),
    ),
    Bad(
        MODEL + '[tool.edgetpu.groups.g]\nmodels = ["a"]\n',
        error(
            4,
            '`groups.g.models` is `["a"]`, allowed: a list of 2 or more, each a string that is not empty, none twice',
            "ETB205",
        ),
    ),
    Bad(
        MODEL + '[tool.edgetpu.groups.g]\nmodels = ["a", "a"]\n',
        error(
            4,
            '`groups.g.models` is `["a", "a"]`, allowed: a list of 2 or more, each a string that is not empty, none twice',
            "ETB205",
        ),
    ),
    Bad(
        MODEL + '[tool.edgetpu.groups.g]\norder = "auto"\n',
        error(
            3,
            "`groups.g.models` is missing, allowed: a list of 2 or more, each a string that is not empty, none twice",
            "ETB206",
            'add `models = ["detector", "classifier"]`',
        ),
    ),
    Bad(
        '[tool.edgetpu.models.cat]\nsource = "a"\n'
        + SECOND
        + '[tool.edgetpu.groups.g]\nmodels = [\n  "b",\n  "cats",\n]\n',
        error(8, "`groups.g.models[1]` is `cats`, not a model; known: `cat`, `b`", "ETB209", "did you mean `cat`?"),
        seen=False,
    ),
    Bad(
        GROUP + '[tool.edgetpu.models.c]\nsource = "c"\n[tool.edgetpu.groups.h]\nmodels = ["c", "b"]\n',
        error(10, "model `b` is in two groups, `g` and `h`; allowed is one", "ETB208", "remove it from one of them"),
        seen=False,
    ),
    Bad(
        group("calls = { a = -1 }"),
        error(
            7,
            "`groups.g.calls` is `{ a = -1 }`, allowed: a table of model names, each with its calls per second, such as `{ detector = 30 }`",
            "ETB205",
        ),
    ),
    Bad(
        group("calls.a = 1", "calls.c = 1"),
        error(8, "`groups.g.calls.c` is not a member of the group, which are `a`, `b`", "ETB209"),
        seen=False,
    ),
    Bad(
        MODEL + "segments = 2\n" + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n',
        error(
            3,
            "`models.a.segments` and membership in `groups.g` exclude each other",
            "ETB207",
            "remove `segments`, or take the model out of the group",
        ),
        seen=False,
    ),
    Bad(
        MODEL + 'cuts = ["x"]\n' + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n',
        error(
            3,
            "`models.a.cuts` and membership in `groups.g` exclude each other",
            "ETB207",
            "remove `cuts`, or take the model out of the group",
        ),
        seen=False,
    ),
    Bad(
        MODEL + "search-delegate = true\n" + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n',
        error(
            3,
            "`models.a.search-delegate` and membership in `groups.g` exclude each other",
            "ETB207",
            "remove `search-delegate`, or take the model out of the group",
        ),
        seen=False,
    ),
    Bad(
        MODEL + "min-runtime-version = 13\n" + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n',
        error(
            7,
            "members of `groups.g` differ in `min-runtime-version`: 13, 14",
            "ETB207",
            "a group is one compile: give all the same",
        ),
        seen=False,
    ),
    Bad(
        MODEL + "restore-metadata = true\n" + SECOND + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n',
        error(
            7,
            "members of `groups.g` differ in `restore-metadata`: false, true",
            "ETB207",
            "a group is one compile: give all the same",
        ),
        seen=False,
    ),
]
