// Numbers as all kernels read and write them. Everything that ends in a key, a value or a logit is `precise`: no compiler may contract
// a multiplication and an addition into one, or change their order.

// Two halves in a word, the first in the lower bits. Exact, subnormal ones included.
vec2 halves(uint word) { return unpackHalf2x16(word); }

// A float as the nearest half, ties to even: packHalf2x16 may round as a driver likes.
uint half_of(float value) {
    uint bits = floatBitsToUint(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
    if (rest > 0x7F800000u)
        return sign | 0x7E00u | rest >> 13 & 0x1FFu; // not a number
    if (rest >= 0x477FF000u)
        return sign | 0x7C00u; // too large
    if (rest < 0x38800000u) { // subnormal: as many units of 2^-24 as it has
        if (rest < 0x33000000u)
            return sign;
        uint shift = 126u - (rest >> 23), mantissa = rest & 0x7FFFFFu | 0x800000u;
        uint units = mantissa >> shift, lost = mantissa & (1u << shift) - 1u, tie = 1u << shift - 1u;
        return sign | units + uint(lost > tie || lost == tie && (units & 1u) != 0u);
    }
    uint rounded = rest + 0xFFFu + (rest >> 13 & 1u); // the exponent goes up by itself where the mantissa is full
    return sign | rounded - 0x38000000u >> 13;
}

// e^x, relative error 2e-7: the functions of drivers differ, and are allowed to be far off. Arguments beyond 87 either way are held there.
float exp_of(float x) {
    precise float held = clamp(x, -87.0, 87.0);
    precise float whole = held * 1.44269504 + 12582912.0;
    whole = whole - 12582912.0;
    precise float r = whole * -0.693359375 + held;
    r = whole * 2.12194440e-4 + r;
    precise float sum = 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return isnan(x) ? x : sum * uintBitsToFloat(uint(int(whole) + 127) << 23);
}
