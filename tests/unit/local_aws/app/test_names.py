from __future__ import annotations

import pytest

from local_aws.app.names import function_name, handler_of


@pytest.mark.parametrize("app", ["examples.chat.app:handler", "examples.chat.app.handler"])
def test_an_app_is_named_as_its_author_or_as_lambda_does(app: str) -> None:
    assert handler_of(app) == "examples.chat.app.handler"


@pytest.mark.parametrize("app", ["main", "main:", ":handler", "a/b:c", "main:app()", "main:a:b"])
def test_what_names_no_attribute_of_a_module_is_refused(app: str) -> None:
    with pytest.raises(ValueError, match="give module:attribute"):
        handler_of(app)


def test_a_function_has_a_name_that_lambda_takes() -> None:
    assert function_name("examples.chat.app") == "examples-chat-app"
    assert function_name("my project (2)") == "my-project-2"
    assert function_name("…") == "app"
    assert len(function_name("x" * 100)) == 64
