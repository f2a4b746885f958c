"""The environment variables of a function's process: Lambda's own, the configured ones, the wiring.

Later ones win: Lambda's reserved variables and the function's configuration first, then what points
it at this computer, then the caller's own settings of the function. Nothing else of the caller's
environment is passed on; credentials only where the caller says so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.session import Session

from local_aws.account import ACCESS_KEY_ID, REGION
from local_aws.settings import FunctionSettings

_CREDENTIALS_OF_THE_STACK = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"),
)
# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html; a profile may name a
# program that gives the credentials, which needs HOME and PATH.
_CREDENTIALS_OF_THE_CALLER = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE"),
    *("AWS_EC2_METADATA_DISABLED", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("HOME", "PATH"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Where the function finds the services of this computer; None: the stack has no such one."""

    dynamodb_url: str | None
    cloudwatch_url: str | None
    otlp_url: str
    xray_daemon_address: str


def function_environ(
    function: FunctionSettings, wiring: Wiring, *, runtime_api: str, environment_number: int
) -> dict[str, str]:
    """See the Lambda developer guide, "Defined runtime environment variables"."""
    reserved = {
        "_HANDLER": function.handler,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info[:2]),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{environment_number:032x}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": wiring.xray_daemon_address,
        "_AWS_XRAY_DAEMON_ADDRESS": wiring.xray_daemon_address.partition(":")[0],
        "_AWS_XRAY_DAEMON_PORT": wiring.xray_daemon_address.partition(":")[2],
        "LAMBDA_TASK_ROOT": str(function.task_root),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
    # Not Lambda's: without these the SDK looks for an instance's metadata and for the caller's
    # profile, and a Python outside the system's library path would not start.
    of_this_computer = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **_inherited("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    }
    if not function.writes_bytecode:
        of_this_computer["PYTHONDONTWRITEBYTECODE"] = "1"
    if function.python_path:
        own = function.environment.get("PYTHONPATH")
        paths = [*([own] if own else []), *map(str, function.python_path)]
        of_this_computer["PYTHONPATH"] = os.pathsep.join(paths)
    if function.real_credentials:
        for name in _CREDENTIALS_OF_THE_STACK:
            (reserved if name in reserved else of_this_computer).pop(name)
        of_this_computer |= _inherited(*_CREDENTIALS_OF_THE_CALLER)
        reserved["AWS_REGION"] = reserved["AWS_DEFAULT_REGION"] = _region_of_the_caller()
    wired = {"OTEL_EXPORTER_OTLP_ENDPOINT": wiring.otlp_url}
    if wiring.dynamodb_url is not None:
        wired["AWS_ENDPOINT_URL_DYNAMODB"] = wiring.dynamodb_url
    if wiring.cloudwatch_url is not None:
        wired["AWS_ENDPOINT_URL_CLOUDWATCH"] = wiring.cloudwatch_url
    return {**function.environment, **reserved, **of_this_computer, **wired, **function.passed_on}


def _region_of_the_caller(environ: Mapping[str, str] = os.environ) -> str:
    """The SDK would look into the profile last: Lambda sets both variables."""
    given = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return given or Session().get_config_variable("region") or REGION


def _inherited(*names: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {name: environ[name] for name in names if name in environ}
