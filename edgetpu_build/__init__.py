"""edgetpu-build: Edge TPU models compiled as part of your Python package's build."""

__version__ = "0.1.0"
