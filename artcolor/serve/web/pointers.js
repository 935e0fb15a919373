/** Tells clicks, drags and pinches on an element apart. */

// A pointer that moves less than this clicks.
const STILL = 5;

/**
 * @param {HTMLElement} target what lies on it and is a control of its own is left alone
 * @param {object} actions
 * @param {(at: [number, number]) => void} actions.onClick
 * @param {(by: [number, number]) => void} actions.onPan
 * @param {(factor: number, at: [number, number], by: [number, number]) => void} actions.onPinch
 */
export function followPointers(target, { onClick, onPan, onPinch }) {
  const pointers = new Map();
  let start = null;

  target.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, input, label, a") || event.button > 1) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    target.setPointerCapture(event.pointerId);
    start = pointers.size === 1 ? [event.clientX, event.clientY] : null;
  });

  target.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (start && distance(start, now) < STILL) return;
    start = null;
    target.classList.add("moving");
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    const by = [now[0] - before[0], now[1] - before[1]];
    if (!other) {
      onPan(by);
      return;
    }
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    onPinch(distance(now, other) / Math.max(distance(before, other), 1), middle, [by[0] / 2, by[1] / 2]);
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (!pointers.size) target.classList.remove("moving");
    if (start && event.type === "pointerup" && event.button === 0) onClick(start);
    start = null;
  };
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
}

function distance(one, other) {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
