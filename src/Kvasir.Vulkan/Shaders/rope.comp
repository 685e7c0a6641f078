#version 450
// Rotates the heads of rows in place: x · cos + partner · (± sin), by rotations that the host has computed in double precision.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Heads { float heads[]; };
layout(set = 0, binding = 1) readonly buffer Rotations { float rotations[]; }; // a row: [cos × dims][± sin × dims]
layout(push_constant) uniform Form { uint headsPerRow; uint headDim; uint dims; uint areNeighbours; };

void main() {
    uint pairs = dims / 2u, item = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
    if (item >= pairs * headsPerRow)
        return;
    uint pair = item % pairs, start = (row * headsPerRow + item / pairs) * headDim, turn = row * 2u * dims;
    uint first = areNeighbours != 0u ? 2u * pair : pair, second = areNeighbours != 0u ? first + 1u : pair + pairs;
    float a = heads[start + first], b = heads[start + second];
    precise float turnedA = a * rotations[turn + first] + b * rotations[turn + dims + first];
    precise float turnedB = b * rotations[turn + second] + a * rotations[turn + dims + second];
    heads[start + first] = turnedA;
    heads[start + second] = turnedB;
}
