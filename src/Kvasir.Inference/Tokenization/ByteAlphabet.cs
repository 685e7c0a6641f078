namespace Kvasir.Inference.Tokenization;

/// <summary>
/// GPT-2's spelling of bytes: a character for each, so that a vocabulary of bytes is a vocabulary of text. Printable Latin-1 stands for
/// itself; the other bytes, in order, are the characters from U+0100 on.
/// </summary>
static class ByteAlphabet
{
    const char FirstSubstitute = '\u0100';

    static readonly char[] s_characters = MakeCharacters();
    static readonly short[] s_bytes = Invert(s_characters);

    public static char Character(byte value) => s_characters[value];

    public static bool TryGetByte(char character, out byte value)
    {
        int found = character < s_bytes.Length ? s_bytes[character] : -1;
        value = (byte)found;
        return found >= 0;
    }

    static char[] MakeCharacters()
    {
        var characters = new char[256];
        char substitute = FirstSubstitute;
        for (int value = 0; value < 256; value++)
            characters[value] = IsPrintable(value) ? (char)value : substitute++;
        return characters;
    }

    /// <summary>0xAD is the soft hyphen, which shows nothing.</summary>
    static bool IsPrintable(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xFF and not 0xAD);

    static short[] Invert(char[] characters)
    {
        var bytes = new short[characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (short value = 0; value < 256; value++)
            bytes[characters[value]] = value;
        return bytes;
    }
}
