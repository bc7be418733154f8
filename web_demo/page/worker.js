// Answers the page's requests one after another: {id, action, ...} in, {id, result} or {id, error, isForeseen} out.

import { DemoError, sentence } from "./errors.js";
import { Session } from "./session.js";

const ACTIONS = ["open", "find", "draw", "save"];
const session = new Session();
let last = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  last = last.then(() => answer(data));
});

async function answer({ id, action, ...request }) {
  try {
    if (!ACTIONS.includes(action)) throw new TypeError(`unknown action ${action}`);
    const result = await session[action](request);
    self.postMessage({ id, result }, result instanceof ImageBitmap ? [result] : []);
  } catch (error) {
    self.postMessage({ id, error: sentence(error), isForeseen: error instanceof DemoError });
  }
}
