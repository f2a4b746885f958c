// The switches of what can go wrong, as the local stack has them now.

import { getJson, postJson } from "./api.js";
import { byId, element, setText } from "./dom.js";

export class Faults {
  constructor() {
    this.buttons = new Map();
    this.wasOn = false;
    this.turns = 0;
  }

  async refresh() {
    const { turns } = this;
    try {
      const { faults } = await getJson("/api/faults");
      if (turns === this.turns) this.draw(faults); // else a switch was turned after it was asked for
    } catch {
      // The trace list says that the local stack does not answer.
    }
  }

  draw(faults) {
    for (const fault of faults) {
      if (!this.buttons.has(fault.name)) this.add(fault);
      const button = this.buttons.get(fault.name);
      button.setAttribute("aria-checked", String(fault.on));
      setText(button.querySelector(".on-off"), fault.on ? "on" : "off");
    }
    const on = faults.filter((fault) => fault.on);
    setText(byId("faults-on"), on.length ? `${on.length} on` : "");
    if (on.length && !this.wasOn) byId("faults").open = true;
    this.wasOn = on.length > 0;
    byId("fault-effects").replaceChildren(...on.map((fault) => element("li", {
      text: fault.hits === null ? fault.effect : `${fault.effect} Requests so far: ${fault.hits}.`,
    })));
  }

  add(fault) {
    const button = element("button", { type: "button", role: "switch", title: fault.effect, "data-fault": fault.name,
      onclick: () => this.turn(fault.name, button.getAttribute("aria-checked") !== "true") },
      element("span", { text: fault.label }), element("span", { class: "on-off", "aria-hidden": "true" }));
    this.buttons.set(fault.name, button);
    byId("kill").before(button);
  }

  async turn(name, on) {
    this.turns += 1;
    setText(byId("fault-problem"), "");
    try {
      this.draw((await postJson("/api/faults", { name, on })).faults);
    } catch (error) {
      setText(byId("fault-problem"), error.status ? error.message : "the local stack does not answer");
    }
  }
}
