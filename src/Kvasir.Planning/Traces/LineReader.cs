namespace Kvasir.Planning.Traces;

/// <summary>The lines of a file as bytes, without their ends, in one buffer that grows up to the longest line allowed.</summary>
sealed class LineReader : IDisposable
{
    /// <summary>Bytes of the longest line allowed.</summary>
    public const int Longest = 16 << 20;

    const int Chunk = 1 << 20;

    readonly string _path;
    readonly IProgress<long>? _progress;
    readonly FileStream _stream;
    byte[] _buffer = new byte[Chunk];
    int _start, _end; // what is read and not handed out
    long _bytes; // read so far
    bool _isOver;

    public LineReader(string path, IProgress<long>? progress)
    {
        (_path, _progress) = (path, progress);
        _stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0, FileOptions.SequentialScan);
    }

    /// <summary>Number of the line that was handed out last, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>Whether that line had an end; only the last of a file may have none.</summary>
    public bool HasEnd { get; private set; }

    /// <summary>The next line, until the next call; false when there is none.</summary>
    /// <exception cref="TraceFormatException">The line is too long.</exception>
    public bool TryNext(out ReadOnlySpan<byte> line)
    {
        int searched = 0, length;
        while ((length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n')) < 0 && !_isOver)
        {
            searched = _end - _start;
            ReadMore();
        }
        HasEnd = length >= 0;
        length = HasEnd ? searched + length : _end - _start;
        line = _buffer.AsSpan(_start, length);
        if (!HasEnd && length == 0)
            return false;
        Number++;
        _start += HasEnd ? length + 1 : length;
        if (length > Longest)
            throw TooLong(Number);
        if (Number == 1 && line.StartsWith("\uFEFF"u8))
            line = line[3..];
        return true;
    }

    void ReadMore()
    {
        if (_end - _start > Longest)
            throw TooLong(Number + 1);
        MakeRoom();
        int read = _stream.Read(_buffer, _end, _buffer.Length - _end);
        _isOver = read == 0;
        _end += read;
        _progress?.Report(_bytes += read);
    }

    /// <summary>Moves what is left to the front, and doubles the buffer when that is more than half of it.</summary>
    void MakeRoom()
    {
        byte[] target = _end - _start > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        (_buffer, _end, _start) = (target, _end - _start, 0);
    }

    TraceFormatException TooLong(long number) =>
        TraceFormatException.At(_path, number, null, $"more than {Longest:N0} bytes", "a line of at most 16 MiB");

    public void Dispose() => _stream.Dispose();
}
