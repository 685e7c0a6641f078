using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Large and small letters. The number of characters stays, so 'ß' in capitals is 'ß'.</summary>
static class Casing
{
    public static MarkedText Capitalize(MarkedText text) => Change(text, _ => false);

    /// <summary>The first letter of each word in capitals, where a word starts after certain characters.</summary>
    public static MarkedText Title(MarkedText text, Func<char, bool> startsWordAfter) => Change(text, startsWordAfter);

    static MarkedText Change(MarkedText text, Func<char, bool> startsWordAfter)
    {
        char[] units = text.Text.ToLowerInvariant().ToCharArray();
        for (int i = 0; i < units.Length; i++)
            if (i == 0 || startsWordAfter(units[i - 1]))
                units[i] = char.ToUpperInvariant(units[i]);
        return text.With(new string(units));
    }
}
