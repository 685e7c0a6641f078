// The sum of a number of each lane, in a tree whose shape is fixed: no subgroup is assumed, of whatever size.
const uint Lanes = 64u;
shared float s_partial[Lanes];

float sum_of_lanes(float own) {
    uint lane = gl_LocalInvocationID.x;
    barrier(); // what was summed before has been read by all
    s_partial[lane] = own;
    for (uint apart = Lanes / 2u; apart > 0u; apart /= 2u) {
        barrier();
        if (lane < apart) {
            precise float sum = s_partial[lane] + s_partial[lane + apart];
            s_partial[lane] = sum;
        }
    }
    barrier();
    return s_partial[0];
}

float largest_of_lanes(float own) {
    uint lane = gl_LocalInvocationID.x;
    barrier();
    s_partial[lane] = own;
    for (uint apart = Lanes / 2u; apart > 0u; apart /= 2u) {
        barrier();
        if (lane < apart)
            s_partial[lane] = max(s_partial[lane], s_partial[lane + apart]);
    }
    barrier();
    return s_partial[0];
}
