// fastinit in a browser, a worker or Node: the library's own kernels as WebAssembly, with the bits of Python.
//
//     import { load } from "./fastinit.js";
//     const fi = await load();
//     const law = fi.scheme("he_normal", [256, 784]);
//     const weights = fi.fill(law, { seed: 0, name: "fc.weight", count: 256 * 784 }); // a Float32Array

import { choose, integer, onlyKeywords, shown } from "./arguments.js";
import { checkedLaw, gain, scheme } from "./schemes.js";
import { SCHEMES } from "./tables.js";

/** @typedef {import("./schemes.js").Law} Law */
/**
 * @typedef {object} FillOptions
 * @property {number | bigint} seed from 0 to 2**64 - 1, as a BigInt beyond 2**53 - 1
 * @property {string} [name] the parameter's; with the seed it chooses the stream
 * @property {number | bigint} [index] the place of the first value in the whole tensor, in C order
 * @property {number} [count] how many values; by default the rest of a matrix, for laws that have one
 * @property {string} [dtype] "float32" by default; "uint32" for bits
 */
/** @typedef {Float32Array | Float64Array | Uint8Array | Uint16Array | Uint32Array | BigUint64Array} Values */
/**
 * @typedef {object} Fastinit
 * @property {(law: Law, options: FillOptions) => Values} fill
 *   New values of a law: elements [index, index + count) of the tensor of that seed and name. The narrow dtypes come as
 *   their bits.
 * @property {typeof scheme} scheme
 * @property {typeof gain} gain
 * @property {typeof SCHEMES} schemes what is known of each scheme, by name
 */

// The array of each dtype, and of words.
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float8_e4m3fn: Uint8Array,
  float8_e5m2: Uint8Array,
};
const WORDS = { uint32: Uint32Array, uint64: BigUint64Array };
const LANES = { uint32: "float32", uint64: "float64" };
const CHUNK = 1 << 20; // bytes that are drawn at a time
const PAGE = 1 << 16;

/**
 * Load the kernels. Nothing is asked of any other server than that of `source`.
 * @param {URL | string | Response | ArrayBuffer | ArrayBufferView} [source] by default kernels.wasm beside this file
 * @returns {Promise<Fastinit>}
 */
