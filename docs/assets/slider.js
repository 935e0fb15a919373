// Before and after: a range input lies over two pictures, so that pointer, touch and keyboard work by themselves.
for (const slider of document.querySelectorAll("[data-slider]")) {
  const stage = slider.querySelector(".ac-stage");
  const range = slider.querySelector("input[type=range]");
  const buttons = [...slider.querySelectorAll(".ac-choice button")];
  const images = { left: slider.querySelector(".ac-before"), right: slider.querySelector(".ac-after") };
  const slide = () => stage.style.setProperty("--shown", range.value + "%");

  const paint = () => {
    const { views, width, height, caption } = buttons.find((each) => each.ariaPressed === "true").dataset;
    const addresses = JSON.parse(views);
    for (const [side, image] of Object.entries(images)) {
      const label = slider.dataset[side];
      image.src = addresses[label];
      image.alt = caption + ": " + label;
    }
    slider.querySelector("a[data-original]").href = addresses.original;
    slider.querySelector("span[data-caption]").textContent = caption;
    stage.style.aspectRatio = width + " / " + height;
    stage.style.setProperty("--ratio", width / height);
    stage.style.setProperty("--width", width + "px");
  };

  range.addEventListener("input", slide);
  slide();
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      paint();
    });
  }
  for (const select of slider.querySelectorAll("select[data-side]")) {
    select.addEventListener("change", () => {
      slider.dataset[select.dataset.side] = select.value;
      paint();
    });
    // Browsers restore a choice when a page is reloaded.
    slider.dataset[select.dataset.side] = select.value;
  }
  if (slider.querySelector("select")) paint();
}
