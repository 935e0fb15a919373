/**
 * The picture that a person works on: what was chosen for it (hints, settings, seed), its steps, and its drawing by an
 * engine. Tells of changes by events: `picture` (another one is open), `result` (drawn anew), `state` (what was chosen
 * has changed), `phase` (see `phase`) and `failure` (with `detail`, a Failure).
 */

import { Failure } from "./failure.js";
import { wantedOf } from "./guidance.js";
import { History } from "./history.js";
import { forget, keep, keyOf, restored } from "./store.js";

// What an engine may say again of a picture that it has opened.
const OF_MODEL = ["model", "sha256", "defaults", "accepts", "decoding", "uncertainty"];
const NOTHING = Object.freeze({ hints: [], extras: {}, decoding: {}, seed: null });

export class Project extends EventTarget {
  /** "empty", "loading", "rendering", "ready" or "error". */
  phase = "empty";
  /** What `start` of the engine said. */
  info = null;
  /** `{name, width, height, shown, original, transparent, isAgain}` of the open picture. */
  picture = null;
  /** Resolves once the picture that was opened last is drawn, or has failed. */
  opened = null;
  /** `{picture, used}` as last drawn. */
  result = null;
  #history = new History(NOTHING);
  #changes = 0;
  #rendering = null;
  #opening = null;
  #next = null;
  #restored = null;
  #call;

  /**
   * @param {object} engine
   * @param {(action: () => Promise) => Promise} call runs what needs the engine, once more after a token was entered
   */
  constructor(engine, call = (action) => action()) {
    super();
    this.engine = engine;
    this.#call = call;
  }

  get state() {
    return this.#history.state;
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  /** Counts changes, so that answers to older questions can be ignored. */
  get version() {
    return this.#changes;
  }

  /** What an engine is asked for. */
  get wanted() {
    return wantedOf(this.state, this.info);
  }

  async start(progress) {
    this.info = await this.#call(() => this.engine.start(progress));
    return this.info;
  }

  /** Asks the engine for something else of the open picture; `null` if something has changed in the meantime. */
  async ask(action) {
    const asked = this.version;
    try {
      const answer = await this.#call(() => action(this.engine));
      return asked === this.version ? answer : null;
    } catch (error) {
      if (asked !== this.version) return null;
      throw error;
    }
  }

  /** Opens a picture. Of several while one is being opened, only the newest is taken. */
  async open(file, name) {
    this.#next = { file, name };
    this.#setPhase("loading", name);
    if (this.#opening) return;
    this.#opening = this.#openNext();
    this.opened = this.#opening;
    await this.#opening;
    this.#opening = null;
  }

  async #openNext() {
    while (this.#next) {
      await this.#rendering;
      const { file, name } = this.#next;
      this.#next = null;
      this.#changes += 1;
      try {
        const [opened, key] = await Promise.all([this.#call(() => this.engine.open(file, name)), keyOf(file)]);
        this.picture?.original.close?.();
        this.picture = { ...opened, name, file, key, isAgain: this.picture?.key === key };
        for (const name of OF_MODEL) this.info[name] = opened[name] ?? this.info[name];
        this.#tell("model");
        this.#restored = restored(key);
        this.#history = new History(this.#restored ?? NOTHING);
        this.fresh = true;
        this.#tell("picture");
        this.#tell("state");
        await this.#draw();
      } catch (error) {
        if (error.reason === "outdated") continue;
        await this.#reopen();
        if (!this.#next) this.#fail(error, name);
      }
    }
  }

  /** A server has one session for a page: after a picture that it could not open, the one before is sent again. */
  async #reopen() {
    if (!this.picture || this.engine.kind !== "server") return;
    await this.#call(() => this.engine.open(this.picture.file, this.picture.name)).catch(() => {});
  }

  /** Opens the same picture again, for another model. */
  async useModel(model) {
    Object.assign(this.info, await this.#call(() => this.engine.useModel(model)));
    this.#tell("model");
    if (this.picture) await this.open(this.picture.file, this.picture.name);
  }

  /**
   * Changes what was chosen, and draws anew.
   *
   * @param {object} patch of `hints`, `extras`, `decoding` and `seed`
   * @param {string | null} key changes with the same key are one step, until `seal`
   */
  change(patch, key = null) {
    this.#history.push({ ...this.state, ...patch }, key);
    this.#changed();
  }

  seal() {
    this.#history.seal();
  }

  undo() {
    if (this.#history.undo()) this.#changed();
  }

  redo() {
    if (this.#history.redo()) this.#changed();
  }

  #changed() {
    this.#changes += 1;
    const { hints, extras, decoding, seed } = this.state;
    if (hints.length || seed !== null || Object.keys({ ...extras, ...decoding }).length) {
      keep(this.picture.key, this.state);
    } else {
      forget(this.picture.key);
    }
    this.#tell("state");
    // While a picture is drawn, only the newest state waits.
    if (!this.#opening) this.#setPhase("rendering");
    this.#rendering ??= this.#draw().finally(() => {
      this.#rendering = null;
    });
  }

  async #draw() {
    let drawn;
    let refused = null;
    do {
      drawn = this.version;
      try {
        this.result = await this.#call(() => this.engine.render(this.wanted));
      } catch (error) {
        if (drawn !== this.version || error.reason === "outdated") continue;
        if (this.#isRefused(error)) {
          refused = new Failure("notRestored", error.message);
          forget(this.picture.key);
          this.#history = new History(NOTHING);
          this.#changes += 1;
          this.#tell("state");
          continue;
        }
        this.#fail(error, this.picture.name);
        return;
      }
      this.#tell("result");
      this.fresh = false;
    } while (drawn !== this.version);
    if (this.#next) return;
    this.#setPhase("ready");
    if (refused) this.fail(refused);
  }

  /** Whether what was kept for the picture cannot be drawn; a server that is away may come back. */
  #isRefused({ reason, status }) {
    if (!this.#restored || this.state !== this.#restored) return false;
    return this.engine.kind === "browser" || reason === "hints" || status === 422;
  }

  #fail(error, name) {
    this.phase = "error";
    this.#tell("phase");
    this.fail(error, name);
  }

  /** Tells of a failure. */
  fail(error, name = this.picture?.name ?? "") {
    const failure = error instanceof Failure ? error : new Failure("failed", error.message);
    // Something newer was asked for.
    if (failure.reason === "outdated") return;
    this.dispatchEvent(new CustomEvent("failure", { detail: { failure, name } }));
  }

  #setPhase(phase, name = "") {
    this.phase = phase;
    this.#tell("phase", name);
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
