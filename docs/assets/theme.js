// What the theme lacks for keyboards and screen readers.

// Its search, which is a dialog on small screens, has no name.
document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");

// Wide tables scroll, so they must be reached by keyboard. The theme wraps them after it has loaded.
const reach = () => {
  for (const frame of document.querySelectorAll(".md-typeset__scrollwrap")) {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }
};
new ResizeObserver(reach).observe(document.body);
