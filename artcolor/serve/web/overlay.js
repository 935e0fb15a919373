/** The map of where the model is unsure, over the gray picture. */

import { draw, element } from "./dom.js";
import { takes } from "./guidance.js";
import { strings, text } from "./strings.js";

// Of the color that marks unsure places; the same as --unsure in the style.
const COLOR = [255, 61, 139];
const OPACITY = 225;

export class Overlay {
  #basis = null;

  constructor(project, viewer, compare) {
    this.project = project;
    this.stage = viewer.stage;
    this.compare = compare;
    this.button = element("uncertainty");
    // The map lies over the original: only one of them can be looked at.
    compare.button.addEventListener("click", () => this.#toggle(false));
    this.button.addEventListener("click", () => this.#toggle(this.button.getAttribute("aria-pressed") !== "true"));
    project.addEventListener("picture", () => {
      this.#basis = null;
      this.#toggle(false);
    });
    project.addEventListener("phase", () => this.#update());
    project.addEventListener("model", () => this.#showTaken());
  }

  get shown() {
    return this.stage.classList.contains("mapped");
  }

  #showTaken() {
    const { info } = this.project;
    const taken = takes(info, "uncertainty");
    this.button.disabled = !taken;
    this.button.title = taken ? strings.uncertainty : text("uncertaintyNone", info);
    if (!taken && this.shown) this.#toggle(false);
  }

  async #toggle(shown) {
    if (shown) this.compare.set(0);
    this.button.setAttribute("aria-pressed", shown);
    this.stage.classList.toggle("mapped", shown);
    element("legend").hidden = !shown;
    await this.#update();
  }

  async #update() {
    const basis = this.project.version;
    if (!this.shown || this.project.phase !== "ready" || this.#basis === basis) return;
    this.#basis = basis;
    try {
      const answer = await this.project.ask((engine) => engine.uncertainty());
      if (answer) this.#draw(answer.picture);
    } catch (error) {
      this.#toggle(false);
      this.project.fail(error);
    }
  }

  #draw(gray) {
    const canvas = element("map");
    draw(canvas, gray);
    const context = canvas.getContext("2d");
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    // From the surest to the least sure place of this picture; most pictures use a small part of the whole range.
    let [least, most] = [255, 0];
    for (let at = 0; at < pixels.data.length; at += 4) {
      least = Math.min(least, pixels.data[at]);
      most = Math.max(most, pixels.data[at]);
    }
    const range = Math.max(most - least, 1);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const opacity = OPACITY * ((pixels.data[at] - least) / range) ** 1.5;
      pixels.data.set(COLOR, at);
      pixels.data[at + 3] = opacity;
    }
    context.putImageData(pixels, 0, 0);
    canvas.dataset.ready = "true";
  }
}
