"""Trains the three models and writes them, fully int8-quantised, into ../models. Run once; the results are committed.

    pip install tensorflow-cpu scikit-learn
    python training/train.py [finder] [digits] [judge]

Float32 training, then post-training quantisation with the training set as representative data: what Google's
documentation of the Edge TPU asks for. Two converter settings keep the models compilable: the classic converter path
does not matter to the Edge TPU, but dense layers must be quantised per tensor (per-channel ones come as version 12 of
FULLY_CONNECTED, which no released compiler knows), and the batch must be fixed to 1.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import data
import numpy as np
import tensorflow as tf
from tensorflow import keras

MODELS = Path(__file__).resolve().parent.parent / "models"
Cells = tuple[np.ndarray, np.ndarray]


def block(x: keras.KerasTensor, filters: int, *, stride: int = 1, kernel: int = 3) -> keras.KerasTensor:
    """Convolution, normalisation (folded away by the converter), ReLU6."""
    x = keras.layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))


def small(name: str, classes: int) -> keras.Model:
    """Some 30,000 weights: enough for a cell of 16 x 16."""
    cell = keras.Input((data.CELL, data.CELL, 1), batch_size=None, name="cell")
    x = block(cell, 16)
    x = block(x, 32, stride=2)
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    x = block(x, 64, stride=2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(cell, keras.layers.Dense(classes, activation="softmax")(x), name=name)


def judge() -> keras.Model:
    """Some 5.1 million weights in sixteen residual blocks: more than fits into one Edge TPU's memory.

    80 channels take the room of 128, since the chip lays weights out in lanes of 64: 4.9 MiB of weights need 7.9 MiB.
    """
    cell = keras.Input((data.CELL, data.CELL, 1), name="cell")
    x = block(cell, 80, stride=2)
    x = block(x, 80, stride=2)
    for _ in range(16):
        y = block(x, 80, kernel=5)
        y = keras.layers.Conv2D(80, 5, padding="same", use_bias=False)(y)
        y = keras.layers.BatchNormalization(gamma_initializer="zeros")(y)
        x = keras.layers.ReLU(6.0)(keras.layers.Add()([x, y]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(cell, keras.layers.Dense(10, activation="softmax")(x), name="judge")


def fit(model: keras.Model, cells: Cells, epochs: int, fresh: Callable[[], Cells]) -> None:
    """Trains with new jitter in every epoch; ``cells`` only measures."""
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, epochs * 45)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for _ in range(epochs):
        images, labels = fresh()
        model.fit(images, labels, batch_size=32 if len(labels) < 2000 else 64, verbose=0)
    print(model.name, "float accuracy on held-out cells:", model.evaluate(*cells, verbose=0)[1])


def quantise(model: keras.Model, images: np.ndarray) -> bytes:
    """The model as int8 in, int8 out, batch 1."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    batch_of_one = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="cell")
    archive.add_endpoint("serve", lambda cell: model(cell, training=False), input_signature=[batch_of_one])
    with tempfile.TemporaryDirectory() as saved:
        archive.write_out(saved, verbose=False)
        return convert(tf.lite.TFLiteConverter.from_saved_model(saved), images)


def convert(converter: tf.lite.TFLiteConverter, images: np.ndarray) -> bytes:
    """Post-training quantisation of everything, inputs and outputs included."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images[:300])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no public name
    return converter.convert()


def accuracy(model: bytes, cells: Cells) -> float:
    """The quantised model's accuracy, by TensorFlow Lite."""
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = source["quantization"]
    right = 0
    for image, label in zip(*cells, strict=True):
        stored = np.clip(np.round(image[None] / scale + zero), -128, 127).astype("int8")
        interpreter.set_tensor(source["index"], stored)
        interpreter.invoke()
        right += int(interpreter.get_tensor(target["index"]).argmax() == label)
    return right / len(cells[1])


def main(names: list[str]) -> None:
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    (images, labels), held = data.digits()
    held_cells = data.readability(held[0], np.random.default_rng(8))
    jobs: dict[str, tuple[keras.Model, Cells, int, Callable[[], Cells]]] = {
        "finder": (small("finder", 2), held_cells, 30, lambda: data.readability(images, rng)),
        "digits": (small("digits", 10), held, 40, lambda: (data.jitter(images, rng), labels)),
        "judge": (judge(), held, 45, lambda: (data.jitter(images, rng), labels)),
    }
    for name in names or jobs:
        model, cells, epochs, fresh = jobs[name]
        fit(model, cells, epochs, fresh)
        quantised = quantise(model, fresh()[0])
        (MODELS / f"{name}.tflite").write_bytes(quantised)
        print(name, len(quantised), "bytes; int8 accuracy on held-out cells:", accuracy(quantised, cells))


if __name__ == "__main__":
    main(sys.argv[1:])
