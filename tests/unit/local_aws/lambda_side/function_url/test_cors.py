from __future__ import annotations

import json
import re

from local_aws.lambda_side.function_url import cors
from local_aws.settings import REPOSITORY_ROOT


def test_a_plain_options_request_is_no_preflight() -> None:
    asked = {"origin": "http://a", "access-control-request-method": "GET"}
    assert cors.is_preflight("OPTIONS", asked)
    assert not cors.is_preflight("GET", asked)
    assert not cors.is_preflight("OPTIONS", {"origin": "http://a"})


def test_a_preflight_allows_what_the_deployed_url_allows() -> None:
    """Its defaults, as they stand in the Terraform module."""
    module = REPOSITORY_ROOT / "modules" / "lambda"
    fields = (module / "fields.tf").read_text()
    headers = re.search(r"allow_headers += (\[.*\])", fields)
    age = re.search(r"max_age_seconds += (\d+)", fields)
    methods = re.search(r"allow_methods = local.has_feed \? (\[.*?\])", fields)
    assert headers is not None
    assert age is not None
    assert methods is not None
    allowed = dict(cors.preflight_headers())
    assert allowed["Access-Control-Allow-Headers"].split(",") == json.loads(headers[1])
    assert allowed["Access-Control-Allow-Methods"].split(",") == json.loads(methods[1])
    assert allowed["Access-Control-Max-Age"] == age[1]


def test_an_answer_without_an_origin_stays_as_it_is() -> None:
    assert cors.with_cors({}, [("A", "1")]) == [("A", "1")]
