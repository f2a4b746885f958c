"""What an app is called: by its author, by Lambda's handler setting, as a function."""

from __future__ import annotations

import re

_APP = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*[:.][^\W\d]\w*")
_NOT_IN_A_FUNCTION_NAME = re.compile(r"[^A-Za-z0-9_-]+")
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_MAX_NAME_CHARACTERS = 64


def handler_of(app: str) -> str:
    """Lambda's handler setting for `package.module:attribute`. Raises ValueError."""
    if not _APP.fullmatch(app):
        raise ValueError("give module:attribute, as in examples.chat.app:handler")
    return app.replace(":", ".")


def function_name(text: str) -> str:
    """A name that Lambda would take, made of a handler's module or a folder's name."""
    name = _NOT_IN_A_FUNCTION_NAME.sub("-", text).strip("-")
    return name[:_MAX_NAME_CHARACTERS] or "app"
