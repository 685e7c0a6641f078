using System.Buffers;
using System.Net;
using System.Runtime.InteropServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;

namespace Kvasir.RemoteTiers.S3;

/// <summary>
/// A bucket of a store that speaks S3's protocol. Objects have no time to live: they are as old as they say, what is used is copied onto
/// itself and young again, and a rule of the bucket removes the others. Nothing depends on conditional writes, and no lookup on lists.
/// </summary>
sealed class S3Store : IBlockStore
{
    const int MostQuestions = 48, MostChanges = 16; // more at once take no less time in all, and lookups wait for no changes
    const int MostSmallBytes = 1 << 20;
    static readonly TimeSpan s_patienceForSmall = TimeSpan.FromMilliseconds(1500), s_patience = TimeSpan.FromSeconds(5),
        s_patienceForWrite = TimeSpan.FromSeconds(30);

    readonly RemoteTierOptions _options;
    readonly ServerCertificate _certificate;
    readonly SemaphoreSlim _questions = new(MostQuestions), _changes = new(MostChanges);
    readonly Lock _gate = new();
    AmazonS3Client? _client;
    bool _disposed;

    public S3Store(RemoteTierOptions options) =>
        (_options, _certificate) = (options, new ServerCertificate(options.Address, options.Time));

    string Bucket => _options.Address.Bucket!;

    /// <remarks>An object that is not there is as good a sign as any; a bucket that is not there, or may not be read, says so.</remarks>
    public Task Probe() => Ask(s_patience, (client, over) =>
        Read(client, new GetObjectRequest { BucketName = Bucket, Key = $"{_options.Address.Prefix}/1" }, MostSmallBytes, over));

    public Task<StoreSize> Size() => Task.FromResult(default(StoreSize)); // nothing but a list of all objects would say

