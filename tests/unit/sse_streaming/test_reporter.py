"""Metrics are put in batches, and kept when CloudWatch could not take them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambdas.sse_streaming.aws.errors import AwsRefused, AwsUnavailable
from lambdas.sse_streaming.reporter import MAX_DATUMS_PER_CALL, CloudWatchSink


class ScriptedCloudWatch:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def put_metric_data(self, **call: Any) -> None:
        if self._error is not None:
            raise self._error
        self.calls.append(call)


def test_a_call_holds_no_more_than_cloudwatch_takes() -> None:
    client = ScriptedCloudWatch()
    datums = [{"MetricName": f"m{number}"} for number in range(MAX_DATUMS_PER_CALL + 1)]

    CloudWatchSink(lambda: client, "N").put(datums)

    assert [len(call["MetricData"]) for call in client.calls] == [MAX_DATUMS_PER_CALL, 1]
    assert {call["Namespace"] for call in client.calls} == {"N"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            ClientError(
                {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}},
                "PutMetricData",
            ),
            AwsUnavailable,
        ),
        (
            ClientError(
                {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}},
                "PutMetricData",
            ),
            AwsRefused,
        ),
        (EndpointConnectionError(endpoint_url="http://localhost"), AwsUnavailable),
    ],
)
def test_a_failure_is_passing_or_permanent(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        CloudWatchSink(lambda: ScriptedCloudWatch(error), "N").put([{"MetricName": "m"}])
