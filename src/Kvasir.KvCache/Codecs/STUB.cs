#pragma warning disable
namespace Kvasir.KvCache.Codecs;
public static unsafe class BlockTranscoder { public static void Transcode(KvLayout f, byte* s, KvLayout t, byte* d) => throw new NotSupportedException(); }
