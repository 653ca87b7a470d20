"""The models of the suite: small, and such that every compiler maps all of them."""

from __future__ import annotations

from edgetpu_build.compiler import segmentation
from edgetpu_build.tflite import reader
from tests.support import models

NET = models.conv_net(layers=3, channels=16, size=16)
DENSE = models.dense_net()
SEGMENTS = segmentation.by_parameters(reader.read(NET).main, 2)
