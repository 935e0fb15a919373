/**
 * Shows a picture on a stage: zoom, pan, and the original beside the result. The stage is the visible part; the sheet
 * is the picture with all that lies on it, at the size that the zoom gives it.
 */

import { followPointers } from "./pointers.js";

const MOST_ZOOM = 16;
// Small pictures are enlarged to fill the stage, but not more than that.
const MOST_FITTED = 4;
const STEP = 1.25;
const PAN_STEP = 60;
// Pixels are shown as squares from this zoom on.
const SQUARE = 3;

export class Viewer {
  #size = [4, 3];
  /** CSS pixels of one pixel of the picture. */
  #scale = 1;
  #at = [0, 0];
  #fitted = true;
  #share = 0;

  /**
   * @param {{stage: HTMLElement, sheet: HTMLElement, original: HTMLElement, divider: HTMLElement}} parts
   * @param {{onClick: (x: number, y: number) => void, onLeave: () => void,
   *   onZoom: (percent: number, fitted: boolean) => void}} actions positions are fractions of the picture; `onLeave`
   *   is for clicks beside it
   */
  constructor(parts, { onClick, onLeave, onZoom }) {
    Object.assign(this, parts);
    this.onZoom = onZoom;
    followPointers(this.stage, {
      onClick: (at) => this.#clicked(at, onClick, onLeave),
      onPan: (by) => this.panBy(by),
      onPinch: (factor, at, by) => {
        this.zoomBy(factor, this.#onStage(at));
        this.panBy(by);
      },
    });
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#layOut()).observe(this.stage);
  }

  /** Takes the size of another picture, and shows all of it. */
  show(width, height) {
    const same = this.#size[0] === width && this.#size[1] === height;
    this.#size = [width, height];
    this.stage.style.setProperty("--ratio", height / width);
    if (!same) this.fit();
  }

  /** Shows the original in this share of the visible picture, from the left. */
  compare(share) {
    this.#share = share;
    this.#layOut();
  }

  /** Whether the original is shown at a position. */
  showsOriginal(x) {
    return x * this.#size[0] * this.#scale + this.#at[0] < this.#dividerAt();
  }

  /** The middle of what is visible, as fractions. */
  get middle() {
    const { clientWidth, clientHeight } = this.stage;
    return this.#fractions([clientWidth / 2, clientHeight / 2]).map((at) => Math.min(Math.max(at, 0), 1));
  }

  /** Fractions of the picture at a place of the window. */
  fractionsAt(clientX, clientY) {
    return this.#fractions(this.#onStage([clientX, clientY]));
  }

  fit() {
    this.#fitted = true;
    this.#layOut();
  }

  /** Shows one pixel of the picture as one pixel of the screen. */
  showPixels() {
    this.#zoomTo(1 / devicePixelRatio);
  }

  zoomIn() {
    this.zoomBy(STEP);
  }

  zoomOut() {
    this.zoomBy(1 / STEP);
  }

  zoomBy(factor, at) {
    this.#zoomTo(this.#scale * factor, at);
  }

  panBy([dx, dy]) {
    if (this.#fitted) return;
    this.#at = [this.#at[0] + dx, this.#at[1] + dy];
    this.#layOut();
  }

  #zoomTo(scale, at = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    const most = MOST_ZOOM / devicePixelRatio;
    const least = Math.min(this.#fittedScale(), 1 / devicePixelRatio);
    const next = Math.min(Math.max(scale, least), Math.max(most, least));
    // The place under the pointer stays there.
    this.#at = this.#at.map((start, axis) => at[axis] - ((at[axis] - start) * next) / this.#scale);
    this.#scale = next;
    this.#fitted = false;
    this.#layOut();
  }

  #margin() {
    return this.stage.clientWidth < 600 ? 12 : 28;
  }

  #fittedScale() {
    const { clientWidth, clientHeight } = this.stage;
    const room = [clientWidth, clientHeight].map((side) => Math.max(side - 2 * this.#margin(), 1));
    return Math.min(room[0] / this.#size[0], room[1] / this.#size[1], MOST_FITTED);
  }

  #layOut() {
    const { stage, sheet } = this;
    if (this.#fitted) this.#scale = this.#fittedScale();
    const size = this.#size.map((side) => side * this.#scale);
    const pixel = 1 / devicePixelRatio;
    this.#at = [stage.clientWidth, stage.clientHeight].map((room, axis) => {
      const margin = this.#margin();
      const middle = (room - size[axis]) / 2;
      const inside = Math.min(Math.max(this.#at[axis], room - size[axis] - margin), margin);
      // Whole pixels, so that none is blurred at 100%.
      return Math.round((size[axis] + 2 * margin <= room + 1 ? middle : inside) / pixel) * pixel;
    });
    const style = { left: this.#at[0], top: this.#at[1], width: size[0], height: size[1] };
    for (const [name, value] of Object.entries(style)) sheet.style[name] = `${value}px`;
    sheet.classList.toggle("squares", this.#scale * devicePixelRatio >= SQUARE);
    stage.classList.toggle("zoomed", !this.#fitted);
    this.#layOutDivider(size);
    this.onZoom(Math.round(this.#scale * devicePixelRatio * 100), this.#fitted);
  }

  #visible() {
    const width = this.#size[0] * this.#scale;
    return [Math.max(this.#at[0], 0), Math.min(this.#at[0] + width, this.stage.clientWidth)];
  }

  #dividerAt() {
    const [left, right] = this.#visible();
    return left + this.#share * (right - left);
  }

  #layOutDivider([width, height]) {
    const [left, right] = this.#visible();
    const place = this.#dividerAt();
    this.divider.style.left = `${left}px`;
    this.divider.style.width = `${Math.max(right - left, 0)}px`;
    const top = Math.max(this.#at[1], 0);
    this.divider.style.top = `${top}px`;
    this.divider.style.height = `${Math.min(this.#at[1] + height, this.stage.clientHeight) - top}px`;
    this.divider.style.setProperty("--share", `${this.#share * 100}%`);
    this.divider.classList.toggle("aside", this.#share === 0 || this.#share === 1);
    // At the borders nothing of the other picture may be seen.
    const cut = this.#share === 0 ? 0 : this.#share === 1 ? 1 : (place - this.#at[0]) / width;
    this.original.style.clipPath = `inset(0 ${100 * (1 - cut)}% 0 0)`;
  }

  #onStage([clientX, clientY]) {
    const { left, top } = this.stage.getBoundingClientRect();
    return [clientX - left - this.stage.clientLeft, clientY - top - this.stage.clientTop];
  }

  #fractions(place) {
    return place.map((value, axis) => (value - this.#at[axis]) / (this.#size[axis] * this.#scale));
  }

  #clicked(place, onClick, onLeave) {
    const [x, y] = this.#fractions(this.#onStage(place));
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) onClick(x, y);
    else onLeave();
  }

  #wheel(event) {
    // Where the page itself scrolls, a wheel scrolls it; pinching a touchpad is a wheel with Ctrl.
    const scrolls = document.documentElement.scrollHeight > innerHeight + 1;
    if (scrolls && !event.ctrlKey) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const delta = event.deltaY * lines * (event.ctrlKey ? 4 : 1);
    this.zoomBy(2 ** (-Math.max(-400, Math.min(delta, 400)) / 400), this.#onStage([event.clientX, event.clientY]));
  }

  #key(event) {
    if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      "+": () => this.zoomIn(),
      "=": () => this.zoomIn(),
      "-": () => this.zoomOut(),
      0: () => this.fit(),
      1: () => this.showPixels(),
      ArrowLeft: () => this.panBy([PAN_STEP, 0]),
      ArrowRight: () => this.panBy([-PAN_STEP, 0]),
      ArrowUp: () => this.panBy([0, PAN_STEP]),
      ArrowDown: () => this.panBy([0, -PAN_STEP]),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}
