/** Keeps the page in the browser, so that it works without a network: see service-worker.js. */

/**
 * @param {() => boolean} isIdle whether the page may be loaded anew, because nobody works on a picture
 */
export async function keepOffline(isIdle) {
  const workers = navigator.serviceWorker;
  // Browsers have none for pages that are neither on this machine nor sent by HTTPS.
  const kept = await workers?.register("service-worker.js", { updateViaCache: "none" }).catch(() => null);
  // A newer version than this page came the last time.
  if (!kept?.waiting || !workers.controller || !isIdle()) return;
  workers.addEventListener("controllerchange", () => location.reload(), { once: true });
  kept.waiting.postMessage("take over");
}
