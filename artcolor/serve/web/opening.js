/** The ways to open a picture: choose, photograph, drop, paste, or take one of the free paintings. */

import { element, make, onFile } from "./dom.js";
import { text } from "./strings.js";

/**
 * @param {(file: Blob, name: string) => void} open
 * @param {(file: File) => void} importHints for a hints file that is dropped
 * @param {(message: string, failed: boolean) => void} say
 * @returns {() => void} shows the free paintings, which not every host has
 */
export function connectOpening(open, importHints, say) {
  const take = (file) => file && open(file, file.name);
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => element(button.dataset.opens).click());
  }
  onFile(element("open"), take);
  onFile(element("camera"), take);
  const stage = element("stage");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("dropping");
    const [file] = event.dataTransfer.files;
    if (file && /\.json$/i.test(file.name)) importHints(file);
    else take(file);
  });
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  return () => showSamples(open, say);
}

async function showSamples(open, say) {
  const list = new URL("./samples/samples.json", import.meta.url);
  const answer = await fetch(list).catch(() => null);
  if (!answer?.ok) return;
  const samples = await answer.json().catch(() => null);
  const isSample = (each) => ["file", "title", "artist"].every((name) => typeof each?.[name] === "string");
  // A host may have a list of its own.
  const usable = Array.isArray(samples) ? samples.filter(isSample) : [];
  const buttons = usable.map(({ file, title, artist, year }) => {
    const address = new URL(file, list);
    const button = make(
      "button",
      { type: "button", className: "sample", data: { artcolor: "sample" } },
      make("img", { src: address, alt: "", loading: "lazy" }),
      make("span", { textContent: title }),
      make("small", { textContent: text("painted", { artist, year }) }),
    );
    button.addEventListener("click", async () => {
      const answer = await fetch(address).catch(() => null);
      if (answer?.ok) open(await answer.blob(), file);
      else say(text("notFetched", { name: title }), true);
    });
    return button;
  });
  element("samples").replaceChildren(...buttons);
  element("samples-place").hidden = !buttons.length;
}
