"""CloudFront over HTTP, where moto loses what it was given: enough for Terraform's life.

What is made is kept as the XML that was sent and read back the same
(https://docs.aws.amazon.com/cloudfront/latest/APIReference).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tests.fakes.http_stand_in import Call, HttpStandIn

_NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
_KINDS = {
    "cache-policy": "CachePolicy",
    "distribution": "Distribution",
    "origin-access-control": "OriginAccessControl",
    "origin-request-policy": "OriginRequestPolicy",
}
_ETAG = "E2QWRUHEXAMPLE"

ElementTree.register_namespace("", _NAMESPACE)


def _named(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


class CloudFront(HttpStandIn):
    """A server on a free port. `made` holds the configurations that exist now, by kind and id."""

    def __init__(self) -> None:
        self.made: defaultdict[str, dict[str, Element]] = defaultdict(dict)
        self._tags: dict[str, Element] = {}
        self._numbers = itertools.count(1)
        owner = self

        class Handler(Call):
            def respond(self) -> None:
                sent = self.sent()
                body = ElementTree.fromstring(sent) if sent else Element("empty")
                url = urlsplit(self.path)
                status, answer = owner._answer(
                    self.command, url.path.split("/")[2:], parse_qs(url.query), body
                )
                told = b"" if answer is None else ElementTree.tostring(answer)
                self.answer(status, told, {"ETag": _ETAG, "Content-Type": "text/xml"})

        super().__init__(Handler)

    def _answer(
        self, method: str, path: list[str], query: dict[str, list[str]], body: Element
    ) -> tuple[int, Element | None]:
        match method, path:
            case "GET", ["tagging"]:
                tags = Element(_named("Tags"))
                tags.append(self._tags.get(query["Resource"][0], Element(_named("Items"))))
                return 200, tags
            case "POST", ["tagging"]:
                return 204, None
            case "POST", [kind] if kind in _KINDS:
                number = f"E{next(self._numbers):013d}"
                config = body.find(_named(f"{_KINDS[kind]}Config"))
                self.made[kind][number] = body if config is None else config
                if (given := body.find(f"{_named('Tags')}/{_named('Items')}")) is not None:
                    self._tags[_arn(number)] = given
                return 201, self._described(kind, number)
            case "PUT", [kind, number, *_] if number in self.made[kind]:
                self.made[kind][number] = body
                return 200, self._described(kind, number)
            case "GET", [kind, number] if number in self.made[kind]:
                return 200, self._described(kind, number)
            case "DELETE", [kind, number] if self.made[kind].pop(number, None) is not None:
                return 204, None
        return _missing(f"{method} {'/'.join(path)}", path[0])

    def _described(self, kind: str, number: str) -> Element:
        described = Element(_named(_KINDS[kind]))
        facts = {"Id": number, "LastModifiedTime": "2026-11-21T00:00:00Z"}
        if kind == "distribution":
            facts |= {
                "ARN": _arn(number),
                "Status": "Deployed",
                "InProgressInvalidationBatches": "0",
                "DomainName": f"{number.lower()}.cloudfront.net",
            }
        for name, value in facts.items():
            SubElement(described, _named(name)).text = value
            # AWS answers with what was left out.
            if self.made[kind][number].find(_named("OriginGroups")) is None:
                groups = SubElement(self.made[kind][number], _named("OriginGroups"))
                SubElement(groups, _named("Quantity")).text = "0"
        described.append(self.made[kind][number])
        return described


def _arn(number: str) -> str:
    return f"arn:aws:cloudfront::123456789012:distribution/{number}"


def _missing(what: str, kind: str) -> tuple[int, Element]:
    answer = Element(_named("ErrorResponse"))
    error = SubElement(answer, _named("Error"))
    SubElement(error, _named("Code")).text = f"NoSuch{_KINDS.get(kind, 'Resource')}"
    SubElement(error, _named("Message")).text = f"{what}: there is none"
    return 404, answer
