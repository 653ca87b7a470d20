"""Projects to measure on: many distinct models, and the same tree for doit and dvc (each stage copies a file)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support import models  # noqa: E402

HEAD = """[tool.hatch.build.hooks.edgetpu]

[tool.edgetpu]
compiler = "builtin"
out-dir = "out"
"""


def padded(model: bytes, size: int, number: int) -> bytes:
    """``model`` with bytes appended up to ``size``, as label files are; each number gives another file."""
    tail = number.to_bytes(8, "little") * ((size - len(model)) // 8 + 1)
    return (model + tail)[:size]


def many(folder: Path, count: int, size: int = 1 << 20) -> Path:
    """A project of ``count`` small networks of ``size`` bytes each, not built yet."""
    (folder / "models").mkdir(parents=True)
    model = models.conv_net(layers=2, channels=8, size=8)
    for number in range(count):
        (folder / "models" / f"m{number:05}.tflite").write_bytes(padded(model, max(size, len(model) + 8), number))
    tables = "".join(f'[tool.edgetpu.models.m{n:05}]\nsource = "models/m{n:05}.tflite"\n' for n in range(count))
    (folder / "pyproject.toml").write_text(HEAD + tables)
    return folder


def doit_file(folder: Path) -> None:
    (folder / "dodo.py").write_text(
        "import pathlib, shutil\n"
        "def task_compile():\n"
        "    for s in sorted(pathlib.Path('models').glob('*.tflite')):\n"
        "        t = pathlib.Path('doit-out') / s.name\n"
        "        yield {'name': s.stem, 'file_dep': [str(s)], 'targets': [str(t)],\n"
        "               'actions': [(shutil.copy, [str(s), str(t)])]}\n"
    )
    (folder / "doit-out").mkdir()


def dvc_file(folder: Path) -> None:
    stages = "".join(
        f"  {s.stem}:\n    cmd: cp models/{s.name} dvc-out/{s.name}\n"
        f"    deps: [models/{s.name}]\n    outs: [dvc-out/{s.name}]\n"
        for s in sorted((folder / "models").iterdir())
    )
    (folder / "dvc.yaml").write_text("stages:\n" + stages)
    (folder / "dvc-out").mkdir()


def mobilenet_v2() -> bytes:
    """MobileNet v2 at 224 x 224 (65 operators, 3.5 million weights), the weights made up."""
    return models.mobilenet_like(width=1.0, size=224, classes=1001)


def age(folder: Path) -> None:
    """Sets the times of all models well into the past, as in a checkout that is older than two seconds."""
    for path in (*folder.rglob("*.tflite"), folder / "pyproject.toml"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
