"""The local stack's settings, read once from the environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.app.env_file import parse_env_file
from local_aws.app.names import function_name, handler_of
from local_aws.feed.declaration import Declaration
from local_aws.feed.function import SETTING_PREFIX, feed_environment
from local_aws.feed.sentiment import function as sentiment
from local_aws.feed.sentiment.declaration import SENTIMENT

SOURCE_ROOT = Path(__file__).resolve().parents[1]
REPOSITORY_ROOT = SOURCE_ROOT.parent
# Installed from a wheel, the stack must not write beside the interpreter's packages.
IS_CHECKOUT = (REPOSITORY_ROOT / "pyproject.toml").is_file()
WORK_ROOT = REPOSITORY_ROOT if IS_CHECKOUT else Path.cwd()

DEFAULT_PORT = 8080
DoorName: TypeAlias = Literal[
    "function_url", "rest_api", "invoke_api", "http_api", "alb", "alb_multi_value"
]
DOOR_PORTS: Mapping[DoorName, int] = MappingProxyType(
    {
        "function_url": 0,
        "rest_api": 2,
        "invoke_api": 3,
        "http_api": 4,
        "alb": 5,
        "alb_multi_value": 6,
    }
)
"""Counted from PORT; PORT + 1 is the console."""
_LAST_PORT = 65535
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)
_PREFIX = "LOCAL_"
_APP_SETTING_PREFIXES = ("STREAMING_", "OTEL_", "POWERTOOLS_")
# The REST API at /prod has responseTransferMode STREAM, of which no event tells the function.
_APP_ENVIRONMENT = {"STREAMING_INVOKE_MODE": "stream"}


class SettingError(ValueError):
    """A setting has a value that the stack cannot use: the user's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """The function to run: `python -m awslambdaric handler`, in its task root.

    `environment` is the function's configured environment (what Terraform sets on AWS);
    `passed_on` are the caller's own variables, which replace every other value. `python_path` is
    searched after the task root. With `real_credentials` the function has the caller's AWS account.
    Bytecode names its source by second and size: an edit in between could go unseen.
    """

    name: str = sentiment.NAME
    python: Path = Path(sys.executable)
    task_root: Path = REPOSITORY_ROOT / "src"
    handler: str = sentiment.HANDLER
    memory_mb: int = 1024
    environment: Mapping[str, str] = field(default_factory=lambda: sentiment.ENVIRONMENT)
    passed_on: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[Path, ...] = ()
    real_credentials: bool = False
    writes_bytecode: bool = True

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.name}"

    @property
    def configured(self) -> dict[str, str]:
        """The function's own settings, as the function will see them."""
        return {**self.environment, **self.passed_on}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The local stack's settings. Port 0 means any free port, for the console too.

    `feed`: the declaration of the feed that the function serves, which gets its tables; any other
    app gets none. `requirements` are those of an app that has an environment of its own. When a
    Python file below `watched` changes, the execution environments are replaced. `url_cors`: the
    Function URL has a CORS configuration, as the service's has; an app's where its setting says so.
    """

    port: int = DEFAULT_PORT
    concurrency: int = 25
    timeout_seconds: float = 60.0
    sampled: bool = True
    show_disconnect: bool = False
    limits: bool = False
    index_lag_ms: int = 0
    items_per_second: float = 1.0
    log: bool = False
    dynamodb_url: str | None = None
    dynoxide: Path | None = None
    console_hosts: tuple[str, ...] = ()
    state_file: Path | None = None
    feed: Declaration | None = SENTIMENT
    url_cors: bool = True
    requirements: Path | None = None
    watched: Path | None = None
    function: FunctionSettings = field(default_factory=FunctionSettings)

    @property
    def console_port(self) -> int:
        return self.port + 1 if self.port else 0

    def door_port(self, door: DoorName) -> int:
        port = self.port + DOOR_PORTS[door]
        return port if self.port and port <= _LAST_PORT else 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Reads PORT, LOCAL_*, APP with what belongs to it, and the variables that are passed on to
        the function.

        Raises SettingError, naming the variable and its value.
        """
        return cls._read_with(_Reader(environ))

    @classmethod
    def _read_with(cls, read: _Reader) -> Settings:
        app = read.handler("APP")
        app_folder = read.folder("APP_DIR")
        if app_folder is not None and not app:
            raise SettingError(f"APP_DIR={str(app_folder)!r}: give the app too, APP=module:handler")
        env_file = read.env_file("ENV_FILE")
        real_credentials = read.switch("LOCAL_AWS_CREDENTIALS", default=False)
        reloads = read.switch("LOCAL_RELOAD", default=bool(app))
        function = FunctionSettings(
            python=read.file("LOCAL_PYTHON") or Path(sys.executable),
            task_root=read.folder("LOCAL_TASK_ROOT") or app_folder or _default_task_root(app),
            handler=app or read.text("LOCAL_HANDLER") or sentiment.HANDLER,
            real_credentials=real_credentials,
            writes_bytecode=not reloads,
        )
        serves_sentiment = app in ("", sentiment.HANDLER)
        if serves_sentiment:
            function = replace(
                function,
                environment={**sentiment.ENVIRONMENT, **env_file},
                passed_on=read.beginning_with((SETTING_PREFIX, *_APP_SETTING_PREFIXES)),
            )
        else:
            named = app_folder.name if app_folder else app.rpartition(".")[0]
            function = replace(
                function,
                name=function_name(named),
                environment={**_APP_ENVIRONMENT, **env_file},
                passed_on=read.beginning_with(_APP_SETTING_PREFIXES),
            )
        requirements = app_folder / "requirements.txt" if app_folder else None
        if read.text("LOCAL_PYTHON") or (requirements and not requirements.is_file()):
            requirements = None
        if app:
            function = replace(function, python_path=(SOURCE_ROOT,) if IS_CHECKOUT else ())
        return cls(
            port=read.integer("PORT", DEFAULT_PORT, minimum=0, maximum=65534),
            concurrency=read.integer("LOCAL_CONCURRENCY", 25, minimum=1, maximum=1000),
            timeout_seconds=read.number("LOCAL_TIMEOUT_SECONDS", 60.0, minimum=0.1, maximum=900.0),
            sampled=read.switch("LOCAL_SAMPLED", default=True),
            show_disconnect=read.switch("LOCAL_SHOW_DISCONNECT", default=False),
            limits=read.switch("LOCAL_LIMITS", default=False),
            index_lag_ms=read.integer("LOCAL_INDEX_LAG_MS", 0, minimum=0, maximum=60_000),
            items_per_second=read.number("LOCAL_ITEMS_PER_SECOND", 1.0, minimum=0.0, maximum=500.0),
            log=read.switch("LOCAL_LOG", default=False),
            dynamodb_url=read.url("LOCAL_DYNAMODB_URL"),
            dynoxide=read.file("LOCAL_DYNOXIDE"),
            console_hosts=read.hosts("LOCAL_CONSOLE_HOSTS"),
            state_file=read.new_file("LOCAL_STATE_FILE"),
            feed=SENTIMENT if serves_sentiment else None,
            url_cors=serves_sentiment or _has_url_cors(function),
            requirements=requirements,
            watched=function.task_root if reloads else None,
            function=function,
        )


