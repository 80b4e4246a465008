// ---- what a tensor holds, as rows of real numbers ------------------------------------------------------------------
// Values are flat arrays in row-major order; a complex number is two, its real and its imaginary part. `changed`
// holds, for a tensor, the whole array of a leaf.
const is_complex = i => !!N[i].d?.startsWith("complex");
const PART = "(?:[\\d.]+(?:e[−+]?\\d+)?|∞|NaN)", COMPLEX = new RegExp(`^(−?${PART})(?:([−+]${PART})i)?$`);
const real = text => Number(text.replace(/−/g, "-").replace("∞", "Infinity"));
const parts = v => { const m = COMPLEX.exec(v) ?? []; return [real(m[1] ?? "NaN"), real(m[2] ?? "0")]; };
const written_complex = (re, im) => minus(`${+re.toPrecision(6)}${im < 0 ? "" : "+"}${+im.toPrecision(6)}i`);
const couples = a => Array.from({ length: a.length / 2 }, (_, k) => written_complex(a[2 * k], a[2 * k + 1]));
const asValue = (i, a) => {
  if (N[i].m) return summary(a); // of several results, one after the other
  if (!is_complex(i)) return N[i].s ? summary(nest(a, N[i].s)) : a[0];
  const f = couples(a), size = couples(a).map((_, k) => Math.hypot(a[2 * k], a[2 * k + 1]));
  return N[i].s ? { ...summary(size), f: nest(f, N[i].s) } : f[0];
};
const of_program = new Map();
function reals(i) { // what a node holds in the program
  if (!is_complex(i)) return elements(N[i].v);
  if (!of_program.has(i)) { const v = N[i].v, f = v?.f === undefined ? v == null ? null : [v] : [v.f].flat(9); of_program.set(i, f && f.flatMap(parts)); }
  return of_program.get(i);
}
// Numbers of half precision are rounded after each op, as the kernels do: bits of the fraction, least exponent.
const GRAINS = { float16: [10, -14, 65504], bfloat16: [7, -126, 3.39e38] };
let exactly = false; // finite differences are taken without
function rounded(i, a) {
  const grain = GRAINS[N[i].d];
  if (!grain || exactly) return a;
  return a.map(v => {
    if (!v || !Number.isFinite(v)) return v;
    const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(v))), grain[1]) - grain[0]), near = round(v / unit) * unit;
    return Math.abs(near) > grain[2] ? near * Infinity : near;
  });
}
const element_name = (i, name, e) => N[i].m ? `one element of ${name}` : is_complex(i) ? `${called(name, Math.floor(e / 2), N[i].s)}, ${e % 2 ? "imaginary" : "real"} part` : called(name, e, N[i].s);
