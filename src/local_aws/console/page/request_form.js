// The form that sends a request through a front door, by way of the console's own server: the doors
// are other origins, and a page cannot see an answer's chunks.

import { Answer } from "./answer.js";
import { byId, element, setText } from "./dom.js";

const KEPT_ANSWERS = 20;
// Each takes one of the six connections that a browser has to one origin; the page itself needs two.
const OPEN_ANSWERS = 4;

export class RequestForm {
  // `onAnswer` gets each new answer, `onLine` is called when it has changed.
  constructor(form, { doors, methods }, { onAnswer, onLine }) {
    this.form = form;
    this.onAnswer = onAnswer;
    this.onLine = onLine;
    this.answers = [];
    const option = (value, text) => element("option", { value, text });
    form.elements.method.append(...methods.map((method) => option(method, method)));
    form.elements.door.append(...doors.map((door) => option(door.name, door.label)));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    byId("send").disabled = false;
  }

  // What this page has sent, as long as it is kept.
  answerTo(number) {
    return this.answers.find((answer) => answer.request?.number === number);
  }

  problem(text) {
    byId("request-problem").hidden = !text;
    setText(byId("request-problem"), text);
  }

  async send() {
    if (this.answers.filter((answer) => answer.isOpen).length >= OPEN_ANSWERS) {
      this.problem(`${OPEN_ANSWERS} answers are still open: choose one in the list and cancel it first`);
      return;
    }
    const given = Object.fromEntries(new FormData(this.form));
    const answer = new Answer(given, this.form.elements.door.selectedOptions[0].text);
    this.problem("");
    let response;
    try {
      response = await fetch("/api/requests", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given), signal: answer.abort.signal,
      });
    } catch {
      this.problem("the local stack does not answer");
      return;
    }
    if (!response.ok) {
      this.problem((await response.json()).error.message);
      return;
    }
    this.answers = [answer, ...this.answers].slice(0, KEPT_ANSWERS);
    this.onAnswer(answer);
    try {
      for await (const line of lines(response.body)) {
        answer.add(JSON.parse(line));
        this.onLine(answer);
      }
      if (answer.isOpen) throw new Error("the local stack has ended");
    } catch (error) {
      const isCancelled = answer.abort.signal.aborted;
      answer.state = isCancelled ? "cancelled" : "broken";
      answer.why = isCancelled ? "the function is not told, as on AWS: it goes on to its own end" : error.message;
    }
    this.onLine(answer);
  }
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}
