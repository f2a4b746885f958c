"""Fixtures for the module's tests, and the times that they took.

Where Terraform or the provider is missing the tests are skipped, and the reason stands in the
summary; in CI that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.terraform.terraform_cli import (
    MIRROR_VARIABLE,
    Terraform,
    TerraformFailedError,
    copy_of_module,
)

_SECONDS: dict[str, float] = {}


@pytest.fixture(scope="session")
def seconds() -> dict[str, float]:
    """What took how long; printed at the end of the run."""
    return _SECONDS


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """The module, initialised, in a directory that the tests may write to."""
    if shutil.which("terraform") is None:
        missing("terraform is not on PATH")
    terraform = Terraform(copy_of_module(tmp_path_factory.mktemp("terraform")))
    try:
        terraform.init()
    except TerraformFailedError as error:
        missing(f"init found no AWS provider ({MIRROR_VARIABLE} names a mirror of it): {error}")
    yield terraform
    _SECONDS.update(terraform.seconds)


def missing(what: str) -> NoReturn:
    """Skip loudly; in CI, fail: a check that cannot run there guards nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI this must run, but {what}")
    pytest.skip(f"NOT CHECKED: {what}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _SECONDS:
        terminalreporter.section("terraform: seconds")
        for name, seconds in _SECONDS.items():
            terminalreporter.write_line(f"{seconds:7.1f}  {name}")

