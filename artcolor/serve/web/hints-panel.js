/** The part of the panel about hints: buttons, import, and what is not a point. */

import { element, hexOf, make, onFile } from "./dom.js";
import { isPoint, readGuidance, sendable } from "./guidance.js";
import { strings, text } from "./strings.js";

/**
 * @param {import("./project.js").Project} project
 * @param {import("./hint-editor.js").HintEditor} editor
 * @param {(message: string) => void} say
 * @returns {{importHints: (file: File) => Promise<void>}}
 */
export function connectHints(project, editor, say) {
  const importHints = async (file) => {
    try {
      const { hints, left } = await readGuidance(file, project.picture);
      editor.close();
      project.change({ hints });
      const unused = hints.length - sendable(hints, project.info).length;
      const messages = [text("imported", { count: hints.length, name: file.name })];
      if (unused) messages.push(text("notUsed", { count: unused }));
      if (left.length) messages.push(text("leftOut", { names: left.join(", ") }));
      say(messages.join(" "));
    } catch (error) {
      project.fail(error, file.name);
    }
  };
  element("hint-add").addEventListener("click", () => editor.begin(...editor.viewer.middle));
  element("hints-import").addEventListener("click", () => element("hints-file").click());
  onFile(element("hints-file"), importHints);
  element("hints-clear").addEventListener("click", () => {
    editor.close();
    project.change({ hints: [] });
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
    const name = text(kind, { name: hint.mask ?? "" });
    const swatch = make("span", { className: "dot" });
    const hex = hint.color === undefined ? null : hexOf(hint.color);
    if (hex) swatch.style.setProperty("--color", hex);
    const label = make("span", { textContent: used ? name : `${name} ${strings.unused}` });
    const button = make("button", { type: "button", className: "small", textContent: strings.delete });
    button.setAttribute("aria-label", text("deleteNamed", { name }));
    button.addEventListener("click", () => editor.remove(number));
    return make("li", { data: { artcolor: "shape" } }, swatch, label, button);
  };
  const show = () => {
    const { hints } = project.state;
    element("undo").disabled = !project.canUndo;
    element("redo").disabled = !project.canRedo;
    element("hints-clear").disabled = !hints.length;
    element("hints-count").textContent = hints.length ? text("hintCount", { count: hints.length }) : strings.hintHelp;
    const shapes = hints.map((hint, number) => [hint, number]).filter(([hint]) => !isPoint(hint));
    element("shapes").replaceChildren(...shapes.map(([hint, number]) => row(hint, number)));
  };
  project.addEventListener("state", show);
  show();
  return { importHints };
}
