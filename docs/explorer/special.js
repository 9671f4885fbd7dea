// erf and erfc in double precision: W. J. Cody, Rational Chebyshev approximation for the error function (1969).

const NEAR = [
  [
    3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
    1.85777706184603153e-1,
  ],
  [2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
];
const MIDDLE = [
  [
    5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
    8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
    2.15311535474403846e-8,
  ],
  [
    1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
  ],
];
const FAR = [
  [
    3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
    6.58749161529837803e-4, 1.63153871373020978e-2,
  ],
  [
    2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
  ],
];

function ratio([p, q], x) {
  let above = p[p.length - 1] * x,
    below = x;
  for (let i = 0; i < q.length - 1; i++) {
    above = (above + p[i]) * x;
    below = (below + q[i]) * x;
  }
  return (above + p[q.length - 1]) / (below + q[q.length - 1]);
}

/** exp(-y * y) with the square split, so that its rounding does not count. */
function gauss(y) {
  const high = Math.trunc(y * 16) / 16;
  return Math.exp(-high * high) * Math.exp(-(y - high) * (y + high));
}

function tail(y) {
  if (y > 27) return 0;
  if (y <= 4) return gauss(y) * ratio(MIDDLE, y);
  const inverse = 1 / (y * y);
  return (gauss(y) * (1 / Math.sqrt(Math.PI) - inverse * ratio(FAR, inverse))) / y;
}

export function erf(x) {
  const y = Math.abs(x);
  if (y <= 0.46875) return x * ratio(NEAR, y * y);
  return x > 0 ? 1 - tail(y) : tail(y) - 1;
}

export function erfc(x) {
  const y = Math.abs(x);
  if (y <= 0.46875) return 1 - x * ratio(NEAR, y * y);
  return x > 0 ? tail(y) : 2 - tail(y);
}