export async function load(source = new URL("kernels.wasm", import.meta.url)) {
  const { instance } = await WebAssembly.instantiate(await bytesOf(source));
  const kernels = /** @type {any} */ (instance.exports);
  const text = textReader(kernels.memory);
  const laws = list(kernels.law_name, text);
  const dtypes = list(kernels.dtype_name, text);
  const start = kernels.heap();

  /** The first of so many bytes of memory. @param {number} bytes */
  function scratch(bytes) {
    const missing = start + bytes - kernels.memory.buffer.byteLength;
    if (missing > 0) kernels.memory.grow(Math.ceil(missing / PAGE));
    return start;
  }

  /** @param {number | bigint} seed @param {string} name */
  function chooseStream(seed, name) {
    const number = integer("seed", seed, 2n ** 64n);
    if (typeof name !== "string") throw new TypeError(`name must be a string, got ${shown(name)}`);
    if (/\p{Surrogate}/u.test(name)) throw new RangeError(`name must be Unicode text, got ${shown(name)}`);
    const bytes = new TextEncoder().encode(name);
    const at = scratch(bytes.length);
    new Uint8Array(kernels.memory.buffer, at, bytes.length).set(bytes);
    kernels.choose_stream(number, at, bytes.length);
  }

  /** @param {number} complaint @param {Law} law @param {string} dtype */
  function complain(complaint, { kind, ...parameters }, dtype) {
    if (!complaint) return;
    const numbers = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
    throw new RangeError(`${kind}(${numbers.join(", ")}) ${text(complaint)} (${dtype})`);
  }

  /** @type {Fastinit["fill"]} */
  function fill(law, options) {
    const checked = checkedLaw(law);
    onlyKeywords("fill", options, ["seed", "name", "index", "count", "dtype"]);
    const { seed, name = "", index = 0, dtype = checked.kind === "bits" ? "uint32" : "float32" } = options;
    const arrays = /** @type {Record<string, any>} */ (checked.kind === "bits" ? WORDS : ARRAYS);
    const Result = choose("dtype", dtype, arrays);
    const first = integer("index", index, 2n ** 60n);
    const whole = "rows" in checked ? checked.rows * checked.columns : undefined;
    const given = options.count ?? (whole === undefined ? undefined : whole - Number(first));
    const count = Number(integer("count", given, 2n ** 60n - first));
    if (whole !== undefined && Number(first) + count > whole)
      throw new RangeError(`index ${index} and count ${count} go beyond the ${whole} elements of the matrix`);
    chooseStream(seed, name);
    if (checked.kind === "orthogonal") return orthogonal(checked, dtype, Result, Number(first), count);
    if (checked.kind === "identity") return identity(checked, options, Number(first), count);

    const { kind, ...parameters } = checked;
    const at = scratch(CHUNK);
    new Float64Array(kernels.memory.buffer, at, 4).set(Object.values(parameters));
    const lanes = /** @type {Record<string, string>} */ (LANES)[dtype] ?? dtype;
    complain(kernels.choose_law(laws.indexOf(kind), dtypes.indexOf(lanes), at), checked, dtype);
    const values = new Result(count);
    const most = CHUNK / Result.BYTES_PER_ELEMENT;
    for (let done = 0; done < count; done += most) {
      const n = Math.min(most, count - done);
      kernels.fill(first + BigInt(done), n, at);
      values.set(new Result(kernels.memory.buffer, at, n), done);
    }
    return values;
  }

  /** @param {Law} law @param {string} dtype @param {any} Result @param {number} first @param {number} count */
  function orthogonal(law, dtype, Result, first, count) {
    const { rows, columns, gain, axis } = law;
    const transposed = rows < columns || (rows === columns && (axis === 1 || axis === -1));
    const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
    const work = kernels.orthogonal_work(long, short);
    const at = scratch(work + rows * columns * Result.BYTES_PER_ELEMENT);
    complain(kernels.orthogonal(long, short, transposed, gain, dtypes.indexOf(dtype), at, at + work), law, dtype);
    return new Result(kernels.memory.buffer, at + work, rows * columns).slice(first, first + count);
  }

  /** @param {Law} law @param {FillOptions} options @param {number} first @param {number} count */
  function identity({ rows, columns, gain, shift }, options, first, count) {
    const values = fill({ kind: "constant", value: 0 }, { ...options, index: 0, count: rows * columns });
    const [one] = fill({ kind: "constant", value: gain }, { ...options, index: 0, count: 1 });
    const turn = ((shift % rows) + rows) % rows;
    for (let i = 0; i < Math.min(rows, columns); i++) values[((i + turn) % rows) * columns + i] = one;
    return values.slice(first, first + count);
  }

  return Object.freeze({ fill, scheme, gain, schemes: SCHEMES });
}

/** @param {URL | string | Response | ArrayBuffer | ArrayBufferView} source @returns {Promise<BufferSource>} */
async function bytesOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return /** @type {BufferSource} */ (source);
  if (source instanceof URL && source.protocol === "file:") {
    const { readFile } = await import("node:fs/promises"); // Node fetches no files
    return readFile(source);
  }
  if (!(source instanceof URL || source instanceof Response || typeof source === "string"))
    throw new TypeError(`source must be a URL, a Response or bytes, got ${shown(source)}`);
  const response = source instanceof Response ? source : await fetch(source);
  if (!response.ok) throw new Error(`the kernels cannot be loaded: ${response.status} for ${response.url}`);
  return response.arrayBuffer();
}

/** Reads C's texts. @param {WebAssembly.Memory} memory @returns {(at: number) => string} */
function textReader(memory) {
  return (at) => {
    const bytes = new Uint8Array(memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
  };
}

/** @param {(i: number) => number} name @param {(at: number) => string} text */
function list(name, text) {
  const names = [];
  for (let i = 0; name(i); i++) names.push(text(name(i)));
  return names;
}
