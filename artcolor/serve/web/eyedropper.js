/** Takes a color from the picture, from another one beside it, or from the screen. */

import { colorOn, draw, element, onFile } from "./dom.js";
import { Failure } from "./failure.js";
import { strings, text } from "./strings.js";

const STEP = 0.02;
// Larger references are reduced: they are only looked at.
const MOST_SIDE = 1600;

export class Eyedropper {
  /** Whether the next click on the picture takes a color. */
  picking = false;
  #at = [0.5, 0.5];

  /**
   * @param {import("./hint-editor.js").HintEditor} editor
   * @param {(message: string) => void} say
   */
  constructor(editor, say) {
    this.editor = editor;
    this.say = say;
    this.canvas = element("reference");
    element("reference-open").addEventListener("click", () => element("reference-file").click());
    element("reference-close").addEventListener("click", () => this.#close());
    onFile(element("reference-file"), (file) => this.open(file));
    this.canvas.addEventListener("click", (event) => this.#clicked(event));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  fromPicture() {
    this.#setPicking(!this.picking);
  }

  stop() {
    this.#setPicking(false);
  }

  /** Takes the color that is shown at a place of the picture. */
  take(x, y) {
    this.#setPicking(false);
    const shown = this.editor.viewer.showsOriginal(x) ? "original" : "result";
    this.#give(colorOn(element(shown), x, y));
  }

  fromReference() {
    if (this.canvas.hidden) {
      element("reference-file").click();
      return;
    }
    this.canvas.scrollIntoView({ block: "nearest" });
    this.canvas.focus();
  }

  async fromScreen() {
    try {
      const { sRGBHex } = await new globalThis.EyeDropper().open();
      this.#give(sRGBHex);
    } catch {
      // Left with Escape.
    }
  }

  /** Shows a reference. */
  async open(file) {
    const whole = await createImageBitmap(file).catch(() => null);
    if (!whole) {
      this.editor.project.fail(new Failure("notPicture"), file.name);
      return;
    }
    const scale = Math.min(1, MOST_SIDE / Math.max(whole.width, whole.height));
    const [width, height] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
    draw(this.canvas, await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height }));
    whole.close();
    this.canvas.hidden = false;
    element("reference-place").hidden = false;
    element("reference-close").hidden = false;
    this.#mark(0.5, 0.5, false);
    this.say(text("referenceReady", { name: file.name }));
  }

  #close() {
    for (const id of ["reference", "reference-place", "reference-close"]) element(id).hidden = true;
    [this.canvas.width, this.canvas.height] = [1, 1];
    element("reference-open").focus();
  }

  #setPicking(picking) {
    this.picking = picking;
    this.editor.viewer.stage.classList.toggle("picking", picking);
    element("pick-picture").setAttribute("aria-pressed", picking);
    if (picking) this.say(strings.pickNow);
  }

  #clicked(event) {
    // Also the Enter key makes clicks, without a place.
    const box = this.canvas.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.#mark(...place.map((at) => Math.min(Math.max(at, 0), 0.9999)), false);
    this.#give(colorOn(this.canvas, ...this.#at));
  }

  #key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way) {
      this.#mark(...this.#at.map((at, axis) => Math.min(Math.max(at + way[axis] * STEP, 0), 0.9999)), true);
    } else if (event.key === "Enter" || event.key === " ") {
      this.#give(colorOn(this.canvas, ...this.#at));
    } else {
      return;
    }
    event.preventDefault();
  }

  #mark(x, y, seen) {
    this.#at = [x, y];
    const mark = element("reference-mark");
    mark.hidden = !seen;
    mark.style.left = `${x * 100}%`;
    mark.style.top = `${y * 100}%`;
  }

  /** The hint that is edited gets the color; without one, the next that is placed. */
  #give(color) {
    if (this.editor.current) {
      this.editor.set({ color });
      this.say(text("taken", { color }));
    } else if (this.editor.project.picture) {
      this.editor.armed = color;
      this.say(text("armed", { color }));
    }
  }
}
