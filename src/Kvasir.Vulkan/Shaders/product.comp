#version 450
#extension GL_GOOGLE_include_directive : require
#include "numbers.glsl"
// y = W · x + bias: sixteen lanes an output, for a few rows of activations at a time, which share what is read of the weights. Lanes take
// turns with the words of the weights; their sums are added in order. So each output's order follows from the matrix alone.
// WEIGHTS names the type; how its words lie is written where it is packed (WeightWords.cs).
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint RowsAtOnce = 1u;
layout(set = 0, binding = 0) readonly buffer Weights { uint weights[]; };
layout(set = 0, binding = 1) readonly buffer X { float x[]; };
layout(set = 0, binding = 2) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Form {
    uint columns; uint wordsPerRow; uint scalesPerRow; uint scalesAt; uint rows; uint outputs; uint firstOutput; uint hasBias; uint yWidth; uint firstRow;
};

const uint Lanes = 16u, OutputsOfGroup = 4u;
shared float s_sums[RowsAtOnce * OutputsOfGroup * Lanes];

float word_of(uint index) { return uintBitsToFloat(weights[index]); }

// Scales lie two in a word.
float scale_of(uint row, uint index) {
    vec2 pair = halves(weights[scalesAt + row * scalesPerRow + index / 2u]);
    return (index & 1u) == 0u ? pair.x : pair.y;
}

int signed_byte(uint word, uint index) { return bitfieldExtract(int(word), int(index * 8u), 8); }

float g_sums[RowsAtOnce];
uint g_firstRow, g_rows;

// A weight, for all rows.
void add(float weight, uint column) {
    for (uint r = 0u; r < RowsAtOnce; r++)
        if (r < g_rows) {
            precise float sum = g_sums[r] + weight * x[(firstRow + g_firstRow + r) * columns + column];
            g_sums[r] = sum;
        }
}

// Everything that a lane does with one of its units.
#if defined(WEIGHTS_F32)
void add_unit(uint row, uint unit) { add(word_of(row * wordsPerRow + unit), unit); }
#elif defined(WEIGHTS_F16)
void add_unit(uint row, uint unit) {
    vec2 pair = halves(weights[row * wordsPerRow + unit]);
    add(pair.x, 2u * unit);
    if (2u * unit + 1u < columns)
        add(pair.y, 2u * unit + 1u);
}
#elif defined(WEIGHTS_BF16)
void add_unit(uint row, uint unit) {
    uint word = weights[row * wordsPerRow + unit];
    add(uintBitsToFloat(word << 16), 2u * unit);
    if (2u * unit + 1u < columns)
        add(uintBitsToFloat(word & 0xFFFF0000u), 2u * unit + 1u);
}
#elif defined(WEIGHTS_Q8_0)
void add_unit(uint row, uint unit) { // four weights
    uint word = weights[row * wordsPerRow + unit];
    float scale = scale_of(row, unit / 8u);
    for (uint i = 0u; i < 4u; i++) {
        precise float weight = float(signed_byte(word, i)) * scale;
        add(weight, 4u * unit + i);
    }
}
#elif defined(WEIGHTS_Q4_0)
void add_unit(uint row, uint unit) { // eight weights: four of a block's first half, four of its second
    uint word = weights[row * wordsPerRow + unit], column = unit / 4u * 32u + unit % 4u * 4u;
    float scale = scale_of(row, unit / 4u);
    for (uint i = 0u; i < 4u; i++) {
        precise float weight = (float(word >> 8u * i & 15u) - 8.0) * scale;
        add(weight, column + i);
    }
    for (uint i = 0u; i < 4u; i++) {
        precise float weight = (float(word >> 8u * i + 4u & 15u) - 8.0) * scale;
        add(weight, column + 16u + i);
    }
}
#elif defined(WEIGHTS_Q4_K)
uint scale_byte(uint at, uint index) { return weights[at + 1u + index / 4u] >> 8u * (index % 4u) & 255u; }

