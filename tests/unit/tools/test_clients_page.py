"""docs/clients.md says what is run: tests/e2e/test_real_clients.py runs its code."""

from __future__ import annotations

import json
import re

from tests.fakes.client_programs import SOURCES
from tests.fakes.clients_page import CLIENTS_PAGE, code_by_client, table


def pinned_versions() -> dict[str, str]:
    npm = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    pip = (SOURCES / "requirements.txt").read_text(encoding="utf-8")
    pip += (CLIENTS_PAGE.parents[1] / "requirements.txt").read_text(encoding="utf-8")
    go = (SOURCES / "go/go.mod").read_text(encoding="utf-8")
    maven = (SOURCES / "java/pom.xml").read_text(encoding="utf-8")
    return {
        **{name.rpartition("/")[2]: version for name, version in npm.items()},
        **dict(re.findall(r"^([\w-]+)==(\S+)", pip, re.MULTILINE)),
        **dict(re.findall(r"(go-sse|sse)(?:/v2)? v(\S+)", go)),
        **dict(re.findall(r"<artifactId>(\S+)</artifactId>\s*<version>(\S+)</version>", maven)),
    }


def test_every_client_of_the_table_has_its_code_and_the_other_way_round() -> None:
    rows = table()

    assert [row.client for row in rows] == list(code_by_client(CLIENTS_PAGE))
    assert [row.anchor for row in rows] == [
        row.client.lower().replace(" ", "-").replace(".", "") for row in rows
    ]


def test_the_table_names_the_versions_that_are_run() -> None:
    """But of a browser, Node and curl, which are the computer's."""
    versions = {row.client: row.version for row in table()}
    ours = pinned_versions().keys() & versions.keys()

    assert versions.keys() - ours == {"EventSource in browsers", "EventSource in Node", "curl"}
    assert {client: versions[client] for client in ours} == {
        client: pinned_versions()[client] for client in ours
    }
