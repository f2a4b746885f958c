"""What has to stand in two files stands there the same, where no other test compares them."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from lambda_streaming.environ import SettingsError
from lambdas.sse_streaming.http import routes
from lambdas.sse_streaming.settings import Settings
from tests.fakes.streams import REQUIRED
from tests.unit.documentation.pages import PAGES, ROOT, code_of, quoted, rows_of, text_of
from tools.deployment_checks import ROOT_SPAN
from tools.package_zip import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    DEFAULT_PYTHON,
    PYTHONS,
    zip_name,
)

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = text_of("Makefile")
VARIABLES = text_of("modules/lambda/variables.tf")
FIELDS = text_of("modules/lambda/fields.tf")
FEED_VARIABLES = text_of("modules/lambda/modules/feed/variables.tf")


def found_in(text: str, pattern: str) -> str:
    """The group of the one place where the pattern is found."""
    (found,) = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return str(found)


def variable(name: str) -> str:
    return found_in(VARIABLES, rf'^variable "{name}" \{{\n(.*?)^\}}')


def test_the_oldest_python_is_the_same_everywhere() -> None:
    tools = PYPROJECT["tool"]
    oldest = {
        PYTHONS[0],
        PYPROJECT["project"]["requires-python"].removeprefix(">="),
        tools["mypy"]["python_version"],
        tools["ruff"]["target-version"].replace("py3", "3."),
        ".".join(found_in(MAKEFILE, r"sys\.version_info < \((.*?)\)").split(", ")),
        found_in(MAKEFILE, r"Python (\S+) or newer is needed"),
        found_in(text_of("README.md"), r"Python (\S+) or newer"),
    }
    assert oldest == {"3.11"}


def test_the_pythons_that_can_be_deployed_are_those_that_a_zip_can_be_built_for() -> None:
    named = [
        line.rpartition(" ")[2]
        for line in PYPROJECT["project"]["classifiers"]
        if re.search(r"3\.\d+$", line)
    ]
    accepted = found_in(variable("python_version"), r"contains\((\[.*?\]), var\.python_version\)")
    assert named == json.loads(accepted) == [*PYTHONS]
    accepted = found_in(variable("architecture"), r"contains\((\[.*?\]), var\.architecture\)")
    assert sorted(json.loads(accepted)) == sorted(ARCHITECTURES)


def test_what_is_built_by_default_is_what_is_deployed_by_default() -> None:
    for default, of_make, of_module in (
        (DEFAULT_PYTHON, "PYTHON_VERSION", "python_version"),
        (DEFAULT_ARCHITECTURE, "ARCH", "architecture"),
    ):
        assert found_in(MAKEFILE, rf"^{of_make} \?= (\S+)$") == default
        assert found_in(variable(of_module), r'default += "(.*?)"') == default
    named = {
        name
        for page in PAGES
        for code in code_of(page)
        for name in re.findall(r"build/([\w.-]+\.zip)", code)
    }
    of_apps = {name for name in named if name.startswith("shop-")}  # the example of many pages
    assert of_apps == {f"shop-py{DEFAULT_PYTHON}-{DEFAULT_ARCHITECTURE}.zip"}
    assert named - of_apps == {zip_name(DEFAULT_PYTHON, DEFAULT_ARCHITECTURE)}


def test_the_module_takes_the_choices_that_the_function_takes() -> None:
    """Its ranges of numbers are compared with the function's where a plan is made."""
    accepted = {
        name: json.loads(choices)
        for choices, name in re.findall(
            r"contains\((\[.*?\]), var\.settings\.(\w+)\)", FEED_VARIABLES
        )
    }
    settings = found_in(FEED_VARIABLES, r'^variable "settings" \{\n(.*?)^\}')
    inputs = re.findall(r"^    (\w+) += string$", settings, re.MULTILINE)
    assert sorted(accepted) == sorted(inputs)
    for name, choices in accepted.items():
        with pytest.raises(SettingsError) as refused:
            Settings.from_environ({**REQUIRED, f"SSE_{name.upper()}": "x"})
        taken = found_in(str(refused.value), r"one of (.+)").split(", ")
        assert sorted(choices) == sorted(taken), name


def test_the_comparison_has_the_prices_of_the_page_of_costs() -> None:
    def prices(page: str) -> set[float]:
        return {float(price) for price in re.findall(r"\$(\d[\d.]*\d|\d)", text_of(page))}

    assert len(prices("docs/comparison.md")) > 4
    assert prices("docs/comparison.md") <= prices("docs/costs.md")


def test_browsers_may_use_the_methods_that_routes_have() -> None:
    allowed = json.loads(found_in(FIELDS, r"allow_methods = local.has_feed \? (\[.*?\])"))
    assert {*allowed} == {method for method, _, _ in routes._TABLE}


def test_the_tools_look_for_the_span_that_streams_have() -> None:
    (root, *_) = (quoted(row[0])[0] for row in rows_of(text_of("docs/tracing.md"), "span"))
    assert root == ROOT_SPAN
