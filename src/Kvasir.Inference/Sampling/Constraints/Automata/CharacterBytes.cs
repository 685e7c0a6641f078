using System.Collections.Immutable;
using System.Text;

namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>The bytes of characters.</summary>
static class CharacterBytes
{
    static readonly (int First, int Last)[] s_lengths = [(0, 0x7f), (0x80, 0x7ff), (0x800, 0xd7ff),
        (0xe000, 0xffff), (0x10000, CharacterSet.Last)];

    static readonly CharacterSet s_escaped = CharacterSet.Union([CharacterSet.Range(0, 0x1f), CharacterSet.Of('"'), CharacterSet.Of('\\')]);
    static readonly CharacterSet s_plain = s_escaped.Complement();

    /// <summary>One character of a set, in UTF-8.</summary>
    public static ByteExpression Utf8(CharacterSet set) => new Alternation(
    [
        .. from range in set.Ranges
           from length in s_lengths
           let first = Math.Max(range.First, length.First)
           let last = Math.Min(range.Last, length.Last)
           where first <= last
           select Between(Bytes(first), Bytes(last)),
    ]);

    /// <summary>One character of a set as it stands in a JSON string: with an escape only where it needs one.</summary>
    public static ByteExpression InJson(CharacterSet set) => new Alternation(
    [
        Utf8(set.And(s_plain)),
        .. from range in set.And(s_escaped).Ranges
           from character in Enumerable.Range(range.First, range.Last - range.First + 1)
           select ByteExpression.Text(Encoding.ASCII.GetBytes(Escape(character))),
    ]);

    /// <summary>A text as a JSON string, quotes included, with an escape only where it needs one.</summary>
    public static byte[] Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char character in text)
            quoted.Append(s_escaped.Contains(character) ? Escape(character) : character.ToString());
        return Encoding.UTF8.GetBytes(quoted.Append('"').ToString());
    }

    static string Escape(int character) => character switch
    {
        '"' => "\\\"",
        '\\' => @"\\",
        '\b' => @"\b",
        '\f' => @"\f",
        '\n' => @"\n",
        '\r' => @"\r",
        '\t' => @"\t",
        _ => $"\\u{character:x4}",
    };

    static byte[] Bytes(int character) => Encoding.UTF8.GetBytes(new Rune(character).ToString());

    /// <summary>The encodings from one to another of the same length.</summary>
    static ByteExpression Between(ReadOnlySpan<byte> first, ReadOnlySpan<byte> last)
    {
        if (first.IsEmpty)
            return ByteExpression.Empty;
        if (first[0] == last[0])
            return new ByteRange(first[0], last[0]) + Between(first[1..], last[1..]);
        ReadOnlySpan<byte> lowest = [0x80, 0x80, 0x80], highest = [0xbf, 0xbf, 0xbf];
        int rest = first.Length - 1;
        if (first[1..].SequenceEqual(lowest[..rest]) && last[1..].SequenceEqual(highest[..rest]))
            return new ByteRange(first[0], last[0]) + Between(lowest[..rest], highest[..rest]);
        var options = ImmutableArray.CreateBuilder<ByteExpression>();
        options.Add(new ByteRange(first[0], first[0]) + Between(first[1..], highest[..rest]));
        if (first[0] + 1 < last[0])
            options.Add(new ByteRange((byte)(first[0] + 1), (byte)(last[0] - 1)) + Between(lowest[..rest], highest[..rest]));
        options.Add(new ByteRange(last[0], last[0]) + Between(lowest[..rest], last[1..]));
        return new Alternation(options.ToImmutable());
    }
}
