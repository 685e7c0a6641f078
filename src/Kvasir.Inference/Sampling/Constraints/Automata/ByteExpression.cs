using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>A regular expression over bytes, as a tree.</summary>
abstract record ByteExpression
{
    /// <summary>The empty text.</summary>
    public static ByteExpression Empty { get; } = new Concatenation([]);

    /// <summary>No text at all.</summary>
    public static ByteExpression Never { get; } = new Alternation([]);

    public static ByteExpression Text(ReadOnlySpan<byte> bytes)
    {
        var parts = ImmutableArray.CreateBuilder<ByteExpression>(bytes.Length);
        foreach (byte value in bytes)
            parts.Add(new ByteRange(value, value));
        return new Concatenation(parts.MoveToImmutable());
    }

    public static ByteExpression operator +(ByteExpression left, ByteExpression right) => new Concatenation([left, right]);

    public static ByteExpression operator |(ByteExpression left, ByteExpression right) => new Alternation([left, right]);

    public ByteExpression Times(int least, int? most) => new Repeated(this, least, most);
}

/// <summary>One byte from first to last, both included.</summary>
sealed record ByteRange(byte First, byte Last) : ByteExpression;

/// <summary>One part after the other.</summary>
sealed record Concatenation(ImmutableArray<ByteExpression> Parts) : ByteExpression;

/// <summary>Any of the options.</summary>
sealed record Alternation(ImmutableArray<ByteExpression> Options) : ByteExpression;

/// <summary>The item some number of times, without end where there is no most.</summary>
sealed record Repeated(ByteExpression Item, int Least, int? Most) : ByteExpression;
