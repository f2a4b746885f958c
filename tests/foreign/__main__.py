"""Tests that others wrote, against this library: `python -m tests.foreign [mangum …]`.

What does not apply or differs stands in `tables/`, with its reason; the run fails where a test
passes or fails contrary to its table.
"""

from __future__ import annotations

import sys

from tests.foreign.fuzz import fuzz
from tests.foreign.install import InstallError, install
from tests.foreign.running import say
from tests.foreign.suites import SUITES, verdict_of, versions

FUZZ = "schemathesis"
NAMES = (*(suite.name for suite in SUITES), FUZZ)


def run(chosen: list[str]) -> int:
    try:
        install()
    except InstallError as error:
        say(str(error))
        return 1
    lines: list[str] = []
    contrary: list[str] = []
    for suite in SUITES:
        if suite.name in chosen:
            verdict = verdict_of(suite)
            tests = verdict.passed + verdict.differ
            lines.append(
                f"{suite.name} {versions()[suite.name]}: {tests} tests apply, {verdict.passed}"
                f" pass, {verdict.differ} differ; {verdict.left_out} do not apply"
            )
            lines.extend(f"    {row.kind.replace('_', ' ')}: {row.reason}" for row in suite.rows)
            contrary.extend(f"{suite.name}: {one}" for one in verdict.contrary)
    if FUZZ in chosen:
        found = fuzz()
        lines.append(
            f"schemathesis: {found.of_the_url} requests at the Function URL, {found.of_uvicorn}"
            " under uvicorn"
        )
        lines.append(
            "    fails at the Function URL only: " + ("; ".join(found.contrary) or "nothing")
        )
        lines.extend(f"    fails under uvicorn: {one}" for one in found.uvicorns)
        contrary.extend(f"schemathesis: {one}" for one in found.contrary)
    say("\n" + "\n".join(lines))
    if contrary:
        say("\nContrary to the tables:\n" + "\n".join(f"  {one}" for one in contrary))
    return 1 if contrary else 0


def main(arguments: list[str]) -> int:
    if unknown := [name for name in arguments if name not in NAMES]:
        say(f"There is no {unknown[0]}: {', '.join(NAMES)}")
        return 2
    return run(arguments or [*NAMES])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
