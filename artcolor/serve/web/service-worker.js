/**
 * Keeps the page in the browser, so that it works without a network.
 *
 * A version is installed as a whole or not at all, and each file is checked by its hash. The next time the page is
 * loaded, it lets a new version take over (offline.js).
 */

// scripts/make_page.py writes here. Where it did not, such as on a server, the page is not kept: this worker then
// removes what an earlier page left behind at the same address.
const PAGE = { version: "", files: {} };
// Several pages may share an origin, and caches belong to origins.
const PREFIX = `artcolor ${registration.scope} `;
const NAME = PREFIX + PAGE.version;
// Says whether a server is behind the page. This is asked anew each time, but not for long.
const BACKEND = "backend.json";
const PATIENCE = 2000;
const TAKE_OVER = "take over";

const addressOf = (path) => new URL(path, registration.scope).href;

/** Path of a file of the page that is asked for, or null. The empty path is the page itself. */
function pathOf({ method, headers, url }) {
  const address = url.replace(/[?#].*/, "");
  if (method !== "GET" || headers.has("Range") || !address.startsWith(registration.scope)) return null;
  const path = address.slice(registration.scope.length).replace(/^index\.html$/, "");
  return Object.hasOwn(PAGE.files, path) ? path : null;
}

async function ownCaches() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX));
}

async function install() {
  const isNew = !(await caches.has(NAME));
  const cache = await caches.open(NAME);
  const keep = async ([path, hash]) => cache.put(addressOf(path), await load(path, hash));
  // All have come to an end before the cache is given up.
  const ended = await Promise.allSettled(Object.entries(PAGE.files).map(keep));
  const failure = ended.find(({ status }) => status === "rejected");
  if (!failure) return;
  if (isNew) await caches.delete(NAME);
  throw failure.reason;
}

/** A file with this SHA-256: from an older version if that has it, otherwise from the host. */
async function load(path, hash) {
  const address = addressOf(path);
  for (const name of await ownCaches()) {
    const answer = await caches.match(address, { cacheName: name });
    const content = await answer?.arrayBuffer();
    if (content && (await hashOf(content)) === hash) return new Response(content, { headers: answer.headers });
  }
  const integrity = `sha256-${hash}`;
  // The browser's own cache has what the page has just loaded, but it may be of an older version.
  const answer = await fetch(address, { integrity }).catch(() => fetch(address, { integrity, cache: "reload" }));
  const content = await answer.arrayBuffer();
  const headers = new Headers(answer.headers);
  // The content is no longer compressed.
  headers.delete("Content-Encoding");
  headers.set("Content-Length", content.byteLength);
  // A new answer, because browsers refuse to show a page from one that was redirected.
  return new Response(content, { headers });
}

async function hashOf(content) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return btoa(String.fromCharCode(...hash));
}

async function removeCaches(isKept) {
  for (const name of await ownCaches()) if (!isKept(name)) await caches.delete(name);
}

async function answer(event, path) {
  if (path === BACKEND) {
    const server = await findServer();
    if (server) {
      event.waitUntil(end());
      return server;
    }
  }
  return (await caches.match(addressOf(path), { cacheName: NAME })) ?? fetch(event.request);
}

/** The answer of a server that is now at the address of the page, or null. */
async function findServer() {
  try {
    const found = await fetch(addressOf(BACKEND), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return found.ok && (await found.clone().json()).api ? found : null;
  } catch {
    // There is no network.
    return null;
  }
}

/** Leaves the address to what is there now. */
async function end() {
  await removeCaches(() => false);
  const pages = await clients.matchAll({ type: "window" });
  await registration.unregister();
  for (const page of pages) page.navigate(page.url);
}

if (PAGE.version) {
  addEventListener("install", (event) => event.waitUntil(install()));
  addEventListener("activate", (event) => event.waitUntil(removeCaches((name) => name === NAME)));
  addEventListener("message", (event) => {
    if (event.data === TAKE_OVER) event.waitUntil(skipWaiting());
  });
  addEventListener("fetch", (event) => {
    const path = pathOf(event.request);
    if (path !== null) event.respondWith(answer(event, path));
  });
} else {
  addEventListener("install", (event) => event.waitUntil(skipWaiting()));
  addEventListener("activate", (event) => event.waitUntil(end()));
}
