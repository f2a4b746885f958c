"""The `STREAMING_*` variables of an app."""

from __future__ import annotations

import pytest

from lambda_streaming.environ import SettingsError
from lambda_streaming.serving.settings import AppSettings, unknown_settings
from tests.unit.documentation.pages import quoted, rows_of, text_of


@pytest.mark.parametrize(
    ("value", "sent"), [("", b"1\r\n\n\r\n"), ("BYTE", b"1\r\n\n\r\n"), ("none", b"")]
)
def test_the_byte_of_an_empty_body_can_be_switched_off(value: str, sent: bytes) -> None:
    settings = AppSettings.from_environ({"STREAMING_EMPTY_BODY": value}, {})
    assert settings.empty_body == sent


def test_a_value_that_is_not_valid_is_refused_with_its_name() -> None:
    with pytest.raises(
        SettingsError, match="STREAMING_EMPTY_BODY='off' is not valid: one of byte, none"
    ):
        AppSettings.from_environ({"STREAMING_EMPTY_BODY": "off"}, {})


def test_every_setting_is_known_by_its_name() -> None:
    names = [quoted(row[0])[0] for row in rows_of(text_of("docs/apps.md"), "variable")]
    assert unknown_settings(dict.fromkeys(names, "1")) == []


def test_a_misspelt_one_is_told_with_the_nearest() -> None:
    assert unknown_settings({"STREAMING_EMPTY_BODIES": "none", "STREAMING_XYZ": "1"}) == [
        ("STREAMING_EMPTY_BODIES", "STREAMING_EMPTY_BODY"),
        ("STREAMING_XYZ", None),
    ]
