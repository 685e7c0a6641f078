import type uPlot from 'uplot';

/** Shapes that tell series apart without colour. */
export type Mark = 'circle' | 'square' | 'diamond' | 'ring';

/** Draws a series as marks. Coordinates and the radius are in the canvas's own pixels. */
export const marks = (mark: Mark): uPlot.Series.Points.PathBuilder => (plot, index, from, to) => {
  const path = new Path2D();
  const radius = 4 * devicePixelRatio;
  for (let at = from; at <= to; at++) {
    const value = plot.data[index]![at];
    if (value != null) trace(path, mark, plot.valToPos(plot.data[0][at]!, 'x', true), plot.valToPos(value, 'y', true), radius);
  }
  return mark === 'ring' ? { stroke: path } : { stroke: path, fill: path };
};

function trace(path: Path2D, mark: Mark, x: number, y: number, radius: number): void {
  if (mark === 'square') return path.rect(x - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7);
  if (mark === 'diamond') return diamond(path, x, y, radius * 1.15);
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 2 * Math.PI);
}

function diamond(path: Path2D, x: number, y: number, radius: number): void {
  path.moveTo(x, y - radius);
  path.lineTo(x + radius, y);
  path.lineTo(x, y + radius);
  path.lineTo(x - radius, y);
  path.closePath();
}
