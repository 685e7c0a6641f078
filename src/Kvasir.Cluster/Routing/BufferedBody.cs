using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Cluster.Routing;

/// <summary>Memory for the bodies of all requests together.</summary>
sealed class BodyMemory(long bytes)
{
    long _free = bytes;

    public bool TryTake(int count)
    {
        if (Interlocked.Add(ref _free, -count) >= 0)
            return true;
        Give(count);
        return false;
    }

    public void Give(int count) => Interlocked.Add(ref _free, count);
}

/// <summary>
/// A request's body, kept so that it can be sent again. One for which there is no memory is passed on as it comes, and only once.
/// </summary>
sealed class BufferedBody : IDisposable
{
    const int Least = 16 << 10;

    readonly BodyMemory _memory;
    readonly Stream _client;
    byte[] _bytes = [];
    int _length, _taken;
    bool _isPassedOn;

    BufferedBody(HttpRequest request, BodyMemory memory) => (_client, _memory) = (request.Body, memory);

    /// <summary>The body, if it is here as a whole; else nothing.</summary>
    public ReadOnlySpan<byte> Bytes => IsWhole ? _bytes.AsSpan(0, _length) : [];

    /// <summary>Whether it is here as a whole.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Whether it has more bytes than any may have.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Whether it can be sent, again or for the first time.</summary>
    public bool CanBeSent => IsWhole || !_isPassedOn;

    /// <summary>Receives a body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="most">The most bytes that it may have; null for one that is passed on as it comes, however long it is.</param>
    /// <param name="memory">For all bodies together.</param>
    /// <param name="aborted">The client goes away.</param>
    public static async Task<BufferedBody> Receive(HttpRequest request, int? most, BodyMemory memory, CancellationToken aborted)
    {
        BufferedBody body = new(request, memory);
        try
        {
            body.IsTooLong = request.ContentLength > most;
            if (most is { } limit && !body.IsTooLong)
                await body.Fill((int)(request.ContentLength + 1 ?? Least), limit, aborted);
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    /// <summary>The body for one attempt.</summary>
    public Stream Open()
    {
        if (IsWhole)
            return new MemoryStream(_bytes, 0, _length, writable: false);
        _isPassedOn = true;
        return new StreamOf(_bytes.AsMemory(0, _length), _client);
    }

    public void Dispose()
    {
        if (_taken == 0)
            return;
        ArrayPool<byte>.Shared.Return(_bytes);
        _memory.Give(_taken);
        (_bytes, _taken) = ([], 0);
    }

    async Task Fill(int first, int most, CancellationToken aborted)
    {
        for (int room = Math.Max(first, Least); !IsTooLong && TryGrow(room); room = 2 * _bytes.Length)
            while (_length < _bytes.Length)
            {
                int read = await _client.ReadAsync(_bytes.AsMemory(_length), aborted);
                _length += read;
                if (read == 0)
                {
                    IsWhole = true;
                    return;
                }
                IsTooLong = _length > most;
            }
    }

    bool TryGrow(int room)
    {
        if (!_memory.TryTake(room))
            return false;
        byte[] larger = ArrayPool<byte>.Shared.Rent(room);
        _bytes.AsSpan(0, _length).CopyTo(larger);
        int length = _length;
        Dispose();
        (_bytes, _length, _taken) = (larger, length, room);
        return true;
    }

    /// <summary>What was received already, and what is still to come.</summary>
    sealed class StreamOf(ReadOnlyMemory<byte> first, Stream rest) : Stream
    {
        ReadOnlyMemory<byte> _first = first;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_first.IsEmpty)
                return rest.ReadAsync(buffer, cancellationToken);
            int count = Math.Min(buffer.Length, _first.Length);
            _first.Span[..count].CopyTo(buffer.Span);
            _first = _first[count..];
            return ValueTask.FromResult(count);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
