/** Hints on the picture: places, moves and removes points, and says which of them is being edited. */

import { element, hexOf, make } from "./dom.js";
import { isPoint } from "./guidance.js";
import { RADIUS } from "./hint_files.js";
import { drawOutlines } from "./outlines.js";
import { strings, text } from "./strings.js";

// Fractions of the picture that an arrow key moves a point by.
const [STEP, LARGE_STEP] = [0.005, 0.05];
const STILL = 4;

/** Tells of what is edited by the event `edit`. */
export class HintEditor extends EventTarget {
  /** Number of the hint that is edited; `null` if there is none, or only a draft. */
  selected = null;
  /** A point that has no color yet. */
  draft = null;
  /** A color for the next point. */
  armed = null;
  #radius = RADIUS;

  constructor(project, viewer) {
    super();
    this.project = project;
    this.viewer = viewer;
    this.place = element("points");
    project.addEventListener("state", () => this.#update());
    project.addEventListener("picture", () => {
      this.#radius = RADIUS;
      this.armed = null;
      this.close();
    });
  }

  /** The hint that is edited, or `null`. */
  get current() {
    return this.draft ?? this.project.state.hints[this.selected] ?? null;
  }

  /** All hints but the one that is edited. */
  get others() {
    return this.project.state.hints.filter((_, number) => number !== this.selected);
  }

  /** The element of the point that is edited. */
  get button() {
    const number = this.draft ? null : this.selected;
    return [...this.place.children].find((point) => this.#numberOf(point) === number);
  }

  /** Begins a point. It becomes a hint once it has a color. */
  begin(x, y) {
    this.selected = null;
    this.draft = withRadius({ x: rounded(x), y: rounded(y) }, this.#radius);
    if (this.armed) this.set({ color: this.armed });
    else this.#update();
    this.armed = null;
    this.#tell();
  }

  select(number) {
    this.draft = null;
    this.selected = number;
    this.#update();
    this.#tell();
  }

  close() {
    if (this.selected === null && !this.draft) return;
    this.draft = null;
    this.selected = null;
    this.project.seal();
    this.#update();
    this.#tell();
  }

  /**
   * Changes the hint that is edited.
   *
   * @param {object} patch `color` replaces `keep`, and the reverse
   * @param {string} [what] changes of the same are one step until they are sealed
   */
  set(patch, what = null) {
    if (!this.current) return;
    const { color, keep, ...rest } = this.current;
    const colored = "color" in patch || "keep" in patch ? {} : { ...(color && { color }), ...(keep && { keep }) };
    const changed = withRadius({ ...rest, ...colored, ...patch });
    if (patch.radius !== undefined) this.#radius = patch.radius;
    if (this.draft && changed.color === undefined && changed.keep === undefined) {
      this.draft = changed;
      this.#update();
      return;
    }
    const hints = [...this.project.state.hints];
    if (this.draft) {
      this.draft = null;
      this.selected = hints.length;
    }
    hints[this.selected] = changed;
    this.project.change({ hints }, what && `${what}:${this.selected}`);
  }

  /** Removes a hint, or the draft. */
  remove(number = this.selected) {
    if (number === null) {
      this.close();
      return;
    }
    const hints = this.project.state.hints.filter((_, other) => other !== number);
    this.draft = null;
    this.selected = null;
    this.project.change({ hints });
    this.#tell();
    const left = this.place.children;
    (left[Math.min(number, left.length - 1)] ?? this.viewer.stage).focus({ preventScroll: true });
  }

  #tell() {
    this.dispatchEvent(new Event("edit"));
  }

  #numberOf(point) {
    return point.dataset.number === undefined ? null : Number(point.dataset.number);
  }

  /** Makes points as many as there are; those that exist are kept, so that focus and drags stay where they are. */
  #update() {
    if (this.selected !== null && !this.project.state.hints[this.selected]) {
      this.selected = null;
      this.#tell();
    }
    const { hints } = this.project.state;
    const shown = hints.map((hint, number) => ({ hint, number })).filter(({ hint }) => isPoint(hint));
    if (this.draft) shown.push({ hint: this.draft, number: null });
    while (this.place.children.length > shown.length) this.place.lastElementChild.remove();
    while (this.place.children.length < shown.length) this.place.append(this.#point());
    shown.forEach((each, at) => this.#show(this.place.children[at], each));
    drawOutlines(element("outlines"), this.project.picture, this.project.state.hints, this.current);
  }

  #show(point, { hint, number }) {
    const hex = hint.color === undefined ? null : hexOf(hint.color);
    point.style.left = `${hint.x * 100}%`;
    point.style.top = `${hint.y * 100}%`;
    point.style.setProperty("--color", hex ?? "transparent");
    point.dataset.artcolor = number === null ? "draft" : "hint";
    point.dataset.kind = hint.keep ?? (hex ? "color" : number === null ? "draft" : "picture");
    if (number === null) delete point.dataset.number;
    else point.dataset.number = number;
    const chosen = number === null ? this.draft !== null : number === this.selected;
    point.setAttribute("aria-expanded", chosen);
    const color = hint.keep ? strings[`keep_${hint.keep}`] : (hint.color?.toString() ?? strings.noColor);
    const [x, y] = [hint.x, hint.y].map((at) => Math.round(at * 100));
    const place = (number ?? this.project.state.hints.length) + 1;
    point.setAttribute("aria-label", text("hintLabel", { number: place, color, x, y }));
  }

  #point() {
    const point = make("button", { type: "button", className: "point" });
    point.setAttribute("aria-haspopup", "dialog");
    let start = null;
    let moved = false;
    point.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      point.setPointerCapture(event.pointerId);
      [start, moved] = [[event.clientX, event.clientY], false];
    });
    point.addEventListener("pointermove", (event) => {
      if (!start) return;
      const way = Math.hypot(event.clientX - start[0], event.clientY - start[1]);
      if (!moved && way < STILL) return;
      moved = true;
      this.#moveTo(point, this.viewer.fractionsAt(event.clientX, event.clientY));
    });
    const end = () => {
      start = null;
      if (!moved) return;
      this.project.seal();
      if (this.current) this.#tell();
    };
    point.addEventListener("pointerup", end);
    point.addEventListener("pointercancel", end);
    point.addEventListener("click", () => {
      if (!moved && this.#numberOf(point) !== null) this.select(this.#numberOf(point));
      moved = false;
    });
    point.addEventListener("keydown", (event) => this.#key(event, point));
    point.addEventListener("keyup", () => this.project.seal());
    return point;
  }

  #moveTo(point, place) {
    const [x, y] = place.map((at) => rounded(Math.min(Math.max(at, 0), 1)));
    const number = this.#numberOf(point);
    if (number === null) {
      this.draft = { ...this.draft, x, y };
      this.#update();
      return;
    }
    const hints = [...this.project.state.hints];
    hints[number] = { ...hints[number], x, y };
    this.project.change({ hints }, `move:${number}`);
  }

  #key(event, point) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const number = this.#numberOf(point);
    if (ways[event.key]) {
      const hint = number === null ? this.draft : this.project.state.hints[number];
      const step = event.shiftKey ? LARGE_STEP : STEP;
      const [dx, dy] = ways[event.key];
      this.#moveTo(point, [hint.x + dx * step, hint.y + dy * step]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.remove(number);
    } else {
      return;
    }
    event.preventDefault();
  }
}

function rounded(value) {
  return Math.round(value * 1e5) / 1e5;
}

/** As Python writes hints: without the radius if it is the usual one. */
function withRadius(hint, radius = hint.radius) {
  const { radius: _, ...rest } = hint;
  return radius === undefined || radius === RADIUS ? rest : { ...rest, radius };
}
