/** The divider between the original, at its left, and the colored picture. */

import { element } from "./dom.js";
import { text } from "./strings.js";

const STEP = 2;
const REVEAL_MS = 900;

export class Compare {
  #frame = 0;

  constructor(viewer) {
    this.viewer = viewer;
    this.slider = element("compare");
    this.button = element("original-shown");
    this.slider.addEventListener("input", () => this.#set(this.slider.valueAsNumber));
    this.slider.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      if (!ways[event.key]) return;
      event.preventDefault();
      this.set(this.slider.valueAsNumber + ways[event.key] * STEP);
    });
    this.slider.addEventListener("pointerdown", () => cancelAnimationFrame(this.#frame));
    this.button.addEventListener("click", () => this.set(this.slider.valueAsNumber === 100 ? 0 : 100));
    this.#set(0);
  }

  set(percent) {
    cancelAnimationFrame(this.#frame);
    this.slider.value = percent;
    this.#set(this.slider.valueAsNumber);
  }

  /** Draws the colors over the original, from the right to the left. */
  reveal() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) {
      this.set(0);
      return;
    }
    this.set(100);
    let start = null;
    const step = (now) => {
      start ??= now;
      const share = Math.min((now - start) / REVEAL_MS, 1);
      this.slider.value = 100 * (1 - share) ** 2;
      this.#set(this.slider.valueAsNumber);
      if (share < 1) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  #set(percent) {
    this.viewer.compare(percent / 100);
    this.slider.setAttribute("aria-valuetext", text("compared", { percent: Math.round(percent) }));
    this.button.setAttribute("aria-pressed", percent === 100);
  }
}
