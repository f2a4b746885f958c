"""Init times with and without the collector layer, on two copies of the function.

The deployed function is not touched: copies of its code and settings are made under other names,
each start is forced by a changed variable, and the copies are deleted in the end, whatever happens.
"""

from __future__ import annotations

import base64
import re
import statistics
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

_INIT = re.compile(r"Init Duration: ([0-9.]+) ms")
_NOT_HTTP = b"{}"  # answered at once, and opens no stream


class NoInitReportedError(Exception):
    """An invocation that must have been a cold start reported no init time."""


def download(url: str) -> bytes:
    """The code of a function, from the address that GetFunction gives."""
    with urllib.request.urlopen(url) as answer:
        content: bytes = answer.read()
        return content


def compare(
    lambda_client: Any,
    function: str,
    samples: int,
    *,
    mark: str,
    fetch: Callable[[str], bytes] = download,
) -> dict[str, list[float]]:
    """Init durations in ms, "with" and "without" the layers, taken in turn.

    `mark` tells the copies from others. Raises NoInitReportedError; AWS's errors pass through.
    """
    original = lambda_client.get_function(FunctionName=function, Qualifier="live")
    configuration = original["Configuration"]
    code = fetch(original["Code"]["Location"])
    layers = [layer["Arn"] for layer in configuration.get("Layers", [])]
    copies = {
        "with": (f"{function}-{mark}-with", layers),
        "without": (f"{function}-{mark}-bare", []),
    }
    taken: dict[str, list[float]] = {"with": [], "without": []}
    made: list[str] = []
    try:
        for name, its_layers in copies.values():
            lambda_client.create_function(
                **_like(configuration), FunctionName=name, Layers=its_layers, Code={"ZipFile": code}
            )
            made.append(name)
            lambda_client.get_waiter("function_active_v2").wait(FunctionName=name)
        for sample in range(samples):
            for variant, (name, _) in copies.items():
                taken[variant].append(_one_start(lambda_client, name, configuration, sample))
    finally:
        for name in made:
            lambda_client.delete_function(FunctionName=name)
    return taken


def summary(taken: Mapping[str, list[float]]) -> str:
    """Medians and ranges, for people."""
    lines = [
        f"  {variant:8} median {statistics.median(values):7.0f} ms"
        f"  ({min(values):.0f} to {max(values):.0f}, {len(values)} cold starts)"
        for variant, values in taken.items()
    ]
    more = statistics.median(taken["with"]) - statistics.median(taken["without"])
    return "\n".join([*lines, f"  the collector layer adds {more:.0f} ms to a cold start"])


def _one_start(
    lambda_client: Any, name: str, configuration: Mapping[str, Any], sample: int
) -> float:
    variables = {**_variables(configuration), "COLD_START_SAMPLE": str(sample)}
    lambda_client.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables}
    )
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name)
    answer = lambda_client.invoke(FunctionName=name, LogType="Tail", Payload=_NOT_HTTP)
    report = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    found = _INIT.search(report)
    if found is None:
        raise NoInitReportedError(f"{name} reported no init time; its log ends:\n{report[-800:]}")
    return float(found[1])


def _like(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Runtime": configuration["Runtime"],
        "Role": configuration["Role"],
        "Handler": configuration["Handler"],
        "Timeout": configuration["Timeout"],
        "MemorySize": configuration["MemorySize"],
        "Architectures": configuration["Architectures"],
        "Environment": {"Variables": _variables(configuration)},
        "TracingConfig": {"Mode": "Active"},
    }


def _variables(configuration: Mapping[str, Any]) -> dict[str, str]:
    return dict(configuration.get("Environment", {}).get("Variables", {}))
