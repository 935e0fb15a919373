/**
 * The page: takes a picture and settings, has worker.js color it, and shows the result.
 */

import { withProvenance } from "./provenance.js";
import { strings, text } from "./strings.js";

const SETTINGS = ["vividness", "temperature", "strength"];
const MEGABYTE = 1e6;

const element = (id) => document.getElementById(id);
const canvas = element("result");
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

let name = ""; // of the picture that is shown; empty if there is none
let shown = {}; // the settings that it is drawn with
let network = null; // model, sha256 and size, once it is loaded
let broken = null; // why the model could not be loaded
let original = null; // of a picture whose colors are not drawn yet
let waiting = null; // the file that was opened before the model was there
let opening = { id: 0, name: "" }; // the newest picture
let sent = 0;
let wanted = null; // the newest decoding that is not yet sent
let rendering = false;
const chosen = {}; // settings that were moved; the others follow the network's defaults

function ask(type, content = {}) {
  sent += 1;
  worker.postMessage({ type, id: sent, ...content });
  return sent;
}

function setState(state, message) {
  canvas.dataset.state = state;
  if (message !== undefined) element("status").textContent = message;
}

function showProgress(share) {
  const bar = element("progress");
  bar.hidden = share === null;
  if (share === undefined) bar.removeAttribute("value");
  else if (share !== null) bar.value = share;
}

function draw(target, pixels) {
  target.width = pixels.width;
  target.height = pixels.height;
  target.getContext("2d").putImageData(pixels, 0, 0);
}

/** Shows so many percent of the original, from the left. */
function compare(percent) {
  element("original").style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
}

function showSetting(id, value) {
  const slider = element(id);
  slider.value = value;
  document.querySelector(`output[for="${id}"]`).textContent = Number(value).toFixed(2);
}

function open(file) {
  if (!file) return;
  if (broken) {
    setState("error", broken);
    return;
  }
  setState("loading");
  if (!network) {
    waiting = file;
    return;
  }
  const given = file.name || strings.fallbackName;
  element("settings").disabled = true;
  wanted = null;
  showProgress(undefined);
  setState("loading", text("opening", { name: given }));
  opening = { id: ask("open", { file }), name: given };
}

/** Draws anew. While the worker draws, only the newest settings are kept. */
function render() {
  setState("rendering");
  wanted = { ...chosen };
  if (!rendering) sendWanted();
}

function sendWanted() {
  rendering = wanted !== null;
  if (rendering) ask("render", { decoding: wanted });
  wanted = null;
}

const answers = {
  progress({ done, total }) {
    // One file failed, and the other is still coming.
    if (broken) return;
    const [read, all] = [done, total].map((bytes) => (bytes / MEGABYTE).toFixed(1));
    const known = total >= done;
    element("status").textContent = known
      ? text("loadingModelOf", { done: read, total: all })
      : text("loadingModel", { done: read });
    showProgress(known && done < total ? done / total : undefined);
    if (known && done === total) element("status").textContent = strings.starting;
  },

  loaded({ model, sha256, size, defaults }) {
    network = { model, sha256, size };
    showProgress(null);
    element("guess").textContent = text("guess", { model });
    for (const id of SETTINGS) showSetting(id, defaults[id] ?? 1);
    if (waiting) open(waiting);
    else element("status").textContent = strings.idle;
    waiting = null;
  },

  opened({ id, pixels, width, height }) {
    if (id !== opening.id) return;
    name = opening.name;
    original = new ImageData(pixels, width, height);
    canvas.setAttribute("aria-label", strings.pictureLabel);
    element("status").textContent = text("ready", { name, width, height });
    render();
  },

  rendered({ pixels, width, height, decoding, used }) {
    rendering = false;
    // Another picture is being opened; this is still the one before.
    if (canvas.dataset.state !== "rendering") return;
    draw(canvas, new ImageData(pixels, width, height));
    // Only now, so that both always show the same picture.
    if (original) draw(element("original"), original);
    original = null;
    shown = decoding;
    element("empty").hidden = true;
    element("comparison").hidden = false;
    element("settings").disabled = false;
    showProgress(null);
    if (wanted) {
      sendWanted();
      return;
    }
    for (const id of SETTINGS) showSetting(id, used[id]);
    setState("ready");
  },

  failed({ id, reason, detail }) {
    if (network) {
      rendering = false;
      if (id < opening.id) return;
      // The picture before can still be changed.
      element("settings").disabled = !name;
      setState("error", text(reason, { name: opening.name, detail }));
    } else {
      broken = text("notLoaded", { detail });
      setState("error", broken);
    }
    showProgress(null);
  },
};

function download() {
  const { size, ...made } = network;
  const options = { size, ...shown };
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(withProvenance(blob, { ...made, options }));
    link.download = `${name.replace(/\.\w+$/, "")}.color.png`;
    link.click();
    // Some browsers read the content only after the click.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
}

function start() {
  document.title = strings.title;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = strings[place.dataset.text];
  canvas.setAttribute("aria-label", strings.emptyLabel);
  worker.addEventListener("message", ({ data }) => answers[data.type](data));
  // Its modules could not be loaded.
  worker.addEventListener("error", () => answers.failed({ detail: "worker.js" }));
  element("open").addEventListener("change", (event) => {
    open(event.target.files[0]);
    // Otherwise, choosing the same file once more would be no change.
    event.target.value = "";
  });
  for (const id of SETTINGS) {
    element(id).addEventListener("input", (event) => {
      chosen[id] = event.target.valueAsNumber;
      showSetting(id, chosen[id]);
      render();
    });
  }
  element("compare").addEventListener("input", (event) => compare(event.target.valueAsNumber));
  compare(element("compare").valueAsNumber);
  element("reset").addEventListener("click", () => {
    for (const id of SETTINGS) delete chosen[id];
    render();
  });
  element("download").addEventListener("click", download);
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  showProgress(undefined);
  ask("load");
}

start();
