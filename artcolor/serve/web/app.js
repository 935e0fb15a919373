/** The page: connects its parts with each other and with what colors pictures. */

import { Alternatives } from "./alternatives.js";
import { Compare } from "./compare.js";
import { draw, element, make } from "./dom.js";
import { connectDownloads } from "./downloads.js";
import { findEngine } from "./engine.js";
import { Eyedropper } from "./eyedropper.js";
import { Failure } from "./failure.js";
import { takes } from "./guidance.js";
import { HintEditor } from "./hint-editor.js";
import { connectHints } from "./hints-panel.js";
import { keepOffline } from "./offline.js";
import { connectOpening } from "./opening.js";
import { Overlay } from "./overlay.js";
import { Popover } from "./popover.js";
import { Project } from "./project.js";
import { connectServer, withToken } from "./server.js";
import { connectSettings } from "./settings.js";
import { strings, text } from "./strings.js";
import { Viewer } from "./viewer.js";

const MEGABYTE = 1e6;

const canvas = element("result");
const stage = element("stage");

let broken = null; // why nothing can be colored
let waiting = null; // the picture that was opened before the engine was there
let waitingHints = null; // and its hints

function say(message, failed = false) {
  element("status").textContent = message;
  element("status").classList.toggle("failed", failed);
}

function showProgress(share) {
  const bar = element("progress");
  bar.hidden = share === null;
  if (share === undefined) bar.removeAttribute("value");
  else if (share !== null) bar.value = share;
}

function loadingProgress({ done, total }) {
  if (broken) return;
  // Not each step is to be read aloud.
  element("status").setAttribute("aria-live", "off");
  const known = total >= done;
  const [read, all] = [done, total].map((bytes) => (bytes / MEGABYTE).toFixed(1));
  if (known && done === total) say(strings.starting);
  else say(known ? text("loadingModelOf", { done: read, total: all }) : text("loadingModel", { done: read }));
  showProgress(known && done < total ? done / total : undefined);
}

function setUsable(usable, info = {}) {
  for (const group of document.querySelectorAll("fieldset.needs-picture")) group.disabled = !usable;
  element("points").inert = !usable || !takes(info, "hints");
}

function fillTexts() {
  document.title = strings.title;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = strings[place.dataset.text];
  for (const place of document.querySelectorAll("[data-label]")) {
    place.setAttribute("aria-label", strings[place.dataset.label]);
    if (place.matches("button")) place.title = strings[place.dataset.label];
  }
}

/** Shows what is to be known of the picture as it is drawn. */
function showNotes(warnings) {
  const notes = element("notes");
  const shown = [...notes.children].map((note) => note.textContent);
  // Not read aloud again with each move of a slider.
  if (shown.join("\n") === warnings.join("\n")) return;
  notes.replaceChildren(...warnings.map((warning) => make("p", { textContent: warning })));
}

/** Says what goes on, and shows what was drawn. */
function connectPicture(project, viewer, compare) {
  let failed = false;
  project.addEventListener("phase", ({ detail: name }) => {
    const { phase, picture, info } = project;
    canvas.dataset.state = phase;
    if (phase === "loading") {
      failed = false;
      setUsable(false);
      showProgress(undefined);
      say(text("opening", { name }));
    } else if (phase !== "rendering") {
      setUsable(Boolean(picture), info);
      showProgress(null);
    }
    if (phase === "ready" && (picture.isNew || failed)) {
      const ready = text("ready", picture);
      const { hints } = project.state;
      const again = picture.isNew && !picture.isAgain && hints.length ? ` ${text("restored", { count: hints.length })}` : "";
      say(`${ready}.${again}`);
      picture.isNew = false;
      failed = false;
    }
    if (info) element("guess").textContent = text("guess", info);
  });
  project.addEventListener("picture", () => {
    project.picture.isNew = true;
  });
  // What was said of a step is over with the next one.
  project.addEventListener("state", () => {
    const ready = project.picture && `${text("ready", project.picture)}.`;
    if (project.phase !== "loading" && !failed && element("status").textContent !== ready) say(ready);
  });
  project.addEventListener("result", () => {
    draw(canvas, project.result.picture);
    showNotes(project.result.warnings ?? []);
    // Only now, so that both always show the same picture.
    if (!project.fresh) return;
    draw(element("original"), project.picture.original);
    viewer.show(...project.picture.shown);
    stage.classList.add("has-picture");
    stage.tabIndex = 0;
    canvas.setAttribute("aria-label", text("pictureLabel", project.picture));
    const hadFocus = element("welcome").contains(document.activeElement);
    element("welcome").hidden = true;
    // Otherwise the keyboard would begin at the top of the page again.
    if (hadFocus) stage.focus({ preventScroll: true });
    element("divider").hidden = false;
    compare.reveal();
  });
  project.addEventListener("failure", ({ detail: { failure, name } }) => {
    failed = project.phase === "error";
    const { reason, detail } = failure;
    // Messages of a server may begin with the name.
    const key = reason === "refused" && name && detail.startsWith(name) ? "refusedByName" : reason;
    say(text(key, { name, detail }), true);
    showProgress(null);
  });
}

