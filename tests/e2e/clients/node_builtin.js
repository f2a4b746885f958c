// node --experimental-eventsource
import { watch } from "./watch.js";

watch(EventSource, process.argv[2], (record) => console.log(JSON.stringify(record)));

// Its wait before a reconnect is a timer that keeps no process alive (undici, eventsource.js).
setInterval(() => {}, 1_000_000);
