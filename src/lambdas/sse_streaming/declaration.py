"""The declaration of a feed as JSON, for what makes its table (Terraform, the local stack):

python -m lambdas.sse_streaming.declaration jobs.app:handler > feed.json
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from lambdas.sse_streaming.serving.feed_handler import FeedHandler


class NoFeed(Exception):
    """What was named is no feed; the message says why."""


def declaration_of(name: str) -> dict[str, Any]:
    """Of the handler that `module:attribute` or `module.attribute` names, whose module is imported.

    Raises NoFeed, and whatever the module raises.
    """
    module_name, separator, attribute = name.strip().rpartition(":" if ":" in name else ".")
    if not separator or not module_name or not attribute:
        raise NoFeed(f"{name!r}: give module:attribute, as in jobs.app:handler")
    try:
        module = import_module(module_name.replace("/", "."))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise NoFeed(f"{name}: {module_name} imports {error.name}, which is missing") from error
        raise NoFeed(
            f"{name}: there is no module {error.name}; run this in the folder it is imported from,"
            " or name that in PYTHONPATH"
        ) from error
    found = getattr(module, attribute, None)
    if not isinstance(found, FeedHandler):
        kind = f"a {type(found).__name__}" if hasattr(module, attribute) else "nothing"
        raise NoFeed(
            f"{name} is {kind} and no feed. Write in {module_name}:"
            " handler = feed(FeedSchema(…)), with feed from lambdas.sse_streaming, and name that"
        )
    return found.schema.declaration()


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m lambdas.sse_streaming.declaration module:attribute\n")
        return 2
    try:
        # What the module prints is no part of the JSON.
        with contextlib.redirect_stdout(sys.stderr):
            declared = declaration_of(arguments[0])
    except NoFeed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(declared, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
