/** Draws the outlines of hints over the picture: strokes, regions, and the area of the point that is edited. */

import { hexOf } from "./dom.js";
import { isPoint } from "./guidance.js";
import { RADIUS } from "./hint_files.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {SVGElement} svg lies over the whole picture
 * @param {{width: number, height: number} | null} picture
 * @param {object[]} hints
 * @param {object | null} current the one that is edited
 */
export function drawOutlines(svg, picture, hints, current) {
  if (!picture) return;
  const { width, height } = picture;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const corners = (points) => points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  const shapes = hints.filter((hint) => hint.polyline || hint.polygon).flatMap((hint) => {
    const shape = hint.polyline ? "polyline" : "polygon";
    const color = hint.color === undefined ? null : hexOf(hint.color);
    const points = corners(hint[shape]);
    const drawn = shaped(shape, { points, class: hint.polyline ? "stroke" : "region" });
    if (color) drawn.style.setProperty("--color", color);
    return [shaped(shape, { points, class: "under" }), drawn];
  });
  if (current && isPoint(current)) {
    const radius = (current.radius ?? RADIUS) * Math.min(width, height);
    for (const look of ["ring under", "ring"]) {
      shapes.push(shaped("circle", { cx: current.x * width, cy: current.y * height, r: radius, class: look }));
    }
  }
  svg.replaceChildren(...shapes);
}

function shaped(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.setAttribute("vector-effect", "non-scaling-stroke");
  return made;
}
