namespace Kvasir.Planning.Traces.Generators;

/// <summary>
/// Random numbers that are the same for a seed on every machine: only operations that IEEE 754 rounds in one way, so no logarithms
/// and no powers of the C library.
/// </summary>
sealed class RandomDraws(int seed)
{
    readonly Random _random = new(seed); // seeded: the algorithm is fixed for all versions of .NET

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => _random.NextDouble();

    /// <summary>Uniform whole number below a bound.</summary>
    public int Below(int bound) => _random.Next(bound);

    /// <summary>A count of tokens, uniform between half of the mean and one and a half; at least 1, unless the mean is 0.</summary>
    public int Tokens(double mean) => Math.Max((int)Math.Ceiling(Math.Min(mean, 1)), (int)Math.Round(mean * (0.5 + Uniform())));

    /// <summary>
    /// Time between events that do not know of each other: exponential with this mean in seconds. By comparing uniform numbers only: von
    /// Neumann, "Various techniques used in connection with random digits", 1951.
    /// </summary>
    public TimeSpan Pause(double mean)
    {
        for (int whole = 0; ; whole++)
        {
            double first = Uniform(), last = first;
            int run = 1;
            for (double next; (next = Uniform()) < last; last = next)
                run++;
            if (run % 2 == 1) // the falling run that began with it is odd with probability e^-first
                return Time((whole + first) * mean);
        }
    }

    /// <summary>Uniform in [0, <paramref name="seconds"/>).</summary>
    public TimeSpan Within(double seconds) => Time(Uniform() * seconds);

    static TimeSpan Time(double seconds) => new((long)(seconds * TimeSpan.TicksPerSecond));
}

/// <summary>Draws ranks of which the first is the most likely: of rank k with weight (k + 1)^-exponent.</summary>
sealed class Zipf
{
    readonly double[] _sums;

    public Zipf(int count, double exponent)
    {
        _sums = new double[count];
        double sum = 0;
        for (int rank = 0; rank < count; rank++)
            _sums[rank] = sum += 1 / Power(rank + 1, exponent);
    }

    public int Count => _sums.Length;

    public int Draw(RandomDraws draws)
    {
        int found = Array.BinarySearch(_sums, draws.Uniform() * _sums[^1]);
        return Math.Min(found < 0 ? ~found : found + 1, _sums.Length - 1);
    }

    /// <summary>A power by multiplications and square roots, which are the same everywhere; to 2^-30 of the exponent.</summary>
    internal static double Power(double value, double exponent)
    {
        double result = 1;
        for (int whole = (int)exponent; whole > 0; whole--)
            result *= value;
        double rest = exponent - Math.Floor(exponent), root = value;
        for (int bit = 0; bit < 30; bit++)
        {
            (root, rest) = (Math.Sqrt(root), rest * 2);
            if (rest >= 1)
                (result, rest) = (result * root, rest - 1);
        }
        return result;
    }
}
