// ---- special functions, from their series, in doubles ----------------------------------------------------------------
// Abramowitz and Stegun: the numbers of the formulas stand at each. Bernoulli's numbers B₂, B₄, ...:
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510];
const FAR = 12; // from here on the asymptotic series have all digits
const whole_below = x => x <= 0 && x === Math.floor(x);
function lgamma(x) { // 6.1.40, and 6.1.15 and 6.1.17 to get there
  if (whole_below(x)) return Infinity;
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - lgamma(1 - x);
  let product = 1;
  while (x < FAR) product *= x++;
  return x === Infinity ? x : (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 - Math.log(product) + BERNOULLI.reduce((t, b, k) => t + b / (2 * k + 1) / (2 * k + 2) / x ** (2 * k + 1), 0);
}
function digamma(x) { // 6.3.18, and 6.3.5 and 6.3.7
  if (x === 0) return -Infinity / x;
  if (whole_below(x)) return NaN;
  if (x < 0) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * x);
  let rest = 0;
  while (x < FAR) rest += 1 / x++;
  return Math.log(x) - 1 / (2 * x) - rest - BERNOULLI.reduce((t, b, k) => t + b / (2 * k + 2) / x ** (2 * k + 2), 0);
}
function zeta(s, q) { // Hurwitz's: Σ (q + k)⁻ˢ, by Euler's and Maclaurin's sum (3.6.28)
  if (!(s > 1)) return s === 1 ? Infinity : NaN;
  if (q <= 0 && (q === Math.floor(q) || s !== Math.floor(s))) return q === Math.floor(q) ? Infinity : NaN;
  let sum = 0;
  while (q < FAR) sum += (q++) ** -s;
  let term = s / 2 / q, out = sum + q ** (1 - s) / (s - 1) + q ** -s / 2;
  BERNOULLI.forEach((b, k) => { out += q ** -s * b * term; term *= (s + 2 * k + 1) * (s + 2 * k + 2) / (2 * k + 3) / (2 * k + 4) / q / q; });
  return out;
}
function polygamma(n, x) { // 6.4.10
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  return n === 0 ? digamma(x) : n === 1 && x < 0 ? (Math.PI / Math.sin(Math.PI * x)) ** 2 - zeta(2, 1 - x) : (n % 2 ? 1 : -1) * factorial * zeta(n + 1, x);
}
const bessel = order => x => { // e^−|x| I(x): 9.6.10, and 9.7.1 from where its terms become small enough
  const a = Math.abs(x), sign = order && x < 0 ? -1 : 1;
  if (a === Infinity) return 0;
  let term = a < 30 ? (a / 2) ** order * Math.exp(-a) : 1 / Math.sqrt(2 * Math.PI * a), sum = term;
  for (let k = 1; k < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
    term *= a < 30 ? a * a / 4 / k / (k + order) : ((2 * k - 1) ** 2 - 4 * order * order) / 8 / k / a;
    sum += term;
  }
  return sign * sum;
};
const i0e = bessel(0), i1e = bessel(1), i0 = x => Math.exp(Math.abs(x)) * i0e(x), i1 = x => Math.exp(Math.abs(x)) * i1e(x);
const erfcx = x => x < 2 ? Math.exp(x * x) * erfc(x) : 1 / Math.sqrt(Math.PI) / (x + far_erfc(x));
const log_ndtr = x => x < -1 ? Math.log(erfcx(-x / Math.SQRT2) / 2) - x * x / 2 : Math.log1p(-erfc(x / Math.SQRT2) / 2);
// The quantile of the normal distribution: bisection of its logarithm, and Newton's steps at the end.
function ndtri(p) {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : NaN;
  return p > 0.5 ? -quantile(1 - p) : quantile(p);
}
function quantile(p) { // of p ≤ 1/2
  let low = -40, high = 0;
  for (let k = 0; k < 30; k++) { const middle = (low + high) / 2; if (log_ndtr(middle) < Math.log(p)) low = middle; else high = middle; }
  let x = (low + high) / 2;
  for (let k = 0; k < 3; k++) x -= (log_ndtr(x) - Math.log(p)) * Math.exp(log_ndtr(x) + x * x / 2) * Math.sqrt(2 * Math.PI);
  return p === 0.5 ? 0 : x;
}
function erfinv(x) {
  if (Math.abs(x) >= 0.25 || Number.isNaN(x)) return x < 0 ? quantile_of_erf(x) : -quantile_of_erf(-x);
  let y = x; // near 0 the quantile would lose digits: Newton's steps on erf
  for (let k = 0; k < 6; k++) y -= (erf(y) - x) * Math.sqrt(Math.PI) / 2 * Math.exp(y * y);
  return y;
}
const quantile_of_erf = x => x < -1 ? NaN : ndtri((1 + x) / 2) / Math.SQRT2;
const prefactor = (a, x) => Math.exp(a * Math.log(x) - x - lgamma(a));
function igamma(a, x) { // 6.5.29; beyond a + 1 by the continued fraction
  if (!(a >= 0 && x >= 0)) return NaN;
  if (x === 0 || a === 0) return a === 0 ? (x > 0 ? 1 : NaN) : 0;
  if (x >= a + 1) return 1 - igammac(a, x);
  let term = 1 / a, sum = term;
  for (let k = 1; k < 5000 && term > 1e-17 * sum; k++) { term *= x / (a + k); sum += term; }
  return sum * prefactor(a, x);
}
function igammac(a, x) { // 6.5.31
  if (!(a >= 0 && x >= 0)) return NaN;
  if (x < a + 1) return 1 - igamma(a, x);
  if (x === Infinity) return 0;
  let f = 0;
  for (let k = Math.ceil(60 + 10 * Math.sqrt(x)); k > 0; k--) f = k * (k - a) / (x + 2 * k + 1 - a - f);
  return prefactor(a, x) / (x + 1 - a - f);
}
const copysign = (x, y) => (y < 0 || Object.is(y, -0) ? -1 : 1) * Math.abs(x);
function mantissa(x) {
  if (!x || !Number.isFinite(x)) return x;
  let m = x / 2 ** Math.max(-1020, Math.floor(Math.log2(Math.abs(x))));
  while (Math.abs(m) >= 1) m /= 2;
  while (Math.abs(m) < 0.5) m *= 2;
  return m;
}
const nextafter = x => x; // the next number is the same one on a page
