/** Colors pictures with `artcolor serve`, which this page comes from; its API is described in docs/howto/serve.md. */

import { Failure } from "./failure.js";

const SIDE = 1024; // of previews
const SMALL = 160; // of alternatives, and where only the guidance matters
// Of the name of a picture, which only the report shows.
const LONGEST = 200;
const REPEATS = 5; // while the server is busy
const KEY = "artcolor.token";

export class Engine {
  kind = "server";

  constructor({ api }) {
    this.root = new URL(`${api}/`, import.meta.url);
    this.secret = givenToken();
    this.model = null; // the server's own
    this.session = null;
    this.stopping = new AbortController();
    this.last = Promise.resolve();
    this.opens = 0;
    this.renders = 0;
  }

  /** Asks what the server can do. */
  async start() {
    const answer = await this.#ask("models");
    this.known = await answer.json();
    const { formats, max_pixels: mostPixels } = this.known;
    const saves = ["picture", "layer", "ora", "card"];
    const able = { regions: true, palette: true, folders: true };
    return { ...this.#described(this.model), models: this.#names(), formats, saves, mostPixels, ...able };
  }

  async useModel(name) {
    this.model = name === this.#names()[0] ? null : name;
    return this.#described(this.model);
  }

  /** Sends a picture; `progress` gets `done` and `total` in bytes. */
  async open(blob, name = "", progress) {
    this.opens += 1;
    const mine = this.opens;
    await this.close();
    if (mine !== this.opens) throw new Failure("outdated");
    this.picture = { blob, name };
    const { signal } = this.stopping;
    await this.#begin(progress, signal);
    // The server turns it and converts its colors, also of formats that no browser opens.
    const original = await this.#inSession(signal, async (at) =>
      bitmapOf(await this.#ask(`${at}/original?side=${SIDE}`, { signal })),
    );
    this.original = original;
    const { width, height, format, model, sha256, defaults } = this.session;
    const own = { ...this.#described(model), model, sha256, defaults };
    const transparent = isTransparent(original);
    return { ...own, width, height, format, transparent, original, shown: [original.width, original.height] };
  }

  /** Colors a preview. A call that still waits when a newer one comes is rejected as outdated: sliders never queue up. */
  async render({ decoding = {}, hints = null, seed = null }) {
    this.renders += 1;
    const mine = this.renders;
    return this.#inTurn(async (at, signal) => {
      if (mine !== this.renders) throw new Failure("outdated");
      const answer = await this.#guide(at, { ...decoding, hints, seed }, SIDE, signal);
      const [used, options] = ["Used", "Options"].map((name) => JSON.parse(answer.headers.get(`X-Artcolor-${name}`)));
      // Hints are too long for headers.
      const all = hints?.hints ?? hints;
      if (all?.length) options.hints = all;
      return { picture: await bitmapOf(answer), used, options, warnings: warningsOf(answer) };
    });
  }

