#version 450
#extension GL_GOOGLE_include_directive : require
#include "numbers.glsl"
// gate = activation(gate) · up, where the activation is silu or the tanh form of gelu.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Gate { float gate[]; };
layout(set = 0, binding = 1) readonly buffer Up { float up[]; };
layout(push_constant) uniform Form { uint width; uint isGelu; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= width)
        return;
    i += gl_WorkGroupID.y * width;
    float g = gate[i];
    precise float inner = isGelu != 0u ? g * (g * g * 0.07135481627 + 1.5957691216) : g;
    precise float gated = g / (1.0 + exp_of(-inner)) * up[i];
    gate[i] = gated;
}
