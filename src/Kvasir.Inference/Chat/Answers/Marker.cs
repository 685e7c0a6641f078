namespace Kvasir.Inference.Chat.Answers;

/// <summary>Markers that may be cut over pieces.</summary>
static class Marker
{
    /// <summary>Length of the longest end of a text that begins one of these markers, and is not all of it.</summary>
    public static int BeginningAtEnd(string text, params ReadOnlySpan<string> markers)
    {
        int longest = 0;
        foreach (string marker in markers)
            for (int length = Math.Min(marker.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(marker.AsSpan(0, length)))
                    longest = length;
        return longest;
    }
}
