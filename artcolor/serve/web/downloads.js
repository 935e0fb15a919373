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
      say(text("saved", { name: saved.name, model: project.info.model }));
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
    const content = writeHints(project.state.hints, [height, width]);
    offer(new Blob([content], { type: "application/json" }), `${stem(name)}.hints.json`);
  });
  project.addEventListener("picture", () => {
    // Where it can be written, the format of the original.
    const same = project.info.formats.find((each) => each.format === project.picture.format);
    if (same) format.value = same.format;
    showQuality();
  });
  project.addEventListener("state", () => {
    element("hints-export").disabled = !project.state.hints.length;
  });

  /** Lists the formats that the engine writes. */
  return () => {
    const { formats } = project.info;
    format.replaceChildren(...formats.map((each) => make("option", { value: each.format, textContent: each.label })));
    for (const [id, { what }] of OTHERS) element(id).hidden = !(project.info.saves ?? ["layer"]).includes(what);
    showQuality();
  };
}
