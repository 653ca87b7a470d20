"""TensorFlow Lite models for tests, made on the spot: from graph facts (``build``) or in a few lines (``Net``).

Graph facts are a dict ``{"ops": [...], "tensors": [...], "inputs": [...], "outputs": [...]}``. An op holds ``op``,
``version``, ``inputs``, ``outputs``, ``options`` (the schema's snake_case fields, enums by name), ``custom`` and
``custom_options``. A tensor holds ``name``, ``shape``, ``dtype``; if quantised ``scale``, ``zp``, ``scales`` (how many:
the first is given, the others lie near it unless ``scale_same``) and ``qdim``; if constant ``const`` and one of
``values``, ``same``, ``range`` (8 bit), else bytes of a fixed seed. ``signatures`` and ``metadata`` are lists of names,
``zip_appended`` appends a zip that holds ``labels.txt``.

Built with LiteRT's schema classes, which share no code with ours. What comes out runs in LiteRT.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Facts = dict[str, Any]

DTYPES = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "FLOAT64": "<f8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "BOOL": "?",
}
_ENUMS = {
    "fused_activation_function": schema.ActivationFunctionType,
    "padding": schema.Padding,
    "weights_format": schema.FullyConnectedOptionsWeightsFormat,
    "mode": schema.MirrorPadMode,
    "kernel_type": schema.LSTMKernelType,
}
_TYPE_FIELDS = {
    "in_data_type",
    "out_data_type",
    "output_type",
    "type",
    "idx_out_type",
    "quantized_bias_type",
    "out_type",
}
_SHARED_OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "L2_NORMALIZATION": "L2NormOptions",
}
_BY_CONVENTION = {
    name.removesuffix("OptionsT").lower(): name[:-1] for name in vars(schema) if name.endswith("OptionsT")
}


def build(graph_facts: Facts, seed: int = 0) -> bytes:
    """The .tflite file's bytes for one graph's facts; equal for equal facts and seed."""
    rng = np.random.default_rng(seed)
    model = schema.ModelT()
    model.version = 3
    model.description = graph_facts.get("description", "made for a test")
    model.buffers = [schema.BufferT()]
    model.operatorCodes = []
    main = schema.SubGraphT()
    main.name = "main"
    main.inputs, main.outputs = list(graph_facts["inputs"]), list(graph_facts["outputs"])
    main.tensors = [_tensor(model, facts, rng) for facts in graph_facts["tensors"]]
    codes: dict[tuple[str, int, str | None], int] = {}
    main.operators = [_operator(model, facts, codes) for facts in graph_facts["ops"]]
    model.subgraphs = [main]
    model.metadata = [_metadata(model, name) for name in graph_facts.get("metadata", ())]
    model.signatureDefs = [_signature(main, key) for key in graph_facts.get("signatures", ())]
    data = pack(model)
    return with_labels(data) if graph_facts.get("zip_appended") else data


def pack(model: Any) -> bytes:
    """A ``ModelT`` of LiteRT's schema as a file."""
    size = sum(len(b.data) for b in model.buffers or () if b.data is not None)
    builder = flatbuffers.Builder(size + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpack(data: bytes) -> Any:
    """A file as ``ModelT`` of LiteRT's schema."""
    return schema.ModelT.InitFromPackedBuf(data, 0)


def with_labels(data: bytes) -> bytes:
    """The file with a zip of ``labels.txt`` behind it, as TensorFlow's metadata writer appends it."""
    archive = io.BytesIO(data)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(zipfile.ZipInfo("labels.txt"), "cat\ndog\n")
    return archive.getvalue()


def _tensor(model: Any, facts: Facts, rng: np.random.Generator) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = facts["name"], list(facts["shape"])
    tensor.type = getattr(schema.TensorType, facts["dtype"])
    tensor.hasRank = bool(facts["shape"])
    tensor.isVariable = bool(facts.get("variable"))
    if "shape_sig" in facts:
        tensor.shapeSignature = list(facts["shape_sig"])
    if "scale" in facts:
        tensor.quantization = _quantization(facts)
    tensor.buffer = _buffer(model, _constant(facts, rng)) if facts.get("const") else 0
    return tensor


def _quantization(facts: Facts) -> Any:
    count = facts.get("scales", 1)
    steps = np.zeros(count) if facts.get("scale_same") else np.arange(count) % 97
    parameters = schema.QuantizationParametersT()
    parameters.scale = (facts["scale"] * (1 + steps / 1000)).tolist()
    parameters.zeroPoint = [facts.get("zp", 0)] * count
    parameters.quantizedDimension = facts.get("qdim", 0)
    return parameters


def _buffer(model: Any, data: bytes) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _constant(facts: Facts, rng: np.random.Generator) -> bytes:
    dtype = np.dtype(DTYPES[facts["dtype"]])
    count = facts["bytes"] // dtype.itemsize if "bytes" in facts else math.prod(facts["shape"])
    if "values" in facts:
        return np.asarray(facts["values"], dtype).tobytes()
    if "same" in facts:
        return np.full(count, facts["same"], dtype).tobytes()
    if dtype.kind == "f":
        return rng.normal(0, 0.1, count).astype(dtype).tobytes()
    if dtype.itemsize == 1:
        limits = np.iinfo(dtype) if dtype.kind != "b" else None
        low, high = facts.get("range") or ((limits.min + 1, limits.max) if limits else (0, 1))
        data = rng.integers(low, high, count, endpoint=True).astype(dtype)
        data[:2] = [low, high][: len(data[:2])]
        return data.tobytes()
    if "scale" not in facts:  # indices, most likely: zero is one wherever it is used
        return bytes(count * dtype.itemsize)
    return rng.integers(-500, 500, count).astype(dtype).tobytes()


def _operator(model: Any, facts: Facts, codes: dict[tuple[str, int, str | None], int]) -> Any:
    key = (facts["op"], facts.get("version", 1), facts.get("custom"))
    if key not in codes:
        codes[key] = len(codes)
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, facts["op"])
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version, code.customCode = key[1], key[2]
        model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes[key]
    operator.inputs, operator.outputs = list(facts["inputs"]), list(facts["outputs"])
    if facts.get("intermediates"):
        operator.intermediates = list(facts["intermediates"])
    if facts["op"] == "CUSTOM":
        operator.customOptions = list(facts.get("custom_options", b""))
    else:
        operator.builtinOptionsType, operator.builtinOptions = _options(facts)
    return operator


