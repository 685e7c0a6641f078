using System.Buffers;

namespace Kvasir.Server.Http;

/// <summary>Memory for large bodies, of all requests together: from their first bytes until they are understood they take turns.</summary>
/// <param name="bytes">So much; a body that alone is larger takes all of it.</param>
sealed class BodyRoom(long bytes) : IDisposable
{
    const int Unit = 1 << 20;

    const int LargestKept = 1 << 28;

    readonly int _units = (int)Math.Clamp(bytes / Unit, 1, int.MaxValue);
    readonly SemaphoreSlim _turn = new(1), _free = new((int)Math.Clamp(bytes / Unit, 1, int.MaxValue));

    /// <summary>Their bytes: one array of each size is kept for the next.</summary>
    public ArrayPool<byte> Arrays { get; } = ArrayPool<byte>.Create(LargestKept, maxArraysPerBucket: 1);

    /// <summary>Where they are understood.</summary>
    public OneThread Thread { get; } = new();

    /// <summary>Waits for room, to be given back. One takes at a time, so that two never wait for each other's halves.</summary>
    public async Task<IDisposable> Take(long bytes, CancellationToken cancellation)
    {
        int wanted = (int)Math.Clamp((bytes + Unit - 1) / Unit, 1, _units), taken = 0;
        await _turn.WaitAsync(cancellation);
        try
        {
            for (; taken < wanted; taken++)
                await _free.WaitAsync(cancellation);
            return new Part(_free, wanted);
        }
        catch when (taken > 0)
        {
            _free.Release(taken);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        Thread.Dispose();
        _turn.Dispose();
        _free.Dispose();
    }

    sealed class Part(SemaphoreSlim free, int units) : IDisposable
    {
        int _units = units;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _units, 0) is > 0 and int held)
                free.Release(held);
        }
    }
}
