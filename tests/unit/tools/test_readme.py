"""What the README tells people to type, paste and expect is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lambdas.sse_streaming.settings import Settings
from local_aws.settings import FUNCTION_DEFAULTS
from local_aws.tables import SAMPLE_CONFIGURATIONS
from tests.absence import missing

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# A page's world: what the wrapper opened, when it wants to be called again, what it told us.
PAGE = """
const assert = require("node:assert");
const opened = [], closed = [], timers = new Map(), heard = {};
globalThis.location = { href: "https://www.example.com/page" };
globalThis.fetch = async (url, { method, keepalive }) => {
  assert.deepEqual([method, keepalive], ["DELETE", true]);
  closed.push(url);
  throw new TypeError("the page has gone");
};
globalThis.addEventListener = (name, listener) => { heard[name] = listener; };
globalThis.setTimeout = (later) => { timers.set(timers.size + 1, later); return timers.size; };
globalThis.clearTimeout = (timer) => timers.delete(timer);
globalThis.EventSource = class {
  static CLOSED = 2;
  readyState = 1;
  listeners = {};
  constructor(url) { this.url = String(url); opened.push(this); }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  close() { this.readyState = 2; }
  say(name, id, data) { this.listeners[name]({ lastEventId: id, data: JSON.stringify(data) }); }
  refuse() { this.readyState = 2; this.onerror(); }
};
const elapse = () => {
  const due = [...timers.values()];
  timers.clear();
  due.forEach((later) => later());
};
const last = () => opened[opened.length - 1];
"""


def wrapper_in(scenario: str) -> None:
    """Runs the README's wrapper in a page of fakes, and then the scenario."""
    node = shutil.which("node") or missing("node is not installed")
    wrapper = re.search(r"```js\n(.*?)```", README, re.DOTALL)
    assert wrapper is not None
    done = subprocess.run(
        [node, "--eval", f"{PAGE}\n{wrapper[1]}\n{scenario}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr


def test_the_wrapper_keeps_the_streams_path_and_filter() -> None:
    wrapper_in("""
      const close = openStream("https://api.example.com/feed/stream?ticker=AAPL", () => {});
      assert.equal(last().url, "https://api.example.com/feed/stream?ticker=AAPL");
      last().say("ready", "id-1", { connection_id: "7-abc" });
      last().refuse();
      elapse();
      assert.equal(last().url, "https://api.example.com/feed/stream?ticker=AAPL&last_event_id=id-1");
      close();
      assert.deepEqual(closed, ["https://api.example.com/feed/stream/7-abc"]);
    """)


def test_the_wrapper_opens_nothing_after_it_was_closed() -> None:
    """Between a 429 and the next try, too."""
    wrapper_in("""
      const close = openStream("/stream", () => {});
      last().refuse();
      const connectLater = [...timers.values()][0];
      close();
      assert.equal(timers.size, 0);
      connectLater();
      heard.pageshow({ persisted: true });
      assert.equal(opened.length, 1);
    """)


def test_the_wrapper_comes_back_with_a_page_from_the_back_forward_cache() -> None:
    wrapper_in("""
      openStream("/stream", () => {});
      heard.pageshow({ persisted: false });
      assert.equal(opened.length, 1);
      last().say("ready", "id-1", { connection_id: "7-abc" });
      heard.pagehide();
      assert.equal(last().readyState, EventSource.CLOSED);
      assert.equal(closed.length, 1);
      heard.pageshow({ persisted: true });
      assert.equal(opened.length, 2);
      assert.equal(last().url, "https://www.example.com/stream?last_event_id=id-1");
    """)


def test_the_readmes_deployment_can_be_run_word_for_word(tmp_path: Path) -> None:
    """One shell goes through its blocks, so that every command runs where the one before it left
    the shell. Programs that need an account only answer."""
    section = README[README.index("\n## Deploy\n") : README.index("\n## Who traces what\n")]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for name in ("terraform", "curl"):
        stub = tmp_path / name
        stub.write_text(
            '#!/bin/sh\n[ "$1" = output ] && echo https://x.lambda-url.eu-west-1.on.aws/\nexit 0\n',
            encoding="utf-8",
        )
        stub.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euc", "".join(blocks)],
        cwd=ROOT,
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "MAKEFLAGS": "n",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_SESSION_TOKEN": "z",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    url = "https://x.lambda-url.eu-west-1.on.aws/"
    assert f'--url "{url}" --function "sse-streaming"' in done.stdout


def test_the_local_stacks_other_defaults_are_named() -> None:
    required = {
        name: value
        for name, value in FUNCTION_DEFAULTS.items()
        if name.endswith(("_TABLE", "SERVICE_NAME"))
    }
    plain = Settings.from_environ(required)
    other = [
        f"`{name}={value}`"
        for name, value in FUNCTION_DEFAULTS.items()
        if Settings.from_environ({**required, name: value}) != plain
    ]
    assert len(other) == 3
    assert [one for one in other if one not in README] == []


def test_the_sample_filters_are_named() -> None:
    assert [
        one["config_id"] for one in SAMPLE_CONFIGURATIONS if f"`{one['config_id']}`" not in README
    ] == []
