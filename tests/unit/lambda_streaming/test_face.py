"""The package's face: what it names is there, typed and at run time, and loads only when asked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lambda_streaming

FACE = Path(lambda_streaming.__file__)
PUBLIC = [name for name in lambda_streaming.__all__ if name != "__version__"]


def typed_names() -> dict[str, str]:
    """What a type checker sees: each name that is imported for it, with its module."""
    tree = ast.parse(FACE.read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {
        alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_what_its_module_defines(name: str) -> None:
    module = typed_names()[name]

    assert getattr(lambda_streaming, name) is getattr(sys.modules[module], name)


def test_type_checkers_and_the_program_see_the_same_names() -> None:
    assert typed_names() == lambda_streaming._MODULES
    assert sorted(typed_names()) == sorted(PUBLIC)
    assert lambda_streaming.__all__ == sorted(lambda_streaming.__all__)


def test_every_name_is_listed_and_no_other_is_there() -> None:
    assert set(lambda_streaming.__all__) <= set(dir(lambda_streaming))
    with pytest.raises(AttributeError, match="module 'lambda_streaming' has no attribute 'Requst'"):
        getattr(lambda_streaming, "Requst")  # noqa: B009


def test_no_module_has_the_name_of_something_public() -> None:
    """Importing the module would put it in the place of the name."""
    modules = {path.name.removesuffix(".py") for path in FACE.parent.iterdir()}

    assert not modules & {*lambda_streaming.__all__}


def test_importing_the_face_loads_nothing_else_of_the_library() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(FACE.parents[1])!r})\n"
        "import importlib, typing; before = {*sys.modules}\n"
        "import lambda_streaming\n"
        "print(*sorted({*sys.modules} - before))\n"
        "from lambda_streaming import Response\n"
        "print('asyncio' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [
        "__future__ lambda_streaming lambda_streaming.version",
        "False",
    ]
