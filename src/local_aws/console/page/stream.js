// The live stream: one EventSource, and what the page says of it.

import { getJson, postJson } from "./api.js";
import { byId, setText } from "./dom.js";
import { ago, seconds, short } from "./format.js";

const REOPEN_MS = [2000, 5000, 10000, 30000];
// An event is seen here and by the console's server within this time.
const SAME_BYTE_MS = 500;
const KEPT_EVENT_TIMES = 20;

export class Stream {
  constructor(functionUrl, heartbeatSeconds, form, events, feed) {
    this.functionUrl = functionUrl;
    this.silentMs = 2000 * heartbeatSeconds;
    this.form = form;
    this.events = events;
    this.feed = feed;
    this.source = null;
    this.ready = null;
    this.isLive = false;
    this.isPaused = false;
    this.lastId = "";
    this.wasCut = false;
    this.reopened = 0;
    this.timer = null;
    this.forget();
  }

  forget() {
    this.byteAt = null;
    this.itemAt = null;
    this.eventTimes = [];
    this.seen = null;
    this.heartbeatAt = -Infinity;
  }

  open({ keepPosition = false } = {}) {
    this.abandon();
    this.disconnect();
    const query = this.query();
    if (!keepPosition) this.lastId = "";
    // A source that the browser gave up forgets its last id; the query parameter carries it over.
    if (this.lastId) query.set("last_event_id", this.lastId);
    this.source = new EventSource(`${this.functionUrl}/stream?${query}`);
    this.show("waiting", "connecting");
    setText(byId("connect"), "Disconnect");
    for (const kind of ["ready", this.feed.event, "reset", "busy", "end"]) {
      this.source.addEventListener(kind, (event) => {
        this.lastId = event.lastEventId || this.lastId;
        this.byteAt = performance.now();
        this.eventTimes = [this.byteAt, ...this.eventTimes].slice(0, KEPT_EVENT_TIMES);
        this.handle(kind, JSON.parse(event.data));
        this.showAges();
      });
    }
    this.source.addEventListener("error", () => this.interrupted());
  }

  // What the form asks for; null where that is nothing.
  query() {
    const query = this.feed.queryOf(this.form);
    const backfill = new FormData(this.form).get("backfill");
    if (query && Number(backfill) > 0) query.set("backfill", backfill);
    return query;
  }

  judge() {
    const isNothing = this.query() === null;
    byId("connect").disabled = isNothing;
    byId("nothing-chosen").hidden = !isNothing;
    return isNothing;
  }

  // The filter was changed: an open stream is replaced, and waits while nothing is chosen.
  filtered() {
    const isNothing = this.judge();
    if (isNothing && this.source) {
      this.abandon();
      this.disconnect();
      this.isPaused = true;
      this.events.note("closed", this.feed.whyClosed);
      this.show("idle", "not connected");
    } else if (!isNothing && (this.source || this.isPaused)) {
      this.open();
    }
  }

  toggle() {
    if (this.source) {
      this.disconnect();
      this.show("idle", "not connected");
      this.events.note("closed", "by this page alone; the function streams on until it rotates");
    } else {
      this.open();
    }
  }