// The scale and the offset of 32 weights, six bits each.
uvec2 scales_of(uint at, uint group) {
    if (group < 4u)
        return uvec2(scale_byte(at, group) & 63u, scale_byte(at, group + 4u) & 63u);
    uint both = scale_byte(at, group + 4u);
    return uvec2(both & 15u | scale_byte(at, group - 4u) >> 6 << 4, both >> 4 | scale_byte(at, group) >> 6 << 4);
}

void add_unit(uint row, uint unit) { // eight weights of two groups, of a block of 36 words with 32 units
    uint at = row * wordsPerRow + unit / 32u * 36u, of = unit % 32u, pair = of / 8u;
    uint word = weights[at + 4u + of], column = unit / 32u * 256u + pair * 64u + of % 8u * 4u;
    vec2 whole = halves(weights[at]);
    for (uint side = 0u; side < 2u; side++) {
        uvec2 scales = scales_of(at, 2u * pair + side);
        precise float scale = whole.x * float(scales.x), offset = whole.y * float(scales.y);
        for (uint i = 0u; i < 4u; i++) {
            precise float weight = scale * float(word >> 8u * i + 4u * side & 15u) - offset;
            add(weight, column + 32u * side + i);
        }
    }
}
#elif defined(WEIGHTS_Q6_K)
void add_unit(uint row, uint unit) { // sixteen weights of four groups, of a block of 53 words with 16 units
    uint at = row * wordsPerRow + unit / 16u * 53u, of = unit % 16u, side = of / 8u, word = of % 8u;
    uint low = weights[at + side * 16u + word], next = weights[at + side * 16u + 8u + word], high = weights[at + 32u + side * 8u + word];
    float whole = halves(weights[at + 52u]).x;
    uint column = unit / 16u * 256u + side * 128u + word * 4u, group = side * 8u + word / 4u;
    for (uint quarter = 0u; quarter < 4u; quarter++) {
        uint source = (quarter & 1u) == 0u ? low : next, index = group + 2u * quarter;
        precise float scale = whole * float(signed_byte(weights[at + 48u + index / 4u], index % 4u));
        for (uint i = 0u; i < 4u; i++) {
            uint bits = source >> 8u * i + (quarter < 2u ? 0u : 4u) & 15u | (high >> 8u * i + 2u * quarter & 3u) << 4;
            precise float weight = scale * (float(bits) - 32.0);
            add(weight, column + 32u * quarter + i);
        }
    }
}
#endif

layout(constant_id = 1) const uint UnitColumns = 1u; // weights of a unit

void main() {
    uint own = gl_LocalInvocationID.x, lane = own % Lanes, row = gl_WorkGroupID.x * OutputsOfGroup + own / Lanes;
    g_firstRow = gl_WorkGroupID.y * RowsAtOnce;
    g_rows = min(RowsAtOnce, rows - g_firstRow);
    for (uint r = 0u; r < RowsAtOnce; r++)
        g_sums[r] = 0.0;
    uint units = row < outputs ? (columns + UnitColumns - 1u) / UnitColumns : 0u;
    for (uint unit = lane; unit < units; unit += Lanes)
        add_unit(row, unit);
    for (uint r = 0u; r < RowsAtOnce; r++)
        s_sums[r * OutputsOfGroup * Lanes + own] = g_sums[r];
    barrier();
    uint of = own % OutputsOfGroup, r = own / OutputsOfGroup, at = gl_WorkGroupID.x * OutputsOfGroup + of;
    if (r >= g_rows || at >= outputs)
        return;
    precise float sum = s_sums[(r * OutputsOfGroup + of) * Lanes];
    for (uint i = 1u; i < Lanes; i++)
        sum = sum + s_sums[(r * OutputsOfGroup + of) * Lanes + i];
    at += firstOutput;
    if (hasBias != 0u)
        sum = sum + bias[at];
    y[(g_firstRow + r) * yWidth + at] = sum;
}
