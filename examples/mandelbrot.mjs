// A picture whose rows cost very different amounts of work, drawn on all processors:
//
//   seq 0 39 | manyhands map examples/mandelbrot.mjs --keep-order --out raw --data '{"rows":40}'

const SHADES = " .:-=+*#%@";

/** Set once per worker, from `--data` (or the `data` option of a backend). */
const picture = { rows: 40, columns: 100, left: -2.2, right: 0.8, top: 1.2, bottom: -1.2, limit: 5_000 };

/** @param {Partial<typeof picture> | undefined} given */
export function setup(given) {
  Object.assign(picture, given);
}

/**
 * @param {number} index which row, from 0 at the top
 * @returns {string} one line of the picture: the darker, the longer a point stays near the origin
 */
export function row(index) {
  const y = picture.top + ((picture.bottom - picture.top) * index) / (picture.rows - 1);
  let line = "";
  for (let column = 0; column < picture.columns; column++) {
    const x = picture.left + ((picture.right - picture.left) * column) / (picture.columns - 1);
    line += SHADES[shadeOf(escapeTime(x, y))];
  }
  return line;
}

function escapeTime(x, y) {
  let [re, im] = [0, 0];
  for (let step = 0; step < picture.limit; step++) {
    if (re * re + im * im > 4) return step;
    [re, im] = [re * re - im * im + x, 2 * re * im + y];
  }
  return picture.limit;
}

function shadeOf(steps) {
  const share = Math.log1p(steps) / Math.log1p(picture.limit);
  return Math.min(SHADES.length - 1, Math.floor(share * SHADES.length));
}
