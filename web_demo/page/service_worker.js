// Keeps the page for use without a network: its own files when it is installed, the model, runtime and example photos
// when they are first asked for. build.mjs writes the two constants; a new build has a new version and a new cache.

/* global BUILD_VERSION, BUILD_FILES */

const CACHE = `sodkeras-web-demo-${BUILD_VERSION}`;

self.addEventListener("install", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    // Past the browser's own cache: it may hold files of the build before.
    await cache.addAll(BUILD_FILES.map((file) => new Request(file, { cache: "reload" })));
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const isOld = (name) => name.startsWith("sodkeras-web-demo-") && name !== CACHE;
    await Promise.all((await caches.keys()).filter(isOld).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const isOurs = event.request.method === "GET" && event.request.url.startsWith(self.registration.scope);
  if (isOurs) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  // A full disk costs the use without a network, not the page.
  if (response.status === 200) await cache.put(request, response.clone()).catch(() => {});
  return response;
}
