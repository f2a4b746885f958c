import { EventSource } from "eventsource";
import { watch } from "./watch.js";

watch(EventSource, process.argv[2], (record) => console.log(JSON.stringify(record)));
