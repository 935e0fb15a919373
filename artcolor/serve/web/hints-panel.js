/** The part of the panel about hints: buttons, import, and what is not a point. */

import { element, hexOf, make, onFile } from "./dom.js";
import { isPoint, readGuidance, sendable, takes } from "./guidance.js";
import { strings, text } from "./strings.js";

// CSS pixels between hints that are placed without a pointer.
const APART = 40;

/**
 * @param {import("./project.js").Project} project
 * @param {import("./hint-editor.js").HintEditor} editor
 * @param {(message: string) => void} say
 * @returns {{importHints: (file: File) => Promise<void>}}
 */
export function connectHints(project, editor, say) {
  const usesExtra = (name) => name === "palette" && project.info.palette && takes(project.info, name);
  const importHints = async (file) => {
    const { opened } = project;
    try {
      const content = await file.text();
      // They are for the picture that was open, or was being opened.
      await opened;
      if (!project.picture || project.opened !== opened) return;
      const { hints, extras } = readGuidance(content, project.picture);
      editor.close();
      project.change({ hints, extras });
      const unused = hints.length - sendable(hints, project.info).length;
      const messages = [text("imported", { count: hints.length, name: file.name })];
      if (unused) messages.push(text("notUsed", { count: unused }));
      const kept = Object.keys(extras).filter((name) => !usesExtra(name));
      if (kept.length) messages.push(text("kept", { names: kept.join(", ") }));
      say(messages.join(" "));
    } catch (error) {
      project.fail(error, file.name);
    }
  };
  element("hint-add").addEventListener("click", () => editor.begin(...freePlace(project, editor.viewer)));
  element("hints-import").addEventListener("click", () => element("hints-file").click());
  onFile(element("hints-file"), importHints);
  element("hints-clear").addEventListener("click", () => {
    editor.close();
    project.change({ hints: [], extras: {} });
  });
  element("undo").addEventListener("click", () => project.undo());
  element("redo").addEventListener("click", () => project.redo());
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    // Text fields have steps of their own.
    if (event.target.matches?.("input[type=text], input[type=password]") || !project.picture) return;
    const key = event.key.toLowerCase();
    if (key === "z") event.shiftKey ? project.redo() : project.undo();
    else if (key === "y") project.redo();
    else return;
    event.preventDefault();
  });

  const row = (hint, number) => {
    const [kind] = ["polyline", "polygon", "mask"].filter((shape) => hint[shape] !== undefined);
    const used = sendable([hint], project.info).length > 0;
    const name = text(kind, { name: hint.mask ?? "", number: number + 1, color: colorName(hint) });
    const hex = hint.color === undefined ? null : hexOf(hint.color);
    return entry("shape", name, used, () => editor.remove(number), hex);
  };
  const rowOfExtra = ([name, value]) => {
    const label = name === "palette" ? text("palette", { colors: namesOf(value) }) : text("referenceEntry", { name: value });
    return entry(name, label, usesExtra(name), () => {
      const { [name]: _, ...extras } = project.state.extras;
      project.change({ extras });
    });
  };
  const show = () => {
    const { hints, extras } = project.state;
    const taken = !project.info || takes(project.info, "hints");
    element("undo").disabled = !project.canUndo;
    element("redo").disabled = !project.canRedo;
    element("hints-clear").disabled = !hints.length && !Object.keys(extras).length;
    for (const id of ["hint-add", "hints-import"]) element(id).disabled = !taken;
    const help = hints.length ? text("hintCount", { count: hints.length }) : strings.hintHelp;
    element("hints-count").textContent = taken ? help : text("hintsNone", project.info);
    const shapes = hints.map((hint, number) => [hint, number]).filter(([hint]) => !isPoint(hint));
    element("shapes").replaceChildren(...shapes.map(([hint, number]) => row(hint, number)));
    element("shapes").append(...Object.entries(extras).map(rowOfExtra));
  };
  for (const event of ["state", "model"]) project.addEventListener(event, show);
  show();
  return { importHints };
}

/** An entry of the list of what is not a point. */
function entry(kind, name, used, remove, hex = null) {
  const swatch = make("span", { className: kind === "shape" ? "dot" : "" });
  if (hex) swatch.style.setProperty("--color", hex);
  const label = make("span", { textContent: used ? name : `${name} ${strings.unused}` });
  const button = make("button", { type: "button", className: "small", textContent: strings.delete });
  button.setAttribute("aria-label", text("deleteNamed", { name }));
  button.addEventListener("click", remove);
  return make("li", { data: { artcolor: kind } }, swatch, label, button);
}

function colorName({ color, keep }) {
  if (keep) return strings[`keep_${keep}`];
  return Array.isArray(color) ? text("ab", { a: color[0], b: color[1] }) : color;
}

/** The colors of a palette, of which each may have a weight. */
function namesOf(palette) {
  const colors = Array.isArray(palette) ? palette : Object.keys(palette);
  return colors.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(", ");
}

/** The middle of what is visible, or the next place beside it that has no hint. */
function freePlace(project, viewer) {
  const [x, y] = viewer.middle;
  const step = viewer.fractionsAt(APART, 0)[0] - viewer.fractionsAt(0, 0)[0];
  const points = project.state.hints.filter(isPoint);
  for (let count = 0; count <= points.length; count += 1) {
    const across = (x + count * step) % 1;
    const isFree = points.every((hint) => Math.abs(hint.x - across) > step / 2 || Math.abs(hint.y - y) > step / 2);
    if (isFree) return [across, y];
  }
  return [x, y];
}
