from __future__ import annotations

import math

import pytest

from local_aws.traces.xray import go_json


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (612.0, "612"),
        (8.5, "8.5"),
        (1795000000.0130002, "1795000000.0130002"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e-10, "1e-10"),
        (-0.0, "-0"),
        ("<module> & é", '"\\u003cmodule\\u003e \\u0026 é"'),
        ('"\\\n\x01\u2028', '"\\"\\\\\\n\\u0001\\u2028"'),
        (b"\x00\xff", '"AP8="'),
        ({"b": [1, "x"], "a": {}}, '{"b":[1,"x"],"a":{}}'),
    ],
)
def test_writes_as_go_does(value: object, expected: str) -> None:
    assert go_json.encode(value).decode() == expected + "\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_has_no_number_for(value: float) -> None:
    with pytest.raises(ValueError, match="JSON has no number"):
        go_json.encode({"value": value})
