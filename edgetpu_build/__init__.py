"""edgetpu-build: Edge TPU models compiled as part of your Python package's build.

The public names are loaded when they are first asked for, so that `edgetpu-build --version` and a build with nothing
to do wait for none of them. Their types are in ``__init__.pyi``.
"""

__version__ = "0.1.0"
__all__ = [
    "Diagnostic",
    "EdgeTpuBuildError",
    "Figure",
    "Figures",
    "Inspection",
    "Outcome",
    "Project",
    "Result",
    "__version__",
    "compile",
    "inspect",
    "runtime",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    if name == "runtime":
        return importlib.import_module("edgetpu_build.runtime")
    return getattr(importlib.import_module("edgetpu_build.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
