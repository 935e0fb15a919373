/** What only a server offers: a token, other models, and folders. */

import { element, make, offer, onFile } from "./dom.js";
import { text } from "./strings.js";

/**
 * Runs what needs the engine; if that needs a token, asks for it and tries once more.
 *
 * @param {object} engine
 * @returns {(action: () => Promise) => Promise}
 */
export function withToken(engine) {
  let asking = null;
  const call = async (action, again = false) => {
    try {
      return await action();
    } catch (error) {
      if (error.reason !== "needsToken") throw error;
      // Several calls may need it at the same time.
      asking ??= askToken(again).finally(() => {
        asking = null;
      });
      const token = await asking;
      if (!token) throw error;
      await engine.token(token);
      return call(action, true);
    }
  };
  return call;
}

function askToken(again) {
  const dialog = element("token-dialog");
  const field = element("token");
  field.value = "";
  element("token-error").hidden = !again;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const form = element("token-form");
    form.onsubmit = (event) => {
      event.preventDefault();
      dialog.close("given");
    };
    element("token-cancel").onclick = () => dialog.close("");
    dialog.onclose = () => resolve(dialog.returnValue === "given" ? field.value : "");
  });
}

/** Shows what this server offers. */
export function connectServer(project, call, say, showProgress) {
  const { models, folders } = project.info;
  element("model-place").hidden = models.length < 2;
  const select = element("model");
  select.replaceChildren(...models.map((name) => make("option", { value: name, textContent: name })));
  select.addEventListener("change", () => project.useModel(select.value).catch((error) => project.fail(error)));

  element("folder-place").hidden = !folders;
  element("folder-open").addEventListener("click", () => element("folder-file").click());
  onFile(element("folder-file"), async (file) => {
    element("folder-open").disabled = true;
    const report = ({ done, total }) => {
      const sent = done >= total;
      showProgress(sent ? undefined : done / total);
      const percent = Math.round((100 * done) / total);
      say(sent ? text("folderRuns", { name: file.name }) : text("folderSent", { percent }));
    };
    report({ done: 0, total: file.size });
    try {
      const { decoding } = project.wanted;
      const answer = await call(() => project.engine.folder(file, { decoding }, report));
      const { blob, name, failed, warnings = [] } = answer;
      offer(blob, name);
      say([text(failed ? "folderFailed" : "folderSaved", { name, failed }), ...warnings].join(" "), failed > 0);
    } catch (error) {
      project.fail(error, file.name);
    } finally {
      element("folder-open").disabled = false;
      showProgress(null);
    }
  });
}
