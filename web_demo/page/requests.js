import { DemoError, sentence } from "./errors.js";

/**
 * The page's side of the worker: a request for each of its actions, answered by a promise.
 *
 * After an error that nobody foresaw, such as memory that ran out, the runtime may be broken: a fresh worker takes
 * over, and `onRestart` tells the page to open its model anew.
 */
export class Requests {
  constructor(onRestart) {
    this.onRestart = onRestart;
    this.start();
  }

  start() {
    this.waiting = new Map();
    this.count = 0;
    this.worker = new Worker("worker.js");
    this.worker.addEventListener("message", ({ data }) => this.settle(data));
    this.worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.restart(sentence(event.message ?? "the worker did not start"));
    });
  }

  settle({ id, result, error, isForeseen }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) return resolve(result);
    reject(new DemoError(error));
    if (!isForeseen) this.restart(error);
  }

  restart(message) {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new DemoError(message));
    this.start();
    this.onRestart();
  }

  send(action, request, transfer = []) {
    return new Promise((resolve, reject) => {
      const id = ++this.count;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, action, ...request }, transfer);
    });
  }

  open(model) {
    return this.send("open", model, [model.bytes]);
  }

  find(source) {
    return this.send("find", source, source.frame ? [source.frame] : []);
  }

  draw(view) {
    return this.send("draw", { view });
  }

  save(view) {
    return this.send("save", { view });
  }
}