def of_feed(settings: Settings, feed: Declaration, environ: Mapping[str, str]) -> Settings:
    """The settings of an app whose handler has turned out to serve this feed. `environ` has the
    caller's own settings of the service, which no other app gets."""
    function = settings.function
    return replace(
        settings,
        feed=feed,
        url_cors=True,
        function=replace(
            function,
            environment={**feed_environment(feed, name=function.name), **function.environment},
            passed_on={
                **function.passed_on,
                **_Reader(environ).beginning_with((SETTING_PREFIX,)),
            },
        ),
    )


def _has_url_cors(function: FunctionSettings) -> bool:
    """By the library's setting, read as the library reads it."""
    return function.configured.get("STREAMING_URL_CORS", "").lower() == "true"


def _default_task_root(app: str) -> Path:
    """The service's source, or the folder where somebody starts an app of their own."""
    return Path.cwd() if app else SOURCE_ROOT


def unknown_settings(environ: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Each LOCAL_* variable that is no setting, with the setting whose name is most similar."""
    given = sorted(name for name in environ if name.upper().startswith(_PREFIX))
    read = _Reader({})
    Settings._read_with(read)
    return [
        (name, _most_like(name.upper(), read.names)) for name in given if name not in read.names
    ]


def _most_like(name: str, known: Iterable[str]) -> str | None:
    # Without the common prefix, which would make any two names similar.
    tails = (other.removeprefix(_PREFIX) for other in known if other.startswith(_PREFIX))
    matches = get_close_matches(name.removeprefix(_PREFIX), tails, n=1)
    return _PREFIX + matches[0] if matches else None


class _Reader:
    """Reads typed values; an empty variable counts as not set.

    `names`: every variable read so far, set or not.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.names: set[str] = set()

    def text(self, name: str) -> str:
        self.names.add(name)
        return self._environ.get(name, "")

    def beginning_with(self, prefixes: tuple[str, ...]) -> dict[str, str]:
        return {k: v for k, v in self._environ.items() if k.startswith(prefixes)}

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        value = self.number(name, float(default), minimum=minimum, maximum=maximum)
        if value != int(value):
            raise SettingError(f"{name}={self.text(name)!r}: give a whole number")
        return int(value)

    def number(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            raise SettingError(f"{name}={text!r}: give a number") from None
        if not minimum <= value <= maximum:  # also refuses nan
            raise SettingError(f"{name}={text!r}: give a number from {minimum:g} to {maximum:g}")
        return value

    def switch(self, name: str, *, default: bool) -> bool:
        text = self.text(name)
        if not text:
            return default
        if text not in ("0", "1", "on", "off"):
            raise SettingError(f"{name}={text!r}: give 1 (on) or 0 (off)")
        return text in ("1", "on")

    def url(self, name: str) -> str | None:
        text = self.text(name)
        if not text:
            return None
        if not text.startswith("http://"):
            raise SettingError(f"{name}={text!r}: give the engine's address, http://host:port")
        return text.rstrip("/")

    def hosts(self, name: str) -> tuple[str, ...]:
        hosts = tuple(filter(None, (one.strip() for one in self.text(name).split(","))))
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise SettingError(f"{name}={host!r}: give host or host:port, separated by commas")
        return hosts

    def handler(self, name: str) -> str:
        """Lambda's handler setting for the app that is named; empty where none is."""
        text = self.text(name)
        try:
            return handler_of(text) if text else ""
        except ValueError as error:
            raise SettingError(f"{name}={text!r}: {error}") from None

    def env_file(self, name: str) -> dict[str, str]:
        path = self.file(name)
        if path is None:
            return {}
        try:
            return parse_env_file(path.read_text(encoding="utf-8"))
        except ValueError as error:  # also bytes that are not UTF-8
            problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            raise SettingError(f"{name}={self.text(name)!r}: {problem}") from None

    def new_file(self, name: str) -> Path | None:
        text = self.text(name)
        return Path(text).absolute() if text else None

    def file(self, name: str) -> Path | None:
        return self._path(name, kind="file")

    def folder(self, name: str) -> Path | None:
        return self._path(name, kind="folder")

    def _path(self, name: str, *, kind: str) -> Path | None:
        text = self.text(name)
        if not text:
            return None
        path = Path(text).absolute()
        if not (path.is_dir() if kind == "folder" else path.is_file()):
            raise SettingError(f"{name}={text!r}: there is no such {kind}")
        return path