  disconnect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    this.isPaused = false;
    this.forget();
    this.showAges();
    setText(byId("connect"), "Connect");
    byId("close").disabled = true;
  }

  handle(kind, data) {
    if (kind === this.feed.event) {
      this.itemAt = performance.now();
      this.events.item(data);
    } else if (kind === "ready") {
      this.ready = data;
      this.reopened = 0;
      this.wasCut = false;
      this.show("live", "live");
      this.showConnection();
      const what = data.resumed ? "resumed where the last one ended" : "a new stream";
      this.events.note("ready", `connection ${data.sequence ?? ""}, ${what}`);
    } else if (kind === "reset") {
      this.events.note("reset", `position not honoured: ${data.reason}`);
    } else if (kind === "busy") {
      this.wasCut = true;
      this.events.note("busy", `${data.reason}; again in ${seconds(data.retry_ms / 1000)}`);
      this.show("waiting", "busy, waiting to retry");
    } else if (kind === "end") {
      this.wasCut = true;
      byId("close").disabled = true;
      if (data.reason === "cancelled") {
        this.events.note("end", "closed on the server");
        this.disconnect();
        this.show("idle", "closed on the server");
      } else {
        this.events.note("end", `${data.reason}; reconnects in ${seconds(data.retry_ms / 1000)}`);
        this.show("waiting", "reconnecting");
      }
    }
  }

  interrupted() {
    if (!this.source) return;
    byId("close").disabled = true;
    if (this.source.readyState === EventSource.CLOSED) {
      // Any answer but 200 text/event-stream makes the browser give up for good.
      const wait = REOPEN_MS[Math.min(this.reopened++, REOPEN_MS.length - 1)];
      this.events.note("refused", `the browser gave up; a new try in ${seconds(wait / 1000)}`);
      this.show("waiting", "refused, waiting to retry");
      this.timer = setTimeout(() => this.open({ keepPosition: true }), wait);
    } else if (!this.wasCut) {
      this.wasCut = true;
      this.events.note("lost", "the connection broke; the browser reconnects");
      this.show("waiting", "reconnecting");
    }
  }

  // ---- how long ago the last byte came

  // A heartbeat is a comment line, which an EventSource keeps to itself: the console's server sees it.
  async look() {
    const traceId = this.traceId;
    if (traceId === null) {
      this.showAges();
      return;
    }
    let streams = [];
    const asked = performance.now();
    try {
      ({ streams } = await getJson("/api/streams"));
    } catch {
      // The trace list says that the local stack does not answer.
    }
    const own = streams.find((stream) => stream.trace_id === traceId);
    if (own && traceId === this.traceId) {
      const idleMs = own.idle_seconds * 1000;
      this.sawByte({ from: asked - idleMs, to: performance.now() - idleMs });
    }
    this.showAges();
  }

  // The byte seen last time is judged now: if it was an event's, that event has arrived meanwhile.
  sawByte(byte) {
    const { seen } = this;
    this.seen = byte;
    this.byteAt = Math.max(this.byteAt, byte.from);
    if (seen === null || seen.from < this.heartbeatAt + SAME_BYTE_MS) return;
    if (this.eventTimes.some((at) => at > seen.from - SAME_BYTE_MS && at < seen.to + SAME_BYTE_MS)) return;
    this.heartbeatAt = seen.to;
    this.events.heartbeat();
  }

  showAges() {
    const now = performance.now();
    const age = (at) => (at === null ? "" : ago((now - at) / 1000));
    setText(byId("last-byte"), this.byteAt === null ? "" : `last byte ${age(this.byteAt)}`);
    setText(byId("last-item"), this.itemAt === null && this.isLive ? "none yet" : age(this.itemAt));
    if (!this.isLive) return;
    const isSilent = now - this.byteAt > this.silentMs;
    this.show(isSilent ? "silent" : "live", isSilent ? "silent" : "live");
  }

  // ---- ending it

  // The trace of the connection that is live now; null where there is none.
  get traceId() {
    return this.isLive ? this.ready.trace_id : null;
  }

  closeUrl() {
    const id = this.ready?.connection_id;
    return id && this.source ? `${this.functionUrl}/stream/${encodeURIComponent(id)}/close` : null;
  }

  // Lambda does not tell a function that its client has left: without this it would stream on.
  abandon() {
    const url = this.closeUrl();
    if (url) navigator.sendBeacon(url);
  }

  async closeOnServer() {
    const url = this.closeUrl();
    if (!url) return;
    byId("close").disabled = true;
    try {
      const answer = await getJson(url, { method: "POST" });
      this.events.note("close", `asked; ends within ${seconds(answer.ends_within_seconds)}`);
    } catch (error) {
      this.events.note("close", `not closed: ${error.message}`);
      byId("close").disabled = false;
    }
  }

  // As a crash would end it: without a word to the client.
  async kill() {
    const { traceId } = this;
    if (traceId === null) return;
    try {
      await postJson(`/api/streams/${encodeURIComponent(traceId)}/kill`);
      this.events.note("kill", "the execution environment of this connection");
    } catch (error) {
      this.events.note("kill", `not killed: ${error.message}`);
    }
  }

  // ---- what is shown

  show(state, text) {
    this.isLive = state === "live" || state === "silent";
    byId("kill").disabled = this.traceId === null;
    byId("state").dataset.state = state;
    setText(byId("state-text"), text);
  }

  showConnection() {
    const { ready } = this;
    byId("connection").hidden = false;
    byId("close").disabled = false;
    byId("connection-id").textContent = ready.connection_id;
    byId("connection-id").title = ready.connection_id;
    byId("session-id").textContent = short(ready.session_id);
    byId("session-id").title = ready.session_id;
    byId("sequence").textContent = `#${ready.sequence}`;
    const link = byId("trace-link");
    if (ready.trace_id) {
      link.href = `#trace=${ready.trace_id}`;
      link.textContent = "Show this trace";
      link.title = ready.trace_id;
    } else {
      link.removeAttribute("href");
      link.textContent = "none: no tracing header came";
    }
  }
}
