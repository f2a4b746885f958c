from __future__ import annotations

import pytest

from lambda_streaming.serving.recording.routes import shortened


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "/"),
        ("/v1/order-items/", "/v1/order-items/"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/orders/7", "/orders/{id}"),
        ("/orders/0f8fad5b-d9cb-469f-a165-70867728950e/lines", "/orders/{id}/lines"),
        ("/reset/eyJhbGciOiJIUzI1NiJ9", "/reset/{id}"),
        ("/reset/" + "x" * 25, "/reset/{id}"),
        ("/u/ada@example.com", "/u/{id}"),
        ("/caf\u00e9 x", "/{id}"),
        ("/a\nb", "/{id}"),
    ],
)
def test_only_short_words_of_a_path_are_kept(path: str, name: str) -> None:
    assert shortened(path) == name


def test_a_path_is_cut() -> None:
    assert len(shortened("/word" * 10_000)) == 200
