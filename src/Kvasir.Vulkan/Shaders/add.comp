#version 450
// Adds so many times y to x.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Y { float y[]; };
layout(push_constant) uniform Form { uint width; float scale; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= width)
        return;
    i += gl_WorkGroupID.y * width;
    precise float sum = x[i] + y[i] * scale;
    x[i] = sum;
}
