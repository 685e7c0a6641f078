#version 450
#extension GL_GOOGLE_include_directive : require
#include "numbers.glsl"
// One head's attention for one row, over the blocks of its sequence. Positions come in tiles of 64 that are aligned to absolute positions,
// a lane a position; what is seen of them is gathered in ascending order. So each row's order follows from its position alone: not from
// the batch, nor from where blocks lie.
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint ValuesPerLane = 1u; // value dims of a lane
layout(set = 0, binding = 0) readonly buffer Queries { float queries[]; };
layout(set = 0, binding = 1) readonly buffer Rows { uvec2 rows[]; };
layout(set = 0, binding = 2) readonly buffer Tables { uint tables[]; };
layout(set = 0, binding = 3) readonly buffer Blocks { uint blocks[]; };
layout(set = 0, binding = 4) writeonly buffer Attended { float attended[]; };
layout(push_constant) uniform Form {
    uint heads; uint kvHeads; uint keyDim; uint valueDim; uint blockTokens; uint blockWords; uint valuesAt; uint window; float scale; float cap;
};

const uint Lanes = 64u;
const float Least = -3.0e38;
shared float s_scores[Lanes];
shared float s_weights[Lanes];
shared uint s_values[Lanes]; // where each position's value lies

void main() {
    uint lane = gl_LocalInvocationID.x, head = gl_WorkGroupID.x, row = gl_WorkGroupID.y, kvHead = head / (heads / kvHeads);
    uint position = rows[row].x, table = rows[row].y;
    uint first = position + 1u > window ? position + 1u - window : 0u;
    uint keyWords = keyDim / 2u, valueWords = valueDim / 2u, query = (row * heads + head) * keyDim;
    float gathered[ValuesPerLane];
    for (uint i = 0u; i < ValuesPerLane; i++)
        gathered[i] = 0.0;
    precise float largest = Least, total = 0.0;
    for (uint tile = first / Lanes * Lanes; tile <= position; tile += Lanes) {
        uint place = tile + lane;
        bool isSeen = place >= first && place <= position;
        precise float score = Least;
        if (isSeen) {
            uint block = tables[table + place / blockTokens] * blockWords, token = kvHead * blockTokens + place % blockTokens;
            s_values[lane] = block + valuesAt + token * valueWords;
            score = 0.0;
            for (uint word = 0u; word < keyWords; word++) {
                vec2 pair = halves(blocks[block + token * keyWords + word]);
                score = score + queries[query + 2u * word] * pair.x;
                score = score + queries[query + 2u * word + 1u] * pair.y;
            }
            score = score * scale;
            if (cap > 0.0)
                score = cap * (1.0 - 2.0 / (1.0 + exp_of(score * (2.0 / cap))));
        }
        s_scores[lane] = score;
        barrier(); // scores and places are there, and the weights before have been read
        float most = largest;
        for (uint i = 0u; i < Lanes; i++)
            most = max(most, s_scores[i]);
        s_weights[lane] = isSeen ? exp_of(score - most) : 0.0;
        precise float before = largest == Least ? 0.0 : exp_of(largest - most);
        largest = most;
        barrier(); // weights are there, and scores have been read
        uint from = max(tile, first) - tile, to = min(Lanes, position + 1u - tile);
        total = total * before;
        for (uint p = from; p < to; p++)
            total = total + s_weights[p];
        for (uint i = 0u; i < ValuesPerLane; i++) {
            uint dim = lane + i * Lanes;
            if (dim < valueDim) {
                precise float value = gathered[i] * before;
                for (uint p = from; p < to; p++) {
                    vec2 pair = halves(blocks[s_values[p] + dim / 2u]);
                    value = value + s_weights[p] * ((dim & 1u) == 0u ? pair.x : pair.y);
                }
                gathered[i] = value;
            }
        }
        barrier(); // places have been read
    }
    for (uint i = 0u; i < ValuesPerLane; i++) {
        uint dim = lane + i * Lanes;
        if (dim < valueDim) {
            precise float mean = gathered[i] / total;
            attended[(row * heads + head) * valueDim + dim] = mean;
        }
    }
}
