/** The window in which the color of one hint is chosen. */

import { colorOn, element, hexOf, make } from "./dom.js";
import { sendable, takes } from "./guidance.js";
import { RADIUS } from "./hint_files.js";
import { strings, text } from "./strings.js";

const COUNT = 5;
const GAP = 14;
// Differences of red, green and blue that are more than a tint of old paper.
const COLORED = 24;
const HEX = /^#?([\da-f]{3}|[\da-f]{6})$/i;

export class Popover {
  #asked = 0;

  /**
   * @param {import("./hint-editor.js").HintEditor} editor
   * @param {import("./eyedropper.js").Eyedropper} eyedropper
   */
  constructor(editor, eyedropper) {
    this.editor = editor;
    this.eyedropper = eyedropper;
    this.window = element("popover");
    editor.addEventListener("edit", () => this.#edited());
    editor.project.addEventListener("state", () => this.#show());
    this.#connect();
  }

  #connect() {
    const { editor } = this;
    element("popover-close").addEventListener("click", () => this.#close());
    element("hint-delete").addEventListener("click", () => editor.remove());
    element("hint-gray").addEventListener("click", () => editor.set({ keep: "gray" }));
    element("hint-automatic").addEventListener("click", () => editor.set({ keep: "automatic" }));
    element("hint-own").addEventListener("click", () => editor.set({ color: "picture" }));
    const color = element("hint-color");
    color.addEventListener("input", () => editor.set({ color: color.value }, "color"));
    color.addEventListener("change", () => editor.project.seal());
    const hex = element("hint-hex");
    hex.addEventListener("change", () => {
      const found = HEX.exec(hex.value.trim());
      hex.setAttribute("aria-invalid", !found);
      element("hint-hex-error").hidden = Boolean(found);
      if (found) editor.set({ color: hexOf(`#${found[1]}`) });
    });
    const radius = element("hint-radius");
    radius.addEventListener("input", () => editor.set({ radius: radius.valueAsNumber / 100 }, "radius"));
    radius.addEventListener("change", () => editor.project.seal());
    element("pick-picture").addEventListener("click", () => this.eyedropper.fromPicture());
    element("pick-reference").addEventListener("click", () => this.eyedropper.fromReference());
    element("pick-screen").hidden = !("EyeDropper" in globalThis);
    element("pick-screen").addEventListener("click", () => this.eyedropper.fromScreen());
    // Wherever the focus is: a tap on the picture leaves it there.
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
      if (this.eyedropper.picking) this.eyedropper.stop();
      else if (!this.window.hidden) this.#close();
    });
  }

  #close() {
    const number = this.editor.selected;
    this.editor.close();
    const point = document.querySelector(`.point[data-number="${number}"]`);
    (point ?? this.editor.viewer.stage).focus({ preventScroll: true });
  }

  #edited() {
    const { current } = this.editor;
    const opened = this.window.hidden && current;
    this.window.hidden = !current;
    if (!current) return;
    // Only a faded or partly colored picture has a color of its own.
    element("hint-own").hidden = !isColored(colorOn(element("original"), current.x, current.y));
    this.#show();
    this.#suggest();
    this.move();
    if (opened || !this.window.contains(document.activeElement)) this.window.focus({ preventScroll: true });
  }

  #show() {
    const { current } = this.editor;
    if (!current) return;
    const hex = current.color === undefined ? null : hexOf(current.color);
    if (hex) element("hint-color").value = hex;
    element("hint-hex").value = hex ?? "";
    element("hint-hex").removeAttribute("aria-invalid");
    element("hint-hex-error").hidden = true;
    element("hint-gray").setAttribute("aria-pressed", current.keep === "gray");
    element("hint-automatic").setAttribute("aria-pressed", current.keep === "automatic");
    element("hint-own").setAttribute("aria-pressed", current.color === "picture");
    const radius = (current.radius ?? RADIUS) * 100;
    element("hint-radius").value = radius;
    element("hint-radius-value").textContent = text("percent", { value: radius.toFixed(1) });
    for (const button of element("suggestions").children) {
      button.setAttribute?.("aria-pressed", button.dataset.color === current.color);
    }
  }

  async #suggest() {
    const { editor } = this;
    const { project, current, others } = editor;
    this.#asked += 1;
    const asked = this.#asked;
    const place = element("suggestions");
    if (!takes(project.info, "uncertainty")) {
      // It predicts one color, and not how likely others are.
      place.replaceChildren(make("p", { textContent: strings.noSuggestions }));
      return;
    }
    place.setAttribute("aria-busy", "true");
    try {
      const hints = sendable(others, project.info);
      const found = await project.engine.suggest(current.x, current.y, COUNT, { hints });
      if (asked !== this.#asked) return;
      place.replaceChildren(...found.map((each) => this.#suggestion(each)));
      if (!found.length) place.append(make("p", { textContent: strings.noSuggestions }));
      this.#show();
      this.move();
    } catch (error) {
      if (asked === this.#asked) project.fail(error);
    } finally {
      if (asked === this.#asked) place.removeAttribute("aria-busy");
    }
  }

  #suggestion({ color, probability }) {
    const percent = probability < 0.01 ? "<1" : Math.round(probability * 100);
    const label = text("suggestion", { color, percent });
    const button = make(
      "button",
      { type: "button", className: "suggestion", title: color, data: { artcolor: "suggestion", color } },
      make("span", { className: "swatch" }),
      make("span", { textContent: text("percent", { value: percent }) }),
    );
    button.setAttribute("aria-label", label);
    button.style.setProperty("--color", color);
    button.addEventListener("click", () => this.editor.set({ color }));
    return button;
  }

  /**
   * Moves it beside the point, where there is room, and if possible not over the buttons below the picture. On narrow
   * windows the style places it at the bottom.
   */
  move() {
    const point = this.editor.button;
    if (this.window.hidden || !point) return;
    const at = point.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.window;
    const right = at.right + GAP;
    const before = at.left - GAP - width;
    // Without room on either side, at the border of the window.
    const left = right + width < innerWidth - GAP ? right : before < GAP ? innerWidth - width - GAP : before;
    const { bottom } = this.editor.viewer.stage.getBoundingClientRect();
    const lowest = bottom - height > GAP ? Math.min(bottom, innerHeight - GAP) : innerHeight - GAP;
    const top = Math.min(at.top + at.height / 2 - height / 3, lowest - height);
    this.window.style.setProperty("--left", `${Math.max(left, GAP)}px`);
    this.window.style.setProperty("--top", `${Math.max(top, GAP)}px`);
  }
}

function isColored(hex) {
  const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return Math.max(...parts) - Math.min(...parts) > COLORED;
}
