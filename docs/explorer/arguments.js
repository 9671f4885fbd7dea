// What an argument must be: its value, or the error that names the argument and the value.

/** A value as messages show it. @param {unknown} value */
export function shown(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  } catch {
    return typeof value;
  }
}

/**
 * A real number, finite unless said otherwise; -0 becomes 0.
 * @param {string} argument
 * @param {unknown} value
 * @param {boolean} [finite]
 * @returns {number}
 */
export function real(argument, value, finite = true) {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number, got ${shown(value)}`);
  if (Number.isNaN(value) || (finite && !Number.isFinite(value)))
    throw new RangeError(`${argument} must be ${finite ? "finite" : "a number"}, got ${value}`);
  return value + 0;
}

/** A finite number of at least 0. @param {string} argument @param {unknown} value */
export function nonNegative(argument, value) {
  const number = real(argument, value);
  if (number < 0) throw new RangeError(`${argument} must be at least 0, got ${value}`);
  return number;
}

/** A finite number above 0. @param {string} argument @param {unknown} value */
export function positive(argument, value) {
  const number = real(argument, value);
  if (number <= 0) throw new RangeError(`${argument} must be positive, got ${value}`);
  return number;
}

/**
 * An integer from 0 to below `end`, as a BigInt. Numbers are taken up to 2**53 - 1, where they are exact.
 * @param {string} argument
 * @param {unknown} value
 * @param {bigint} end
 * @returns {bigint}
 */
export function integer(argument, value, end) {
  if (typeof value !== "bigint" && !Number.isInteger(value))
    throw new TypeError(`${argument} must be an integer, got ${shown(value)}`);
  const number = BigInt(/** @type {number | bigint} */ (value));
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new RangeError(`${argument} must be a BigInt beyond 2**53 - 1, got ${value}`);
  if (number < 0n || number >= end)
    throw new RangeError(`${argument} must be at least 0 and below ${end}, got ${value}`);
  return number;
}

/** The shape of a tensor: non-negative integers. @param {unknown} value @returns {number[]} */
export function shape(value) {
  if (!Array.isArray(value)) throw new TypeError(`shape must be an array of integers, got ${shown(value)}`);
  return value.map((size) => Number(integer("shape", size, 2n ** 32n)));
}

/**
 * `table[name]`, or the error that lists the names.
 * @template T
 * @param {string} argument
 * @param {unknown} name
 * @param {Record<string, T>} table
 * @returns {T}
 */
export function choose(argument, name, table) {
  if (typeof name !== "string") throw new TypeError(`${argument} must be a string, got ${shown(name)}`);
  if (!Object.hasOwn(table, name))
    throw new RangeError(`unknown ${argument} ${shown(name)}; known: ${Object.keys(table).join(", ")}`);
  return table[name];
}

/**
 * An error for keywords that are not taken.
 * @param {string} what
 * @param {unknown} given
 * @param {string[]} taken
 */
export function onlyKeywords(what, given, taken) {
  if (typeof given !== "object" || given === null)
    throw new TypeError(`${what} takes an object of keywords, got ${shown(given)}`);
  for (const keyword of Object.keys(given))
    if (!taken.includes(keyword))
      throw new TypeError(`${what} takes no ${shown(keyword)}; it takes ${taken.join(", ") || "no keywords"}`);
}
