from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local_aws.feed.items import ItemError, NotWrittenError
from local_aws.feed.publisher import put_into


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ClientError({"Error": {"Code": "ValidationException"}}, "PutItem"), ItemError),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem"), NotWrittenError),
        (EndpointConnectionError(endpoint_url="http://gone"), NotWrittenError),
    ],
)
def test_a_failed_write_says_whether_the_item_is_at_fault(
    error: Exception, raised: type[Exception]
) -> None:
    class Failing:
        def put_item(self, **_: Any) -> None:
            raise error

    with pytest.raises(raised):
        put_into(Failing(), "items")({"item_id": "a"})
