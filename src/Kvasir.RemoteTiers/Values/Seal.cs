using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Kvasir.KvCache.Blocks;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// Values that their store's owner can neither read, change nor exchange: AES-256-GCM, each with a nonce of its own, bound to the value's
/// name. Before what is sealed stand, little-endian:
/// <code>
///   0  magic "KVASIRSV"    12  nonce (96 bits)
///   8  version (32 bits)   24  tag (128 bits)
/// </code>
/// </summary>
sealed class Seal : IDisposable
{
    /// <summary>Bytes before what is sealed.</summary>
    public const int Overhead = 40;

    const ulong Magic = 0x5653_5249_5341_564B; // "KVASIRSV"
    const uint Version = 1;
    const int NonceAt = 12, TagAt = 24;

    readonly byte[] _key;
    readonly ConcurrentBag<AesGcm> _idle = []; // none serves two threads at once

    /// <param name="key">What names and values are protected with; other keys are derived from it.</param>
    public Seal(byte[] key)
    {
        _key = Derive(key, "kvasir-remote-values-1");
        NameKey = Derive(key, "kvasir-remote-names-1");
    }

    /// <summary>The key for names.</summary>
    public byte[] NameKey { get; }

    /// <summary>Seals what stands behind the first <see cref="Overhead"/> bytes, in place.</summary>
    public void Close(string name, Span<byte> value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(value, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(value[8..], Version);
        RandomNumberGenerator.Fill(value[NonceAt..TagAt]);
        AesGcm cipher = Take();
        cipher.Encrypt(value[NonceAt..TagAt], value[Overhead..], value[Overhead..], value[TagAt..Overhead], Bound(name));
        _idle.Add(cipher);
    }

    /// <summary>Opens what was sealed under a name, in place: it stands behind the first <see cref="Overhead"/> bytes then.</summary>
    public ReadOutcome Open(string name, Span<byte> value)
    {
        if (value.Length < Overhead || BinaryPrimitives.ReadUInt64LittleEndian(value) != Magic)
            return ReadOutcome.WrongMagic;
        if (BinaryPrimitives.ReadUInt32LittleEndian(value[8..]) != Version)
            return ReadOutcome.WrongVersion;
        AesGcm cipher = Take();
        try
        {
            cipher.Decrypt(value[NonceAt..TagAt], value[Overhead..], value[TagAt..Overhead], value[Overhead..], Bound(name));
            return ReadOutcome.Ok;
        }
        catch (AuthenticationTagMismatchException)
        {
            return ReadOutcome.WrongPayloadChecksum;
        }
        finally
        {
            _idle.Add(cipher);
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out AesGcm? cipher))
            cipher.Dispose();
    }

    AesGcm Take() => _idle.TryTake(out AesGcm? cipher) ? cipher : new AesGcm(_key, Overhead - TagAt);

    /// <summary>The name holds kind, key and group; a value of another version is not mistaken for one of this.</summary>
    static byte[] Bound(string name) => Encoding.UTF8.GetBytes($"{name} {Version}");

    static byte[] Derive(byte[] key, string use) => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, 32, info: Encoding.UTF8.GetBytes(use));
}
