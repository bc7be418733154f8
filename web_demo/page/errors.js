/** Something a visitor can mend: its message is one sentence for the page that says what to do. */
export class DemoError extends Error {}

/** The sentence for an error of any kind. */
export function sentence(error) {
  if (error instanceof DemoError) return error.message;
  const message = String(error?.message ?? error).split("\n")[0].replace(/\.+$/, "");
  if (error instanceof RangeError || /memory|allocation|OOM/i.test(message)) {
    return `The memory does not suffice; close other pages, or take a smaller photo or model (${message}).`;
  }
  return `Something went wrong that this page did not foresee (${message}); reload it.`;
}
