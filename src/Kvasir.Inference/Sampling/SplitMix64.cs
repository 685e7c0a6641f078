namespace Kvasir.Inference.Sampling;

/// <summary>
/// Random numbers that are the same for a seed on every machine and runtime. Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014, https://doi.org/10.1145/2714064.2660195.
/// </summary>
struct SplitMix64(ulong seed)
{
    ulong _state = seed;

    public ulong Next()
    {
        ulong z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));
}
