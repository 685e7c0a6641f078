#version 450
#extension GL_GOOGLE_include_directive : require
#include "numbers.glsl"
// Writes each row's keys and values of a layer to their place in the sequence's blocks, as halves: [kvHead][token][dim], keys, then values.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer Keys { float keys[]; };
layout(set = 0, binding = 1) readonly buffer Values { float values[]; };
layout(set = 0, binding = 2) readonly buffer Rows { uvec2 rows[]; }; // position, and where its sequence's table begins
layout(set = 0, binding = 3) readonly buffer Tables { uint tables[]; }; // which block is where in the memory of all
layout(set = 0, binding = 4) writeonly buffer Blocks { uint blocks[]; };
layout(push_constant) uniform Form { uint kvHeads; uint keyDim; uint valueDim; uint blockTokens; uint blockWords; uint valuesAt; };

void main() {
    uint row = gl_WorkGroupID.y, item = gl_GlobalInvocationID.x;
    uint keyWords = keyDim / 2u, valueWords = valueDim / 2u;
    uint token = rows[row].x % blockTokens, block = tables[rows[row].y + rows[row].x / blockTokens] * blockWords;
    if (item < kvHeads * keyWords) {
        uint head = item / keyWords, word = item % keyWords, from = (row * kvHeads + head) * keyDim + 2u * word;
        blocks[block + (head * blockTokens + token) * keyWords + word] = half_of(keys[from]) | half_of(keys[from + 1u]) << 16;
    }
    if (item < kvHeads * valueWords) {
        uint head = item / valueWords, word = item % valueWords, from = (row * kvHeads + head) * valueDim + 2u * word;
        blocks[block + valuesAt + (head * blockTokens + token) * valueWords + word] =
            half_of(values[from]) | half_of(values[from + 1u]) << 16;
    }
}
