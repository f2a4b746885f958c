"""The AWS account and region that the stack plays."""

from __future__ import annotations

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
# One key for everybody: DynamoDB Local keeps the tables of each access key apart.
ACCESS_KEY_ID = "ASIALOCALSTACK"
