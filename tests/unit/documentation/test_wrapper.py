"""The wrapper that pages are told to paste keeps what is said of it."""

from __future__ import annotations

import re
import shutil
import subprocess

from tests.absence import missing
from tests.unit.documentation.pages import text_of

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
    """Runs the wrapper in a page of fakes, and then the scenario."""
    node = shutil.which("node") or missing("node is not installed")
    wrapper = re.search(r"```js\n(.*?)```", text_of("docs/using-a-stream.md"), re.DOTALL)
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


def test_the_wrapper_closes_a_saved_filters_stream_at_its_connection() -> None:
    wrapper_in("""
      const close = openStream("https://api.example.com/feed/configurations/tech/stream", () => {});
      last().say("ready", "id-1", { connection_id: "7-abc" });
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
