/** Files to take away: the picture, its colors as a layer, and the hints. */

import { element, make, offer, stem } from "./dom.js";
import { writeHints } from "./hint_files.js";
import { strings, text } from "./strings.js";

// Beside the picture; not every engine writes all of them.
const OTHERS = [
  ["download-layer", { what: "layer", format: "png" }],
  ["download-ora", { what: "ora" }],
  ["download-card", { what: "card" }],
];

// Formats without transparency.
const OPAQUE = ["jpeg", "jpg"];

/**
 * @param {import("./project.js").Project} project
 * @param {(message: string) => void} say
 */
export function connectDownloads(project, say) {
  const format = element("format");
  const quality = element("quality");
  const showQuality = () => {
    const chosen = project.info.formats.find((each) => each.format === format.value);
    element("quality-setting").hidden = chosen?.lossless ?? true;
    document.querySelector('output[for="quality"]').textContent = quality.value;
  };
  /** JPEG would fill transparent places with some color. */
  const showTransparency = () => {
    const { transparent } = project.picture;
    for (const option of format.options) {
      const { label } = project.info.formats.find((each) => each.format === option.value);
      option.disabled = transparent && OPAQUE.includes(option.value);
      option.textContent = option.disabled ? text("withoutTransparency", { label }) : label;
    }
    if (format.selectedOptions[0]?.disabled) format.value = [...format.options].find((each) => !each.disabled).value;
  };
  format.addEventListener("change", showQuality);
  quality.addEventListener("input", showQuality);

  const save = async (button, how) => {
    button.disabled = true;
    say(strings.saving);
    try {
      const saved = await project.ask((engine) => engine.save(project.wanted, how));
      // Someone went on working: the file would not be what is seen.
      if (!saved) {
        say(strings.notSaved);
        return;
      }
      offer(saved.blob, saved.name);
      const message = text("saved", { name: saved.name, model: project.info.model });
      const shown = project.result.warnings ?? [];
      // Those of the picture are on the page already.
      say([message, ...(saved.warnings ?? []).filter((each) => !shown.includes(each))].join(" "));
    } catch (error) {
      project.fail(error);
    } finally {
      button.disabled = false;
    }
  };
  element("download").addEventListener("click", ({ currentTarget }) => {
    const chosen = project.info.formats.find((each) => each.format === format.value);
    const how = chosen.lossless ? {} : { quality: quality.valueAsNumber };
    save(currentTarget, { format: chosen.format, ...how, what: "picture" });
  });
  for (const [id, how] of OTHERS) {
    element(id).addEventListener("click", ({ currentTarget }) => save(currentTarget, how));
  }
  element("hints-export").addEventListener("click", () => {
    const { name, width, height } = project.picture;
    const file = `${stem(name)}.hints.json`;
    const content = writeHints(project.state.hints, [height, width], project.state.extras);
    offer(new Blob([content], { type: "application/json" }), file);
    say(text("savedFile", { name: file }));
  });
  project.addEventListener("picture", () => {
    // Where it can be written, the format of the original.
    const same = project.info.formats.find((each) => each.format === project.picture.format);
    if (same) format.value = same.format;
    showTransparency();
    showQuality();
  });
  project.addEventListener("state", () => {
    const { hints, extras } = project.state;
    element("hints-export").disabled = !hints.length && !Object.keys(extras).length;
  });

  /** Lists the formats that the engine writes. */
  return () => {
    const { formats } = project.info;
    format.replaceChildren(...formats.map((each) => make("option", { value: each.format, textContent: each.label })));
    for (const [id, { what }] of OTHERS) element(id).hidden = !(project.info.saves ?? ["layer"]).includes(what);
    showQuality();
  };
}
