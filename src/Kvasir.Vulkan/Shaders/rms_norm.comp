#version 450
// y = x / sqrt(mean(x²) + ε) · w. A row may hold several vectors of the weight's width, each normalised on its own: a group each.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Weight { float weight[]; };
layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Form { uint width; uint perRow; float epsilon; };

const uint Lanes = 64u;
shared float s_squares[Lanes];

void main() {
    uint lane = gl_LocalInvocationID.x, start = (gl_WorkGroupID.y * perRow + gl_WorkGroupID.x) * width;
    precise float squares = 0.0;
    for (uint i = lane; i < width; i += Lanes)
        squares = squares + x[start + i] * x[start + i];
    s_squares[lane] = squares;
    barrier();
    precise float sum = 0.0;
    for (uint i = 0u; i < Lanes; i++) // by all, in one order: nothing is assumed of lanes that run together
        sum = sum + s_squares[i];
    precise float mean = sum / float(width);
    precise float scale = 1.0 / sqrt(mean + epsilon);
    for (uint i = lane; i < width; i += Lanes) {
        precise float scaled = x[start + i] * scale * weight[i];
        y[start + i] = scaled;
    }
}
