from __future__ import annotations

from typing import Any

import pytest

from edgetpu_build.compiler.google import transcript, translate
from edgetpu_build.compiler.google.locate import smallest_failing
from edgetpu_build.compiler.google.session import Run
from edgetpu_build.compiler.interface import Options
from edgetpu_build.errors import Diagnostic
from edgetpu_build.tflite import reader
from tests.support import models
from tests.support.standin.recording import DONE, FAILED, TIMER, V16

FINE = models.conv_net(layers=2, channels=8, size=8)
NEWER = (
    "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '8'. An older version\n"
    "ERROR: Registration failed.\n\nInvalid model: x\nModel could not be parsed\n"
)
UNRESOLVED = (
    f"{TIMER}ERROR: Encountered unresolved custom op: Foo.\nERROR: Node number 1 (Foo) failed to prepare.\n\n"
    "Compilation failed: Model failed in Tflite interpreter. Please ensure model can be loaded/run in Tflite "
    f"interpreter.\n{DONE}{FAILED}"
)
DYNAMIC = (
    f"{TIMER}ERROR: Attempting to use a delegate that only supports static-sized tensors with a graph that has "
    f"dynamic-sized tensors.\n{DONE}{FAILED}"
)
OVERFLOW = (
    f"{TIMER}ERROR: :344 no_integer_overflow_from_quantization was not true.\nERROR: Node number 1 (CONV_2D) "
    f"failed to prepare.\n{DONE}{FAILED}"
)
LARGE = (
    "ERROR: Restored original execution plan after delegate application failure.\n"
    "Compilation failed: Compilation failed due to large activation tensors in model.\n"
)


def told(text: str, data: bytes, *, code: int = 1, version: str = V16, **options: Any) -> tuple[Diagnostic, ...]:
    run = Run(text=f"Edge TPU Compiler version {version}\n{text}", code=code)
    failure = translate.failure(run, transcript.read(run.text))
    assert failure
    models_ = [("m.tflite", reader.read(data))]
    return translate.explained(failure, models_, Options(**options), version).diagnostics


def newer_conv() -> bytes:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    net.facts["ops"][0]["version"] = 8
    return net.build([x])


def custom_net(name: str) -> bytes:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    return net.build([net.op("CUSTOM", [x], [net.activation("custom", net.shape(x))], custom=name)])


def open_batch() -> bytes:
    net = models.Net()
    return net.build([net.conv(net.input((1, 8, 8, 3), shape_sig=[-1, 8, 8, 3]), 8)])


def wide_skips() -> bytes:
    """Large maps that are carried across operators."""
    net = models.Net()
    x = net.conv(net.input((1, 512, 512, 3)), 16)
    y = net.conv(x, 16)
    z = net.conv(y, 16)
    return net.build([net.add(net.add(z, y), x)])


@pytest.mark.parametrize(
    ("text", "model", "code", "words"),
    [
        ("Invalid model: x\nModel not quantized\n", models.float_net(), "ETB306", ("never quantised",)),
        (
            NEWER,
            newer_conv(),
            "ETB309",
            ("operator 0 (CONV_2D) has version 8",),
        ),
        (
            UNRESOLVED,
            custom_net("Foo"),
            "ETB318",
            ("operator 1 is the custom operator `Foo`",),
        ),
        (
            DYNAMIC,
            open_batch(),
            "ETB307",
            ("`input_0` has the shape -1x8x8x3 in its signature",),
        ),
        (
            OVERFLOW,
            FINE,
            "ETB319",
            ("cannot prepare operator 1 (CONV_2D) with `conv_",),
        ),
        (f"{TIMER}{LARGE}{DONE}{FAILED}", wide_skips(), "ETB312", ("too large at operator", "by our estimate")),
        ("\nInternal compiler error. Aborting! \n", wide_skips(), "ETB312", ("Internal compiler error", "by our")),
        (f"{TIMER}Compilation timeout. This is usually caused by large activations.\n{FAILED}", FINE, "ETB313", ()),
        (f"{TIMER}{DONE}{FAILED}", FINE, "ETB312", ("gave no reason",)),
        ("Segmentation fault      (core dumped) ${d}/x\n", FINE, "ETB312", ("Segmentation fault",)),
        (
            "The number of lists given to intermediate_tensors doesn't match the number of input models.\n",
            FINE,
            "ETB310",
            ("colon",),
        ),
    ],
)
def test_its_words_come_with_the_cause(text: str, model: bytes, code: str, words: tuple[str, ...]) -> None:
    first = told(text, model)[0]
    assert first.code == code
    assert first.message.startswith("Google's compiler failed on `m.tflite`: ")
    assert all(word in first.message for word in words), first.message
    assert first.hint
    assert first.severity == "error"


def test_a_crash_of_the_segmenter_is_explained() -> None:
    data = models.dense_net(layers=2)
    first = told("\nInternal compiler error. Aborting! \n", data, segments=3)[0]
    assert "cannot be cut into 3 segments" in first.message


def test_no_cause_is_invented() -> None:
    (only,) = told("\nInternal compiler error. Aborting! \n", FINE)
    assert only.message == "Google's compiler failed on `m.tflite`: Internal compiler error. Aborting!"


def test_a_run_that_went_well_is_no_failure() -> None:
    run = Run(
        text=f"Edge TPU Compiler version {V16}\n{TIMER}{DONE}{FAILED}{TIMER}{DONE}Compilation succeeded! \n", code=0
    )
    assert translate.failure(run, transcript.read(run.text)) is None
    silent = translate.failure(Run(text="", code=0), (), ["m_edgetpu.tflite"])
    assert silent is not None
    assert silent.kind == "nothing"


def test_every_message_that_is_known_has_a_rank() -> None:
    assert {kind for kind, _ in transcript.MESSAGES} - set(transcript.HARMLESS) == set(translate._TELLING)


@pytest.mark.parametrize("at", [1, 2, 7, 8])
def test_bisection_finds_the_first_that_fails(at: int) -> None:
    tried: list[int] = []

    def fails(count: int) -> bool:
        tried.append(count)
        return count >= at

    assert smallest_failing(8, fails) == at
    assert len(tried) <= 3
