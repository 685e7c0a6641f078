#version 450
#extension GL_GOOGLE_include_directive : require
#include "numbers.glsl"
// Logits as a model forms them: multiplied, then held within a cap.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Logits { float logits[]; };
layout(push_constant) uniform Form { uint width; float scale; float cap; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= width)
        return;
    i += gl_WorkGroupID.y * width;
    precise float logit = logits[i] * scale;
    if (cap > 0.0)
        logit = cap * (1.0 - 2.0 / (1.0 + exp_of(logit * (2.0 / cap))));
    logits[i] = logit;
}
