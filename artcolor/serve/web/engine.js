/** Finds what colors pictures for the page: a server if there is one behind it, otherwise this browser. */

/**
 * @returns {Promise<{engine: object, samples: boolean}>} see local.js and remote.js; and whether there are free paintings
 */
export async function findEngine() {
  // Hosts of static files have this file, too, so that asking never fails; a server answers it by itself.
  const answer = await fetch(new URL("./backend.json", import.meta.url), { cache: "no-store" });
  const backend = answer.ok ? await answer.json() : { api: null };
  const { Engine } = await import(backend.api ? "./remote.js" : "./local.js");
  return { engine: new Engine(backend), samples: Boolean(backend.samples) };
}
