// A click on a small picture opens it large; arrow keys step through the pictures of its painting in the same place, so
// that differences show. Without this script the links open the pictures themselves.
{
  const links = document.querySelectorAll("a.ac-zoom");
  if (links.length) {
    const dialog = document.createElement("dialog");
    dialog.className = "ac-large";
    dialog.setAttribute("aria-label", "Enlarged picture");
    dialog.innerHTML =
      '<figure><img alt=""><figcaption aria-live="polite"></figcaption></figure>' +
      '<button type="button" data-step="-1" aria-label="Previous picture">‹</button>' +
      '<button type="button" data-step="1" aria-label="Next picture">›</button>' +
      '<button type="button" data-close aria-label="Close">×</button>';
    document.body.append(dialog);
    const image = dialog.querySelector("img");
    const caption = dialog.querySelector("figcaption");
    let row = [];
    let current = 0;

    const show = (index) => {
      current = (index + row.length) % row.length;
      const link = row[current];
      const small = link.querySelector("img");
      image.src = link.href;
      image.alt = small.alt;
      image.width = small.getAttribute("width");
      image.height = small.getAttribute("height");
      caption.textContent =
        link.closest("figure").dataset.caption + ": " + link.dataset.label + " (" + (current + 1) + " of " + row.length + ")";
    };

    for (const link of links) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        row = [...link.closest("figure").querySelectorAll("a.ac-zoom")];
        show(row.indexOf(link));
        dialog.showModal();
      });
    }
    dialog.addEventListener("click", (event) => {
      const step = event.target.closest("[data-step]");
      if (step) show(current + Number(step.dataset.step));
      else if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(current + step);
    });
  }
}
