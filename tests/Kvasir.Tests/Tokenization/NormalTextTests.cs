using System.Text.Json;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Tokenization;

/// <summary>Unicode's form C, against what Python's <c>unicodedata</c> makes of the same texts.</summary>
public sealed class NormalTextTests
{
    static readonly (string Text, string Normal)[] s_golden =
        [.. File.ReadLines(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Golden/nfc.jsonl"))
            .Select(line => JsonSerializer.Deserialize<string[]>(line)!).Select(pair => (pair[0], pair[1]))];

    [Fact]
    public void Form_c_is_that_of_python()
    {
        foreach ((string text, string normal) in s_golden)
            Assert.Equal(Spelt(normal), Spelt(NormalText.InFormC(text).Text));
        string all = string.Concat(s_golden.Select(pair => pair.Normal)); // put together once more where texts meet
        Assert.Equal(NormalText.InFormC(all).Text, NormalText.InFormC(NormalText.InFormC(all).Text).Text);
    }

    [Fact]
    public void What_a_stretch_comes_from_makes_the_stretch()
    {
        foreach ((string text, string normal) in s_golden)
            for (int cut = 1; cut < normal.Length; cut++)
            {
                NormalText whole = NormalText.InFormC(text);
                (int start, int length) = whole.Source(0, cut);
                (int next, int rest) = whole.Source(cut, normal.Length - cut);
                Assert.Equal((0, text.Length), (start, next + rest));
                Assert.InRange(next, 0, length); // nothing is left out between them
                if (next == length)
                    Assert.Equal(normal[..cut], NormalText.InFormC(text[..length]).Text);
            }
    }

    [Fact]
    public void Many_marks_take_no_longer_than_they_must()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));
        Assert.Equal("\u1EA1" + new string('\u0323', 199_999) + new string('\u0301', 200_000), NormalText.InFormC("a" + marks).Text);
    }

    static string Spelt(string text) => string.Join(' ', text.EnumerateRunes().Select(rune => $"{rune.Value:X4}"));
}
