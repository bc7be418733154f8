// A built page, served as its README says, in a fresh Chromium that reaches nothing but this machine.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FLAGS = (
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --use-fake-device-for-media-stream"
).split(" ");

/** Serves a folder on a free port: {url, stop}. */
export async function serve(folder) {
  const server = spawn("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const stop = () => server.kill();
  for await (const line of createInterface({ input: server.stdout })) {
    const port = line.match(/port (\d+)/)?.[1];
    if (port) return { url: `http://127.0.0.1:${port}/`, stop };
  }
  throw new Error("the server did not start");
}

/**
 * Opens Chromium with a profile of its own.
 *
 * `requested` collects the hosts that pages, workers and service workers asked for, `complaints` what pages wrote to
 * the console as an error or threw.
 */
export async function launch(options = {}) {
  const profile = await mkdtemp(path.join(os.tmpdir(), "web-demo-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: FLAGS,
    viewport: { width: 1200, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(120_000); // of a busy machine: what is wrong for good shows sooner or later
  const [requested, complaints] = [new Set(), []];
  context.on("request", (request) => requested.add(new URL(request.url()).hostname));
  context.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page: context.pages()[0], context, requested, complaints, close };
}
