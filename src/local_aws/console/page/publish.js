// The form that writes an item.

import { postJson } from "./api.js";
import { byId } from "./dom.js";

export async function publish(event, feed) {
  const item = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
  const output = byId("published");
  delete output.dataset.failed;
  try {
    const written = await postJson("/api/items", item);
    output.textContent = `published ${written[feed.itemId]}`;
  } catch (error) {
    output.dataset.failed = "";
    output.textContent = error.message;
  }
}
