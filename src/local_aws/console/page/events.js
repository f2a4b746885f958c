// The list of what the stream brought, newest first.

import { element, setText } from "./dom.js";
import { clock, seconds } from "./format.js";

const KEPT_EVENTS = 200;
const SLOW_LATENCY_MS = 2500;

export class EventList {
  constructor(root, feed) {
    this.root = root;
    this.feed = feed;
  }

  item(item) {
    const latency = Math.round(item.latency_ms);
    const { headline, meta, sentiment } = this.feed.shown(item);
    this.add(element("li", { class: "item", "data-sentiment": sentiment, title: item[this.feed.itemId] },
      element("span", { class: "headline", text: headline }),
      element("span", { class: "latency", text: seconds(latency / 1000), "data-slow": latency > SLOW_LATENCY_MS,
        title: `from ${this.feed.time} to the moment it was sent` }),
      element("span", { class: "meta", text: meta.join(" · ") })));
  }

  note(kind, text) {
    this.add(element("li", { class: "note", "data-kind": kind },
      element("b", { text: kind }), element("span", { text }), element("time", { text: now() })));
  }

  // Heartbeats with nothing between them share a line.
  heartbeat() {
    const newest = this.root.firstElementChild;
    if (newest?.dataset.kind !== "heartbeat") {
      this.note("heartbeat", "comment line");
      this.root.firstElementChild.dataset.count = "1";
      return;
    }
    newest.dataset.count = String(Number(newest.dataset.count) + 1);
    setText(newest.querySelector("span"), `comment line ×${newest.dataset.count}`);
    setText(newest.querySelector("time"), now());
  }

  add(entry) {
    this.root.querySelector(".empty")?.remove();
    entry.classList.add("new");
    this.root.prepend(entry);
    // Whoever has scrolled down to read keeps their place.
    if (this.root.scrollTop > 0) this.root.scrollTop += entry.offsetHeight;
    while (this.root.childElementCount > KEPT_EVENTS) this.root.lastElementChild.remove();
  }
}

const now = () => clock(Date.now() / 1000);
