from __future__ import annotations

import shutil
from pathlib import Path

from edgetpu_build.engine.placement import with_operators
from tests.support.project import Yard, unit


def test_a_fresh_unit_gets_its_operators_from_the_store(yard: Yard, own_home: Path) -> None:
    yard.models(a="a.tflite", bad="bad.tflite")
    yard.write("a.tflite", "aaa"), yard.write("bad.tflite", "fail")
    compiled = yard.build()
    fresh = yard.build()
    assert unit(fresh, "a").members[0].operators == ()
    told = with_operators(yard.project(), fresh)
    assert unit(told, "a").members[0].operators == unit(compiled, "a").members[0].operators
    assert unit(told, "bad") == unit(fresh, "bad")
    shutil.rmtree(own_home / ".cache")
    assert with_operators(yard.project(), fresh) == fresh
