"""docs/reference.md, made of the docstrings and signatures of the public face: `make reference`."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal, get_args, get_origin

import lambda_streaming
from lambdas import sse_streaming

PAGE = Path(__file__).resolve().parents[1] / "docs/reference.md"
_WIDTH = 118
_GROUPS = {
    "Handlers": (lambda_streaming, ("asgi", "wsgi", "streaming")),
    "Requests": (lambda_streaming, ("Request", "BadRequest")),
    "Answers": (
        lambda_streaming,
        ("Response", "StreamingResponse", "EventStream", "ServerSentEvent"),
    ),
    "Tracing": (lambda_streaming, ("step", "trace_report")),
    "A feed of your own table, from `lambdas.sse_streaming`": (
        sse_streaming,
        ("feed", "FeedSchema", "FixedValues", "QueryParameter", "Caller", "Filter"),
    ),
}
_TYPES = {
    "lambda_streaming.responses": ("Headers", "Body", "Write", "Finish", "StreamOutcome"),
    "lambda_streaming.functions.event_stream": ("Event", "OnEnd"),
    "lambda_streaming.serving.other_events": ("OtherEvents",),
    "lambda_streaming.requests": ("Pairs",),
}
"""What signatures name and `__all__` does not."""

_HEAD = """\
# Reference

The public face of `lambda_streaming` and `lambdas.sse_streaming`: what `__all__` names. It is
deprecated for a minor version before it goes; everything else may change. How it is used:
[your app](apps.md). This page is made from the docstrings by `make reference`.

`__version__` is the version, a string. What `asgi`, `wsgi` and `streaming` return is a handler: the
function's handler setting names it, and in plain Python `handler(event, context=None)` answers with
the JSON object of the event's front door.
"""
_OPTION = re.compile(r"([a-z_]+(?:, [a-z_]+)*): (.*)")


def page() -> str:
    """The whole page. Raises ValueError where a public name has no group or no docstring."""
    grouped = {name for _, names in _GROUPS.values() for name in names}
    public = {*lambda_streaming.__all__, *sse_streaming.__all__, "__version__"}
    if left := public - grouped - {"__version__"}:
        raise ValueError(f"tools/reference.py has no group for {', '.join(sorted(left))}")
    parts = [_HEAD]
    for group, (package, names) in _GROUPS.items():
        parts.append(f"## {group}\n")
        for name in names:
            thing = getattr(package, name)
            # A declaration is written by its arguments; its members are for those who read it.
            is_read = package is lambda_streaming
            parts += [f"### {name}\n", *_described(name, thing, with_members=is_read)]
    parts.append(
        "## Types\n\nWhat the signatures name. They are here to be read, not to be imported.\n"
    )
    parts.append(
        "\n".join(item for module, names in _TYPES.items() for item in _types(module, names))
    )
    return "\n".join(parts) + "\n"


def _described(name: str, thing: Any, *, with_members: bool) -> Iterator[str]:
    yield f"```python\n{_signature(name, thing)}\n```\n"
    yield from _markdown(_docstring(name, thing))
    if inspect.isclass(thing) and with_members:
        members = [*_fields(thing), *_methods(thing)]
        if members:
            yield "\n".join(members) + "\n"


def _docstring(name: str, thing: Any) -> str:
    text = inspect.getdoc(thing)
    if not text or text.startswith(f"{name}("):  # dataclasses make one of the signature
        raise ValueError(f"{name} has no docstring")
    return text


def _signature(name: str, thing: Any) -> str:
    module = sys.modules[thing.__module__]
    signature = inspect.signature(thing)
    parameters = [
        one
        for one in signature.parameters.values()
        if one.name != "unknown"  # refused by name
    ]
    lines, has_star = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not has_star:
            lines.append("*")
            has_star = True
        lines.append(_parameter(one, module))
        if one.kind is one.POSITIONAL_ONLY:
            lines.append("/")
    returned = signature.return_annotation
    arrow = "" if inspect.isclass(thing) else f" -> {_annotation(returned, module)}"
    flat = f"{name}({', '.join(lines)}){arrow}"
    if len(flat) <= 80:
        return flat
    return f"{name}(\n" + "".join(f"    {line},\n" for line in lines) + f"){arrow}"


def _parameter(one: inspect.Parameter, module: ModuleType) -> str:
    stars = "**" if one.kind is one.VAR_KEYWORD else ""
    text = f"{stars}{one.name}: {_annotation(one.annotation, module)}"
    if one.default is one.empty:
        return text
    default = repr(one.default)
    return f"{text} = {'...' if default.startswith('<') else default}"


def _annotation(annotation: Any, module: ModuleType) -> str:
    """As it is written, but for names of choices, in whose place stand the choices."""
    text = str(annotation)

    def choices(found: re.Match[str]) -> str:
        named = getattr(module, found[0], None)
        if get_origin(named) is not Literal:
            return found[0]
        return " | ".join(f'"{choice}"' for choice in get_args(named))

    return re.sub(r"\b[A-Z]\w+", choices, text)


def _fields(thing: type) -> Iterator[str]:
    """Those with a docstring of their own, below them."""
    if not dataclasses.is_dataclass(thing):
        return
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    assert isinstance(body, ast.ClassDef)
    for name, text in _documented(body.body):
        yield _item(f"`{name}`", text)


def _types(module: str, names: tuple[str, ...]) -> Iterator[str]:
    imported = import_module(module)
    body = ast.parse(inspect.getsource(imported)).body
    below = dict(_documented(body))
    for name in names:
        thing = getattr(imported, name)
        yield _item(f"`{name}`", below.get(name) or _docstring(name, thing))
        if isinstance(thing, enum.EnumMeta):
            (members,) = (
                one.body for one in body if isinstance(one, ast.ClassDef) and one.name == name
            )
            for member, text in _documented(members):
                yield textwrap.indent(_item(f"`{member}`", text), "  ")


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Each assignment that has a docstring below it."""
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, text


def _methods(thing: type) -> Iterator[str]:
    for name, member in vars(thing).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield _item(f"`{name}`", inspect.getdoc(member) or "")
        elif isinstance(member, FunctionType):
            yield _item(f"`{name}()`", inspect.getdoc(member) or "")


def _markdown(docstring: str) -> Iterator[str]:
    for paragraph in docstring.split("\n\n"):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            yield f"```python\n{textwrap.dedent(paragraph)}\n```\n"
        elif _OPTION.match(paragraph) and any(_OPTION.match(line) for line in lines[1:]):
            yield "\n".join(_options(lines)) + "\n"
        else:
            yield _filled(" ".join(line.strip() for line in lines)) + "\n"


def _options(lines: list[str]) -> Iterator[str]:
    """`name: what it is`, whose next lines are indented."""
    names, text = "", ""
    for line in [*lines, "end: "]:
        begins = _OPTION.match(line)
        if begins is None:
            text += f" {line.strip()}"
            continue
        if names:
            yield _item(", ".join(f"`{one}`" for one in names.split(", ")), text)
        names, text = begins.groups()


def _item(title: str, text: str) -> str:
    return _filled(f"- {title}: {' '.join(text.split())}", "  ")


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
