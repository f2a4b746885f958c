// The parts of the left panel, one at a time: https://www.w3.org/WAI/ARIA/apg/patterns/tabs/

import { byId } from "./dom.js";

export class Tabs {
  constructor(root) {
    this.root = root;
    root.addEventListener("click", (event) => {
      const tab = event.target.closest('[role="tab"]');
      if (tab) this.choose(tab);
    });
    root.addEventListener("keydown", (event) => this.key(event));
  }

  get tabs() {
    return [...this.root.querySelectorAll('[role="tab"]:not([hidden])')];
  }

  choose(chosen) {
    for (const tab of this.root.querySelectorAll('[role="tab"]')) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }

  // Where a link leads to a part that is hidden, it is shown first.
  chooseFor(panelId) {
    const tab = this.tabs.find((one) => one.getAttribute("aria-controls") === panelId);
    if (tab) this.choose(tab);
  }

  key(event) {
    const { tabs } = this;
    const at = tabs.indexOf(document.activeElement);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const tab = tabs.at(next % tabs.length);
    this.choose(tab);
    tab.focus();
  }
}