def _options(facts: Facts) -> tuple[int, Any]:
    name = _SHARED_OPTIONS.get(facts["op"]) or _BY_CONVENTION.get(facts["op"].replace("_", "").lower())
    tag = getattr(schema.BuiltinOptions, name, 0) if name else 0
    if not name or not tag:
        return 0, None
    table = getattr(schema, name + "T")()
    given = facts.get("options")
    if vars(table) and not given:  # facts name every field: no facts, no table
        return 0, None
    fields = {field.lower(): field for field in vars(table)}
    for key, value in (given or {}).items():
        if isinstance(value, str):
            value = getattr(schema.TensorType if key in _TYPE_FIELDS else _ENUMS[key], value)
        setattr(table, fields[key.replace("_", "")], value)
    return tag, table


def _metadata(model: Any, name: str) -> Any:
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, _buffer(model, f"{name} of a test".encode())
    return entry


def _signature(main: Any, key: str) -> Any:
    def maps(indices: list[int], stem: str) -> list[Any]:
        entries = []
        for position, index in enumerate(indices):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = f"{stem}_{position}", index
            entries.append(entry)
        return entries

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 0
    signature.inputs, signature.outputs = maps(main.inputs, "input"), maps(main.outputs, "output")
    return signature


class Net:
    """Graph facts, written layer by layer: methods take and give tensor indices. Activations are per-tensor quantised.

    >>> net = Net()
    >>> x = net.input((1, 32, 32, 3))
    >>> data = net.build([net.conv(x, 8)])
    """

    def __init__(self, dtype: str = "INT8", *, per_channel: bool = True) -> None:
        self.dtype, self.per_channel = dtype, per_channel
        self.quantised = dtype != "FLOAT32"
        self.middle = {"INT8": -3, "UINT8": 125}.get(dtype, 0)
        self.facts: Facts = {"ops": [], "tensors": [], "inputs": [], "outputs": []}

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str | None = None, **more: Any) -> int:
        """A tensor of any kind; see ``build`` for what ``more`` may hold. Names get their index to stay unique."""
        index = len(self.facts["tensors"])
        facts = {"name": f"{name}_{index}", "shape": list(shape), "dtype": dtype or self.dtype, **more}
        self.facts["tensors"].append(facts)
        return index

    def activation(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zp: int | None = None) -> int:
        quantisation = {"scale": scale, "zp": self.middle if zp is None else zp} if self.quantised else {}
        return self.tensor(name, shape, **quantisation)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.facts["tensors"][tensor]["shape"])

    def input(self, shape: tuple[int, ...], **more: Any) -> int:
        index = self.activation("input", shape)
        self.facts["tensors"][index] |= more
        self.facts["inputs"].append(index)
        return index

    def int32(self, name: str, values: list[int], shape: tuple[int, ...] | None = None) -> int:
        return self.tensor(name, (len(values),) if shape is None else shape, "INT32", const=True, values=values)

    def op(self, kind: str, inputs: list[int], outputs: list[int], version: int = 1, **options: Any) -> int:
        """Adds an operator; gives its first output."""
        more = {key: options.pop(key) for key in ("custom", "custom_options", "intermediates") if key in options}
        facts = {"op": kind, "version": version, "inputs": inputs, "outputs": outputs, "options": options, **more}
        self.facts["ops"].append(facts)
        return outputs[0]

    def like(self, kind: str, x: int, *more_inputs: int, shape: tuple[int, ...] | None = None, **options: Any) -> int:
        """An operator whose output is quantised as its first input."""
        facts = self.facts["tensors"][x]
        out = self.activation(kind.lower(), shape or self.shape(x), facts.get("scale", 0.05), facts.get("zp"))
        return self.op(kind, [x, *more_inputs], [out], **options)

    def _weights(self, name: str, shape: tuple[int, ...], channels: int, qdim: int, x: int) -> tuple[int, int]:
        if not self.quantised:
            return (self.tensor(name, shape, const=True), self.tensor("bias", (channels,), const=True))
        count = channels if self.per_channel else 1
        zp = 128 if self.dtype == "UINT8" else 0
        scale = 3 / (73 * math.sqrt(math.prod(shape) / channels))  # keeps random nets within their range
        weights = self.tensor(name, shape, const=True, scale=scale, scales=count, zp=zp, qdim=qdim)
        bias_scale = self.facts["tensors"][x].get("scale", 0.05) * scale
        bias = self.tensor("bias", (channels,), "INT32", const=True, scale=bias_scale, scales=count, zp=0)
        return weights, bias

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        activation: str = "RELU6",
        padding: str = "SAME",
    ) -> int:
        batch, high, wide, deep = self.shape(x)
        weights, bias = self._weights("filter", (channels, kernel, kernel, deep), channels, 0, x)
        out = self.activation("conv", (batch, *_window(high, wide, kernel, stride, padding), channels))
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "fused_activation_function": activation}
        options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
        return self.op("CONV_2D", [x, weights, bias], [out], version=3 if self.per_channel else 1, **options)

    def depthwise(
        self, x: int, kernel: int = 3, stride: int = 1, activation: str = "RELU6", padding: str = "SAME"
    ) -> int:
        batch, high, wide, deep = self.shape(x)
        weights, bias = self._weights("depthwise_filter", (1, kernel, kernel, deep), deep, 3, x)
        out = self.activation("depthwise", (batch, *_window(high, wide, kernel, stride, padding), deep))
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "fused_activation_function": activation}
        options |= {"dilation_h_factor": 1, "dilation_w_factor": 1, "depth_multiplier": 1}
        return self.op("DEPTHWISE_CONV_2D", [x, weights, bias], [out], version=3 if self.per_channel else 1, **options)

    def dense(self, x: int, units: int, activation: str = "NONE", *, bias: bool = True) -> int:
        deep = self.shape(x)[-1]
        per_channel, self.per_channel = self.per_channel, False
        weights, offset = self._weights("dense_filter", (units, deep), units, 0, x)
        self.per_channel = per_channel
        out = self.activation("dense", (*self.shape(x)[:-1], units))
        inputs = [x, weights, offset if bias else -1]
        version = {"INT8": 4}.get(self.dtype, 1)
        return self.op("FULLY_CONNECTED", inputs, [out], version=version, fused_activation_function=activation)

    def add(self, x: int, y: int, activation: str = "NONE") -> int:
        out = self.activation("add", self.shape(x), 0.06)
        return self.op("ADD", [x, y], [out], version=2, fused_activation_function=activation)

    def mean(self, x: int, *, keep_dims: bool = False) -> int:
        batch, _, _, deep = self.shape(x)
        out = self.activation("mean", (batch, 1, 1, deep) if keep_dims else (batch, deep), 0.03)
        return self.op("MEAN", [x, self.int32("axes", [1, 2])], [out], version=2, keep_dims=keep_dims)

    def max_pool(self, x: int, size: int = 2) -> int:
        batch, high, wide, deep = self.shape(x)
        options = {"padding": "VALID", "stride_h": size, "stride_w": size, "filter_height": size, "filter_width": size}
        shape = (batch, high // size, wide // size, deep)
        return self.like("MAX_POOL_2D", x, shape=shape, version=2, fused_activation_function="NONE", **options)

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        return self.like("RESHAPE", x, self.int32("shape", list(shape)), shape=shape, new_shape=list(shape))

    def concat(self, parts: list[int], axis: int = -1) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        axis %= len(shape)
        options = {"axis": axis, "fused_activation_function": "NONE"}
        return self.like("CONCATENATION", parts[0], *parts[1:], shape=tuple(shape), version=2, **options)

    def split(self, x: int, count: int, axis: int = -1) -> list[int]:
        shape = list(self.shape(x))
        shape[axis] //= count
        facts = self.facts["tensors"][x]
        outs = [self.activation("split", tuple(shape), facts.get("scale", 0.05), facts.get("zp")) for _ in range(count)]
        self.op("SPLIT", [self.int32("axis", [axis % len(shape)], ()), x], outs, version=2, num_splits=count)
        return outs

    def softmax(self, x: int) -> int:
        out = self.activation("softmax", self.shape(x), 1 / 256, -128 if self.dtype == "INT8" else 0)
        return self.op("SOFTMAX", [x], [out], version=2, beta=1.0)

    def custom(self, inputs: list[int], shape: tuple[int, ...], code: str, options: bytes = b"") -> int:
        out = self.activation("custom", shape)
        return self.op("CUSTOM", inputs, [out], custom=code, custom_options=options)

    def finish(self, outputs: list[int], **more: Any) -> Facts:
        """The graph facts; ``more`` may hold signatures, metadata, zip_appended and description."""
        return self.facts | {"outputs": outputs} | more

    def build(self, outputs: list[int], seed: int = 0, **more: Any) -> bytes:
        return build(self.finish(outputs, **more), seed)


def _window(high: int, wide: int, kernel: int, stride: int, padding: str) -> tuple[int, int]:
    grown = 0 if padding == "SAME" else kernel - 1
    return -(-(high - grown) // stride), -(-(wide - grown) // stride)


def conv_net(
    layers: int = 3, channels: int = 16, size: int = 32, classes: int = 10, dtype: str = "INT8", **more: Any
) -> bytes:
    """``layers`` convolutions (the second of stride 2), a mean, a dense layer, a softmax; input (1, size, size, 3)."""
    net = Net(dtype, per_channel=dtype == "INT8")
    x = net.input((1, size, size, 3))
    for layer in range(layers):
        x = net.conv(x, channels, stride=2 if layer == 1 else 1)
    return net.build([net.softmax(net.dense(net.mean(x), classes))], **more)


def dense_net(layers: int = 2, units: int = 64, inputs: int = 64, dtype: str = "INT8", **more: Any) -> bytes:
    """``layers`` dense layers; input (1, inputs)."""
    net = Net(dtype)
    x = net.input((1, inputs))
    for _ in range(layers):
        x = net.dense(x, units)
    return net.build([x], **more)


def mobilenet_like(width: float = 0.25, size: int = 96, classes: int = 10, dtype: str = "INT8", **more: Any) -> bytes:
    """MobileNet v2: inverted residuals, linear bottlenecks; ``width=1, size=224, classes=1000`` is the real size."""
    net = Net(dtype, per_channel=dtype == "INT8")
    x = net.conv(net.input((1, size, size, 3)), _round8(32 * width), stride=2)
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, channels, count, stride in stages:
        for block in range(count):
            x = _bottleneck(net, x, expansion, _round8(channels * width), stride if block == 0 else 1)
    x = net.conv(x, _round8(1280 * max(width, 1.0)), kernel=1)
    return net.build([net.softmax(net.dense(net.mean(x), classes))], **more)


def _bottleneck(net: Net, x: int, expansion: int, channels: int, stride: int) -> int:
    deep = net.shape(x)[-1]
    y = net.conv(x, deep * expansion, kernel=1) if expansion > 1 else x
    y = net.conv(net.depthwise(y, stride=stride), channels, kernel=1, activation="NONE")
    return net.add(x, y) if stride == 1 and deep == channels else y


def _round8(channels: float) -> int:
    return max(8, int(channels + 4) // 8 * 8)


def branching_net(**more: Any) -> bytes:
    """What cuts get wrong: a graph input used late, a split, an output that is consumed inside, a missing bias."""
    net = Net()
    x = net.input((1, 16, 16, 4))
    late = net.input((1, 16, 16, 8))
    first = net.conv(x, 8)
    left, right = net.split(first, 2)
    joined = net.add(net.concat([net.conv(left, 4), right]), late)
    flat = net.mean(net.conv(joined, 8))
    return net.build([net.softmax(net.dense(flat, 5, bias=False)), first, joined], **more)


def float_net(**more: Any) -> bytes:
    """The small convolutional net without quantisation."""
    return conv_net(2, 8, 16, dtype="FLOAT32", **more)


def dynamic_net(**more: Any) -> bytes:
    """A quantised net whose shape is only known when it runs: it reshapes to a size that is fed in."""
    net = Net()
    x = net.input((1, 8, 8, 4), shape_sig=[-1, 8, 8, 4])
    size = net.tensor("size", (2,), "INT32")
    net.facts["inputs"].append(size)
    flat = net.like("RESHAPE", net.conv(x, 4), size, shape=(1, 256))
    net.facts["tensors"][flat]["shape_sig"] = [-1, 256]
    return net.build([net.dense(flat, 4)], **more)


def chain_net(operators: int = 100, **more: Any) -> bytes:
    """A chain of RELU: as long as one likes, next to no bytes an operator."""
    net = Net()
    x = net.input((1, 4))
    for _ in range(operators):
        x = net.like("RELU", x)
    return net.build([x], **more)


def wide_concat_net(ways: int = 100, **more: Any) -> bytes:
    """One CONCATENATION of ``ways`` branches of one RELU each."""
    net = Net()
    x = net.input((1, 4))
    return net.build([net.concat([net.like("RELU", x) for _ in range(ways)])], **more)
