using System.Text;

namespace Kvasir.RemoteTiers.Settings;

/// <summary>Secrets in files, which arguments of a process are no place for: others see those.</summary>
public static class SecretFile
{
    /// <summary>Bytes of a key.</summary>
    public const int KeyBytes = 32;

    const int MostBytes = 4096;

    /// <summary>The password in a file: its text up to the end of the first line.</summary>
    /// <exception cref="IOException">The file cannot be read, others can read it, or there is none in it; the message names it.</exception>
    public static string ReadPassword(string path)
    {
        string[] lines = Encoding.UTF8.GetString(Read(path)).TrimEnd('\r', '\n').Split('\n');
        return lines is [{ Length: > 0 } password] ? password
            : throw new IOException($"{path}: saw {lines.Length} lines, expected one with a password");
    }

    /// <summary>The key in a file: 32 bytes, or 64 hexadecimal digits.</summary>
    /// <exception cref="IOException">The file cannot be read, others can read it, or there is none in it; the message names it.</exception>
    public static byte[] ReadKey(string path)
    {
        byte[] bytes = Read(path);
        if (bytes.Length == KeyBytes)
            return bytes;
        string text = Encoding.ASCII.GetString(bytes).Trim();
        return text.Length == 2 * KeyBytes && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text)
            : throw new IOException($"{path}: saw {bytes.Length} bytes, expected a key: {KeyBytes} bytes, or {2 * KeyBytes} hexadecimal digits");
    }

    static byte[] Read(string path)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        try
        {
            using FileStream file = File.OpenRead(path);
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file.SafeFileHandle) & others) is not 0 and var mode)
                throw new IOException($"{path}: holds a secret and others may use it ({mode}), expected a file of its owner: `chmod 600`");
            byte[] bytes = new byte[MostBytes];
            return bytes[..file.ReadAtLeast(bytes, MostBytes, throwOnEndOfStream: false)];
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