    public Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes) => Ask(s_patience, (client, over) =>
        Read(client, new GetObjectRequest { BucketName = Bucket, Key = name, ByteRange = new ByteRange(offset, offset + bytes - 1) },
            bytes, over));

    public Task<byte[]?[]> GetSmall(IReadOnlyList<string> names) => Together(_questions, names, GetSmall);

    Task<byte[]?> GetSmall(string name) => Ask(s_patienceForSmall, async (client, over) =>
    {
        using IMemoryOwner<byte>? value =
            await Read(client, new GetObjectRequest { BucketName = Bucket, Key = name }, MostSmallBytes, over).ConfigureAwait(false);
        return value?.Memory.ToArray();
    });

    public Task Put(string name, ReadOnlyMemory<byte> value, TimeSpan life) => Put(name, value);

    Task<PutObjectResponse> Put(string name, ReadOnlyMemory<byte> value) => Change(s_patienceForWrite, (client, over) =>
    {
        MemoryMarshal.TryGetArray(value, out ArraySegment<byte> bytes);
        return client.PutObjectAsync(new PutObjectRequest
        {
            BucketName = Bucket, Key = name, InputStream = new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false),
            UseChunkEncoding = false, // there are stores that keep the chunks' frames as if they were content
        }, over.Token);
    });

    public Task PutSmall(IReadOnlyList<(string Name, byte[] Value)> values, TimeSpan life) =>
        Together(_changes, values, value => Put(value.Name, value.Value));

    public Task Expire(IReadOnlyList<string> names, TimeSpan life, bool onlyLonger) => Together(_changes, names, Renew);

    Task<CopyObjectResponse?> Renew(string name) => Change(s_patienceForWrite, async (client, over) =>
    {
        try
        {
            return await client.CopyObjectAsync(new CopyObjectRequest
            {
                SourceBucket = Bucket, SourceKey = name, DestinationBucket = Bucket, DestinationKey = name,
                MetadataDirective = S3MetadataDirective.REPLACE, // onto itself is refused else
            }, over.Token).ConfigureAwait(false);
        }
        catch (AmazonS3Exception e) when (IsMissing(e))
        {
            return null;
        }
    });

    /// <remarks>One by one: not all stores take lists of names in the form that the library sends.</remarks>
    public Task Delete(IReadOnlyList<string> names) => Together(_changes, names, name => Change(s_patience, (client, over) =>
        client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = Bucket, Key = name }, over.Token)));

    public async IAsyncEnumerable<StoredName> Scan(string prefix)
    {
        ListObjectsV2Request request = new() { BucketName = Bucket, Prefix = prefix };
        ListObjectsV2Response page;
        do
        {
            page = await Ask(s_patience, (client, over) => client.ListObjectsV2Async(request, over.Token)).ConfigureAwait(false);
            foreach (S3Object found in page.S3Objects ?? [])
                yield return new StoredName(found.Key, found.LastModified?.ToUniversalTime());
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _client?.Dispose();
        }
    }

    AmazonS3Client Client()
    {
        lock (_gate)
            return _disposed ? throw new IOException("closed") : _client ??= new S3Connection(_certificate).Open(_options);
    }

    /// <summary>What an object holds, or one byte more than it may; null when there is none. Who sends nothing for long is given up.
    /// </summary>
    static async Task<IMemoryOwner<byte>?> Read(AmazonS3Client client, GetObjectRequest request, int most, CancellationTokenSource over)
    {
        try
        {
            using GetObjectResponse response = await client.GetObjectAsync(request, over.Token).ConfigureAwait(false);
            PooledBytes bytes = new(most + 1);
            int length = 0;
            for (int read = 1; read > 0 && length <= most; length += read)
            {
                over.CancelAfter(s_patience);
                read = await response.ResponseStream.ReadAsync(bytes.Memory[length..], over.Token).ConfigureAwait(false);
            }
            bytes.Length = length;
            return bytes;
        }
        catch (AmazonS3Exception e) when (IsMissing(e))
        {
            return null;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            return new PooledBytes(0); // it is there, and ends before
        }
    }

    static bool IsMissing(AmazonS3Exception e) => e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode != "NoSuchBucket";

    static async Task<TResult[]> Together<T, TResult>(SemaphoreSlim room, IEnumerable<T> items, Func<T, Task<TResult>> ask)
    {
        return await Task.WhenAll(items.Select(Ask)).ConfigureAwait(false);

        async Task<TResult> Ask(T item)
        {
            await room.WaitAsync().ConfigureAwait(false);
            try
            {
                return await ask(item).ConfigureAwait(false);
            }
            finally
            {
                room.Release();
            }
        }
    }

    async Task<T> Ask<T>(TimeSpan patience, Func<AmazonS3Client, CancellationTokenSource, Task<T>> question)
    {
        using CancellationTokenSource over = new(patience);
        try
        {
            return await question(Client(), over).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not IOException or HttpIOException)
        {
            throw new IOException(Spoken(e, over), e);
        }
    }

    async Task<T> Change<T>(TimeSpan patience, Func<AmazonS3Client, CancellationTokenSource, Task<T>> question)
    {
        try
        {
            return await Ask(patience, question).ConfigureAwait(false);
        }
        catch (IOException e) when (e.InnerException is AmazonS3Exception refusal && IsRefusal(refusal))
        {
            throw new StoreRefusedException(Code(refusal), refusal); // what else it says may differ each time
        }
    }

    /// <summary>It is full or may not be written; what may be over in a moment is none.</summary>
    static bool IsRefusal(AmazonS3Exception e) =>
        e.ErrorCode != "NoSuchBucket" && e.StatusCode is HttpStatusCode.InsufficientStorage or >= (HttpStatusCode)400 and < (HttpStatusCode)500;

    string Spoken(Exception e, CancellationTokenSource over)
    {
        if (_certificate.Refused is { } refused)
            return refused;
        if (over.IsCancellationRequested)
            return "no answer in time";
        if (e is AmazonS3Exception answer)
            return answer.Message.Length == 0 ? Code(answer) : $"{Code(answer)}: {Line(answer.Message)}"; // Ceph says no more
        return Line((e is AmazonServiceException or AmazonClientException ? e.InnerException ?? e : e).Message);

        static string Line(string text) => text.Split('\n')[0].TrimEnd();
    }

    static string Code(AmazonS3Exception e) => $"answered {(int)e.StatusCode} {e.ErrorCode}";

    /// <summary>Bytes of the pool's.</summary>
    sealed class PooledBytes(int room) : IMemoryOwner<byte>
    {
        byte[]? _bytes = ArrayPool<byte>.Shared.Rent(room);

        public int Length { private get; set; } = room;

        public Memory<byte> Memory => _bytes.AsMemory(0, Length);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _bytes, null) is { } bytes)
                ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