function connectZoom(viewer) {
  element("zoom-in").addEventListener("click", () => viewer.zoomIn());
  element("zoom-out").addEventListener("click", () => viewer.zoomOut());
  element("zoom-pixels").title = strings.zoomPixels;
  element("zoom-fit").addEventListener("click", () => viewer.fit());
  element("zoom-pixels").addEventListener("click", () => viewer.showPixels());
}

function breakDown(error) {
  const known = error instanceof Failure && error.reason !== "failed";
  const { reason, detail } = known ? error : { reason: "notLoaded", detail: error.message };
  element("status").removeAttribute("aria-live");
  broken = text(reason, { name: "", detail });
  canvas.dataset.state = "error";
  showProgress(null);
  say(broken, true);
}

function connect(engine) {
  const call = withToken(engine);
  const project = new Project(engine, call);
  let eyedropper = null;
  let editor = null;
  let popover = null;
  const viewer = new Viewer(
    { stage, sheet: element("sheet"), original: element("original"), divider: element("divider") },
    {
      onClick(x, y) {
        if (project.phase === "loading" || !project.picture) return;
        if (eyedropper.picking) eyedropper.take(x, y);
        else if (!takes(project.info, "hints")) say(text("hintsNone", project.info));
        else editor.begin(x, y);
      },
      onLeave: () => editor.close(),
      onZoom(percent, fitted) {
        element("zoom-pixels").textContent = text("percent", { value: percent });
        element("zoom-fit").setAttribute("aria-pressed", fitted);
        popover?.move();
      },
    },
  );
  const compare = new Compare(viewer);
  connectZoom(viewer);
  connectPicture(project, viewer, compare);
  editor = new HintEditor(project, viewer);
  eyedropper = new Eyedropper(editor, say);
  popover = new Popover(editor, eyedropper);
  const { importHints } = connectHints(project, editor, say);
  new Alternatives(project);
  new Overlay(project, viewer, compare);
  const showSettings = connectSettings(project);
  const showFormats = connectDownloads(project, say);
  project.addEventListener("model", showSettings);
  return { project, call, importHints, showSettings, showFormats };
}

/** Whoever closes the dialog of the token can open it again. */
async function startWithToken(project) {
  for (;;) {
    try {
      await project.start(loadingProgress);
      return;
    } catch (error) {
      if (error.reason !== "needsToken") throw error;
      showProgress(null);
      say(strings.needsToken, true);
      element("token-again-place").hidden = false;
      await new Promise((resolve) => element("token-again").addEventListener("click", resolve, { once: true }));
      element("token-again-place").hidden = true;
    }
  }
}

async function start() {
  fillTexts();
  setUsable(false);
  showProgress(undefined);
  say(strings.starting);
  let project = null;
  let importHints = () => {};
  const showSamples = connectOpening(
    (file, name) => {
      const picture = [file, name || strings.fallbackName];
      if (broken) say(broken, true);
      else if (project?.info) project.open(...picture);
      else waiting = picture;
      if (waiting) canvas.dataset.state = "loading";
    },
    (file) => {
      if (waiting) waitingHints = file;
      else importHints(file);
    },
    say,
  );
  try {
    const { engine, samples } = await findEngine();
    if (samples) showSamples();
    element("intro").textContent = engine.kind === "server" ? strings.introServer : strings.intro;
    const parts = connect(engine);
    ({ project, importHints } = parts);
    await startWithToken(project);
    element("status").removeAttribute("aria-live");
    parts.showSettings();
    parts.showFormats();
    if (engine.kind === "server") connectServer(project, parts.call, say, showProgress);
    else keepOffline(() => !project.picture && !waiting);
  } catch (error) {
    breakDown(error);
    return;
  }
  showProgress(null);
  element("guess").textContent = text("guess", project.info);
  if (waiting) project.open(...waiting);
  else say(strings.idle);
  if (waitingHints) importHints(waitingHints);
  waiting = null;
}

start();
