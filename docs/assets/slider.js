// Before and after: a range input lies over two pictures, so that pointer, touch and keyboard work by themselves.
for (const slider of document.querySelectorAll("[data-slider]")) {
  const stage = slider.querySelector(".ac-stage");
  const range = slider.querySelector("input[type=range]");
  const show = () => stage.style.setProperty("--shown", range.value + "%");
  range.addEventListener("input", show);
  show();
  const buttons = slider.querySelectorAll(".ac-choice button");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const { before, after, original, width, height, caption } = button.dataset;
      slider.querySelector(".ac-before").src = before;
      slider.querySelector(".ac-after").src = after;
      slider.querySelector("[data-original][href]").href = original;
      slider.querySelector("span[data-caption]").textContent = caption;
      stage.style.aspectRatio = width + " / " + height;
      stage.style.setProperty("--ratio", width / height);
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
    });
  }
}
