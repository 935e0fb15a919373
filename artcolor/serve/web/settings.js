/** The sliders of how a prediction becomes color. */

import { element } from "./dom.js";
import { takes } from "./guidance.js";
import { strings, text } from "./strings.js";

const SETTINGS = ["vividness", "temperature", "strength"];

/** Connects the sliders with what was chosen. */
export function connectSettings(project) {
  for (const id of SETTINGS) {
    const slider = element(id);
    slider.addEventListener("input", () => {
      const value = slider.valueAsNumber;
      project.change({ decoding: { ...project.state.decoding, [id]: value } }, id);
    });
    slider.addEventListener("change", () => project.seal());
  }
  element("reset").addEventListener("click", () => project.change({ decoding: {} }));
  const show = () => {
    for (const id of SETTINGS) {
      const value = project.state.decoding[id] ?? project.result?.used[id] ?? project.info?.defaults[id] ?? 1;
      // While a slider is dragged, its value is the newest.
      if (element(id).valueAsNumber !== value) element(id).value = value;
      const taken = !project.info || takes(project.info, id);
      document.querySelector(`output[for="${id}"]`).textContent = taken ? Number(value).toFixed(2) : "";
      element(id).disabled = !taken;
      element(`${id}-help`).textContent = taken ? strings[`${id}Help`] : text("notTaken", project.info);
    }
    element("reset").disabled = !Object.keys(project.state.decoding).length;
  };
  project.addEventListener("state", show);
  project.addEventListener("result", show);
  return show;
}
