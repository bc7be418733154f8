const PATIENCE_MS = 5000;

/**
 * Resolves once the service worker stands between page and server, so that all that is loaded from then on is kept for
 * use without a network. Where there is none (plain http, a private window), the page works all the same.
 *
 * @param {() => void} onNewBuild called when a newer build of the page takes over from the one that is shown.
 * @returns {Promise<boolean>} whether the page will open without a network.
 */
export async function keepOffline(onNewBuild) {
  if (!("serviceWorker" in navigator)) return false;
  if (navigator.serviceWorker.controller) navigator.serviceWorker.addEventListener("controllerchange", onNewBuild);
  try {
    await navigator.serviceWorker.register("service_worker.js");
  } catch {
    return false;
  }
  if (!navigator.serviceWorker.controller) {
    await new Promise((resolve) => {
      navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
      setTimeout(resolve, PATIENCE_MS);
    });
  }
  return navigator.serviceWorker.controller !== null;
}
