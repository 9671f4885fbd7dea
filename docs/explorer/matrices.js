// Products of matrices in float64, row by row in memory.

/** x (rows, inner) times the transpose of w (columns, inner). */
export function multiply(x, w, rows, inner, columns, out = new Float64Array(rows * columns)) {
  let r = 0;
  for (; r + 1 < rows; r += 2) {
    const a = r * inner,
      b = a + inner;
    let c = 0;
    for (; c + 3 < columns; c += 4) {
      const p = c * inner,
        q = p + inner,
        s = q + inner,
        t = s + inner;
      let a0 = 0,
        a1 = 0,
        a2 = 0,
        a3 = 0,
        b0 = 0,
        b1 = 0,
        b2 = 0,
        b3 = 0;
      for (let k = 0; k < inner; k++) {
        const u = x[a + k],
          v = x[b + k],
          w0 = w[p + k],
          w1 = w[q + k],
          w2 = w[s + k],
          w3 = w[t + k];
        a0 += u * w0;
        a1 += u * w1;
        a2 += u * w2;
        a3 += u * w3;
        b0 += v * w0;
        b1 += v * w1;
        b2 += v * w2;
        b3 += v * w3;
      }
      const o = r * columns + c,
        n = o + columns;
      out[o] = a0;
      out[o + 1] = a1;
      out[o + 2] = a2;
      out[o + 3] = a3;
      out[n] = b0;
      out[n + 1] = b1;
      out[n + 2] = b2;
      out[n + 3] = b3;
    }
    for (; c < columns; c++) {
      out[r * columns + c] = dot(x, a, w, c * inner, inner);
      out[(r + 1) * columns + c] = dot(x, b, w, c * inner, inner);
    }
  }
  for (; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[r * columns + c] = dot(x, r * inner, w, c * inner, inner);
  }
  return out;
}

function dot(x, a, w, b, count) {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += x[a + k] * w[b + k];
  return sum;
}

/** The transpose of a (rows, columns) matrix, in float64. */
export function transposed(w, rows, columns, out = new Float64Array(rows * columns)) {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = w[r * columns + c];
  return out;
}
