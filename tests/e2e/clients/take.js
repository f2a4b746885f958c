// In front of the page's code for Node.
const url = process.argv[2];
const take = (event) =>
  console.log([event.type, event.lastEventId, event.data].join("\t"));
