/* float32 to an 8-bit float, rounded to nearest-even. The values must lie within the format's range.
 *
 * Let e be the exponent of x, or the format's least exponent if that is larger. In x + 2^(e + 23 - fraction) the last
 * bit is worth one unit of the format at x: the addition rounds x to the format, subnormals included. The sum has the
 * number of units in its last bits and e in its exponent field. The lower and the upper half of the sum's bits, the
 * upper shifted by format->shift, add up to the code; format->power includes the constant that makes their biases
 * cancel. */
FN U float8_units(F x, const struct fi_float8 *format) {
    const F exponent = (F)((U)x & u_all(fi_bits.exponent));
    const U power = (U)max_f(exponent, (F)u_all(format->least)) + u_all(format->power);
    return (U)(x + (F)(power | ((U)x & u_all(fi_bits.sign))));
}