  async suggest(x, y, k = 5, { hints = null } = {}) {
    return this.#inTurn(async (at, signal) => {
      const kept = JSON.stringify(this.kept?.hints ?? null);
      if (kept !== JSON.stringify(hints)) await this.#guide(at, { hints }, SMALL, signal);
      const answer = await this.#ask(`${at}/suggestions?${new URLSearchParams({ x, y, k })}`, { signal });
      return (await answer.json()).suggestions;
    });
  }

  async colorAt(x, y) {
    const { width, height } = this.original;
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    const [left, top] = [Math.min(Math.floor(x * width), width - 1), Math.min(Math.floor(y * height), height - 1)];
    context.drawImage(this.original, -left, -top);
    const rgb = [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    return `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }

  async alternatives({ decoding = {}, hints = null }, count = 4, side = SMALL) {
    return this.#inTurn(async (at, signal) => {
      await this.#keep(at, { ...decoding, hints }, signal);
      const answer = await this.#ask(`${at}/alternatives?${new URLSearchParams({ count, side })}`, { signal });
      const { alternatives } = await answer.json();
      return Promise.all(
        alternatives.map(async ({ seed, picture }) => ({ seed, picture: await bitmapOf(await fetch(picture)) })),
      );
    });
  }

  /** A small picture of the coloring without a seed. */
  async typical({ decoding = {}, hints = null }, side = SMALL) {
    return this.#inTurn(async (at, signal) =>
      bitmapOf(await this.#guide(at, { ...decoding, hints, seed: null }, side, signal)),
    );
  }

  async uncertainty() {
    const { signal } = this.stopping;
    return this.#inSession(signal, async (at) => ({
      picture: await bitmapOf(await this.#ask(`${at}/uncertainty?side=${SIDE}`, { signal })),
    }));
  }

  async save({ decoding = {}, hints = null, seed = null }, { format, quality, depth, what = "picture" } = {}) {
    return this.#inTurn(async (at, signal) => {
      await this.#keep(at, { ...decoding, hints, seed }, signal);
      const isDocument = what === "ora" || what === "card";
      const query = withoutEmpty(isDocument ? { what } : { what, format, quality, depth });
      const answer = await this.#ask(`${at}/result?${query}`, { signal });
      const written = format ?? (what === "layer" ? "png" : this.session.format);
      const suffix = { picture: `color.${written}`, layer: `layer.${written}`, ora: "ora", card: "html" }[what];
      const name = `${stem(this.picture.name)}.${suffix}`;
      return { blob: await answer.blob(), name, warnings: warningsOf(answer) };
    });
  }

  /** Colors the pictures of a ZIP file; `progress` gets `done` and `total` of the upload in bytes. */
  async folder(zip, { decoding = {} } = {}, progress) {
    const query = withoutEmpty({ ...decoding, model: this.model });
    const answer = await this.#ask(`folder?${query}`, { method: "POST", body: zip, progress }).catch((error) => {
      if (error.reason === "refused") error.reason = "refusedFolder";
      throw error;
    });
    const failed = Number(answer.headers.get("X-Artcolor-Failed"));
    return { blob: await answer.blob(), name: `${stem(zip.name ?? "")}.color.zip`, failed, warnings: warningsOf(answer) };
  }

  async token(text) {
    this.secret = text;
    remember(text);
  }

  async close() {
    this.stopping.abort();
    this.stopping = new AbortController();
    const session = this.session;
    this.session = this.kept = this.original = null;
    // Sessions that nobody uses end by themselves.
    if (session) await this.#ask(`sessions/${session.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  #entry(name) {
    return this.known?.models.find((each) => [each.name, each.model].includes(name ?? this.known.default));
  }

  #names() {
    // Weights of one's own are not listed.
    const first = this.#entry(null)?.name ?? this.known.default;
    return [first, ...this.known.models.map((each) => each.name).filter((name) => name !== first)];
  }

  #described(name) {
    const { name: model = name ?? this.known?.default, sha256 = "", defaults = {}, ...able } = this.#entry(name) ?? {};
    const { accepts, decoding, uncertainty } = able;
    return { model, sha256, defaults, accepts, decoding, uncertainty };
  }

  async #begin(progress, signal) {
    const query = withoutEmpty({ model: this.model, name: this.picture.name.slice(-LONGEST) || null });
    const answer = await this.#ask(`sessions?${query}`, { method: "POST", body: this.picture.blob, progress, signal });
    this.session = await answer.json();
    this.kept = null;
  }

  /** Calls `work` with the place of the session; if the server has forgotten it, sends the picture again. */
  async #inSession(signal, work) {
    if (!this.session) throw new Failure("outdated");
    const { id } = this.session;
    try {
      return await work(`sessions/${id}`);
    } catch (error) {
      if (error.status !== 404 || signal.aborted) throw error;
      // Others may have found that, too.
      if (this.session?.id === id) {
        this.beginning ??= this.#begin(undefined, signal).finally(() => (this.beginning = null));
        await this.beginning;
      }
      if (signal.aborted) throw new Failure("outdated");
      return work(`sessions/${this.session.id}`);
    }
  }

  /** The same, one after the other: the server keeps one guidance at a time. */
  #inTurn(work) {
    const { signal } = this.stopping;
    const done = this.last.then(() => {
      if (signal.aborted) throw new Failure("outdated");
      return this.#inSession(signal, (at) => work(at, signal));
    });
    this.last = done.catch(() => {});
    return done;
  }

  async #keep(at, guidance, signal) {
    if (JSON.stringify(this.kept) !== JSON.stringify(guidance)) await this.#guide(at, guidance, SMALL, signal);
  }

  async #guide(at, guidance, side, signal) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(guidance);
    const answer = await this.#ask(`${at}/guidance?side=${side}`, { method: "PUT", body, headers, signal });
    this.kept = guidance;
    return answer;
  }

  async #ask(path, { progress, headers = { "Content-Type": "application/octet-stream" }, ...options } = {}) {
    const sent = { ...options, headers: { ...headers } };
    if (this.secret) sent.headers.Authorization = `Bearer ${this.secret}`;
    const url = new URL(path, this.root);
    for (let repeats = 0; ; repeats += 1) {
      const answer = await (progress ? uploaded(url, sent, progress) : fetch(url, sent)).catch((error) => {
        throw options.signal?.aborted ? new Failure("outdated") : new Failure("noServer", error.message);
      });
      if (answer.ok) return answer;
      const seconds = Number(answer.headers.get("Retry-After"));
      if (answer.status !== 503 || !seconds || repeats === REPEATS) throw await failureOf(answer);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  }
}

async function failureOf(answer) {
  const { error = String(answer.status) } = await answer.json().catch(() => ({}));
  // Messages of the server say what to do; a fault within it is another matter.
  const reason = answer.status < 500 ? "refused" : "failed";
  const failure = new Failure(answer.status === 401 ? "needsToken" : reason, error.replace(/\.$/, ""));
  failure.status = answer.status;
  return failure;
}

/** As `fetch`, which cannot tell how much is sent. */
function uploaded(url, { method, body, headers, signal }, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => progress({ done: loaded, total }));
    request.addEventListener("load", () => {
      const lines = request.getAllResponseHeaders().trim().split(/[\r\n]+/);
      const headers = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
      resolve(new Response(request.response, { status: request.status, headers }));
    });
    for (const kind of ["error", "abort"]) request.addEventListener(kind, () => reject(new TypeError(kind)));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

async function bitmapOf(answer) {
  // Transparent pixels keep their colors.
  return createImageBitmap(await answer.blob(), { premultiplyAlpha: "none" });
}

/** What the server says beside the answer. */
function warningsOf(answer) {
  return JSON.parse(decodeURIComponent(answer.headers.get("X-Artcolor-Warnings") ?? "[]"));
}

function isTransparent(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return data.some((value, at) => at % 4 === 3 && value < 255);
}

function withoutEmpty(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

function stem(name) {
  return name.replace(/\.\w+$/, "") || "picture";
}

/** The token in the address (`#token=`), which is taken out of it; else the one of this tab. */
function givenToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    history.replaceState(history.state, "", location.pathname + location.search);
    remember(given);
    return given;
  }
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(token) {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // Browsers that are told to keep nothing.
  }
}
