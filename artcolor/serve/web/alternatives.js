/** A strip of other colorings of the picture, made while nothing else is to be done. */

import { draw, element, make } from "./dom.js";
import { takes } from "./guidance.js";
import { strings, text } from "./strings.js";

const COUNT = 4;
const SIDE = 160;
// Someone who has just moved a slider will likely move it again.
const IDLE_MS = 600;

export class Alternatives {
  #timer = 0;
  #made = -1;

  constructor(project) {
    this.project = project;
    this.strip = element("strip");
    this.typical = this.#button("typical", strings.typical, () => this.#choose(null));
    this.others = [];
    this.strip.append(this.typical);
    project.addEventListener("picture", () => {
      this.#made = -1;
      this.#showOthers(Array.from({ length: COUNT }, () => null));
    });
    project.addEventListener("result", () => this.#drawTypical());
    project.addEventListener("state", () => this.#mark());
    project.addEventListener("phase", () => this.#plan());
    project.addEventListener("model", () => this.#showTaken());
  }

  get #taken() {
    return takes(this.project.info, "seed");
  }

  #showTaken() {
    this.strip.hidden = !this.#taken;
    const { info } = this.project;
    element("alternatives-help").textContent = this.#taken ? strings.alternativesHelp : text("alternativesNone", info);
  }

  #plan() {
    clearTimeout(this.#timer);
    if (this.#taken && this.project.phase === "ready" && this.#made !== this.#basis()) {
      this.#timer = setTimeout(() => this.#make(), IDLE_MS);
    }
  }

  /** What alternatives depend on: not on which of them is chosen. */
  #basis() {
    const { decoding, hints } = this.project.wanted;
    return JSON.stringify([this.project.picture?.key, this.project.info.model, decoding, hints]);
  }

  async #make() {
    const basis = this.#basis();
    this.strip.setAttribute("aria-busy", "true");
    try {
      const { decoding, hints } = this.project.wanted;
      const found = await this.project.ask((engine) => engine.alternatives({ decoding, hints }, COUNT, SIDE));
      if (!found) return;
      this.#made = basis;
      this.#showOthers(found);
      await this.#remakeTypical();
    } catch (error) {
      // The picture itself is there; it is enough that the strip stays as it was.
      if (error.reason !== "outdated") this.#made = basis;
      this.project.fail(error);
    } finally {
      this.strip.removeAttribute("aria-busy");
    }
  }

  #showOthers(found) {
    while (this.others.length < found.length) {
      const at = this.others.length;
      const label = text("alternative", { number: at + 1 });
      const button = this.#button("alternative", label, () => this.#choose(this.seeds[at]));
      this.others.push(button);
      this.strip.append(button);
    }
    this.seeds = found.map((each) => each?.seed);
    found.forEach((each, at) => {
      const button = this.others[at];
      button.disabled = !each;
      const canvas = button.querySelector("canvas");
      if (each) draw(canvas, each.picture);
      else this.#blank(canvas);
      each?.picture.close?.();
    });
    this.#mark();
  }

  #blank(canvas) {
    const { width, height } = this.project.picture;
    const scale = SIDE / Math.max(width, height);
    [canvas.width, canvas.height] = [Math.max(1, width * scale), Math.max(1, height * scale)];
  }

  #drawTypical() {
    if (this.project.wanted.seed !== null && !this.project.fresh) return;
    const canvas = this.typical.querySelector("canvas");
    this.#blank(canvas);
    canvas.getContext("2d").drawImage(element("result"), 0, 0, canvas.width, canvas.height);
  }

  /** While another guess is shown, the result does not say what the typical one has become. */
  async #remakeTypical() {
    if (this.project.wanted.seed === null) return;
    const { decoding, hints } = this.project.wanted;
    const picture = await this.project.ask((engine) => engine.typical({ decoding, hints }, SIDE));
    if (picture) draw(this.typical.querySelector("canvas"), picture);
    picture?.close?.();
  }

  #mark() {
    const { seed } = this.project.state;
    this.typical.setAttribute("aria-pressed", seed === null);
    this.others.forEach((button, at) => button.setAttribute("aria-pressed", seed !== null && this.seeds[at] === seed));
  }

  #choose(seed) {
    if (seed !== undefined && seed !== this.project.state.seed) this.project.change({ seed });
  }

  #button(name, label, action) {
    const button = make("button", { type: "button", className: "thumb", data: { artcolor: name } });
    const canvas = make("canvas", { width: 4, height: 3 });
    canvas.setAttribute("aria-hidden", "true");
    button.append(canvas, make("span", { textContent: label }));
    button.addEventListener("click", action);
    return button;
  }
}
