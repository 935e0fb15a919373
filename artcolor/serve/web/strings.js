/** All texts of the page. `{name}` is replaced by a value. */
export const strings = {
  title: "artcolor: give a painting its colors back",
  heading: "artcolor",
  intro:
    "Colorizes black-and-white paintings and prints. Everything is computed in this browser: your picture is not uploaded.",
  open: "Open a picture",
  dropHint: "or drop one here, or paste it",
  pictureLabel: "The colored picture",
  emptyLabel: "No picture yet",
  compare: "Compare with the original",
  vividness: "Vividness",
  vividnessHelp: "More rare and strong colors",
  temperature: "Temperature",
  temperatureHelp: "Lower chooses one color, higher mixes all that are likely",
  strength: "Strength",
  strengthHelp: "0 is gray",
  settings: "Colors",
  reset: "Reset",
  download: "Download PNG",
  guess: "The colors are a guess of the model {model}, not those of the original.",
  loadingModel: "Loading the model: {done} MB",
  loadingModelOf: "Loading the model: {done} of {total} MB",
  starting: "Starting the model …",
  opening: "Coloring {name} …",
  idle: "Ready. Open a picture.",
  ready: "{name}, {width} × {height} pixels",
  notLoaded: "The model could not be loaded ({detail}). Check the connection and reload the page.",
  notPicture: "{name} is no picture that this browser can open. Use a PNG, JPEG or WebP file.",
  tooLarge: "{name} is too large for the browser ({detail} pixels; 16.7 million are possible). Make it smaller first.",
  failed: "{name} could not be colored: {detail}. Try it again, or with a smaller picture.",
  fallbackName: "The picture",
};

/**
 * A text of the page.
 *
 * @param {string} key
 * @param {Record<string, string|number>} values
 * @returns {string}
 */
export function text(key, values = {}) {
  return strings[key].replace(/\{(\w+)\}/g, (mark, name) => values[name] ?? mark);
}
