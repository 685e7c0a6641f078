using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// What can be known of a request's prompt without its model's tokenizer: its text, in pieces, as a chain of hashes. Router and node make
/// it of the same bytes by the same function, so that a node's words mean something to a router. Prompts that begin alike have chains that
/// begin alike, under one key and salt; of a key only a hash goes in, and nobody can make the chain of a prompt whose key he does not know.
/// </summary>
/// <param name="Hashes">Hashes of the whole pieces; empty when the prompt is shorter, or is none that can be understood here.</param>
/// <param name="Bytes">Bytes of the prompt as it was cut; 0 when there is none.</param>
/// <param name="Affinity">Requests of one conversation have the same.</param>
/// <param name="Previous">The answer that the request goes on from, as <c>/v1/responses</c> has it.</param>
sealed record PromptChain(ulong[] Hashes, long Bytes, ulong Affinity, string? Previous)
{
    const int MostDepth = 64, MostNameBytes = 200;
    const double BytesPerToken = 4; // about: only the node knows

    static readonly JsonReaderOptions s_json = new() { MaxDepth = MostDepth };

    /// <summary>Where prompts arrive.</summary>
    static readonly HashSet<string> s_paths =
        ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/kv/warm"];

    /// <summary>The fields that make a prompt, in the order in which templates write them, and those that say whose it is.</summary>
    static readonly byte[][] s_fields =
        [.. ((string[])["tools", "system", "instructions", "messages", "prompt", "input"]).Select(Encoding.UTF8.GetBytes)];

    const int Messages = 3, Prompt = 4;

    /// <summary>Of what no prompt can be made.</summary>
    public static PromptChain None { get; } = new([], 0, 0, null);

    /// <summary>Tokens of the prompt, about.</summary>
    public long Tokens => (long)Math.Ceiling(Bytes / BytesPerToken);

    /// <summary>Tokens of a piece, about.</summary>
    public static double PieceTokens => PieceHasher.PieceBytes / BytesPerToken;

    /// <summary>The key that a request shows, as nodes read it.</summary>
    public static string? KeyOf(HttpRequest request) =>
        request.Headers.Authorization is [{ } header] && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? header[7..].Trim()
            : request.Headers["X-Api-Key"];

    /// <summary>About which of a prompt's blocks holds the end of a piece.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="blocks">Blocks of the prompt; at least one.</param>
    public int BlockOf(int piece, int blocks) =>
        (int)Math.Clamp((piece + 1L) * PieceHasher.PieceBytes * blocks / Math.Max(1, Bytes), 0, blocks - 1);

    /// <summary>Makes the chain of a request.</summary>
    /// <param name="path">Where it arrived.</param>
    /// <param name="key">The API key that it shows, if it shows one.</param>
    /// <param name="session">A name of its session that a header says, if one does.</param>
    /// <param name="body">Its body, as it came. Whatever it holds, the worst that comes of it is <see cref="None"/>.</param>
    public static PromptChain Of(string path, string? key, string? session, ReadOnlySpan<byte> body)
    {
        if (!s_paths.Contains(path))
            return None with { Previous = AnswerAt(path) };
        try
        {
            return Of(path == "/v1/messages", key ?? "", session, body);
        }
        catch (JsonException)
        {
            return None; // the node says what is wrong
        }
    }

    /// <summary>The answer that a path of <c>/v1/responses</c> names: its maker has it.</summary>
    static string? AnswerAt(string path) =>
        path.StartsWith("/v1/responses/resp_", StringComparison.Ordinal) ? path.Split('/')[3] : null;

    static PromptChain Of(bool isAnthropic, string key, string? session, ReadOnlySpan<byte> body)
    {
        Span<Range> fields = stackalloc Range[s_fields.Length];
        Names names = Find(body, fields);
        ulong root = Root($"{(isAnthropic ? "messages" : FamilyOf(fields))}\n{names.Salt}\n{key}");
        PieceHasher hasher = new(root);
        ulong? first = null;
        for (int field = 0; field < fields.Length; field++)
            if (!fields[field].Equals(default))
                if (!Feed(body[fields[field]], field, ref hasher, ref first))
                    return None with { Previous = names.Previous };
        ulong[] hashes = hasher.Hashes;
        ulong affinity = (names.Session ?? session) is { } name ? Root($"session\n{name}\n{key}")
            : first ?? (hashes.Length > 0 ? hashes[0] : hasher.Now);
        return new PromptChain(hashes, hasher.Bytes, affinity, names.Previous);
    }

    static string FamilyOf(ReadOnlySpan<Range> fields) =>
        !fields[Messages].Equals(default) ? "chat" : !fields[Prompt].Equals(default) ? "text" : "responses";

    /// <summary>Where the fields of a prompt lie in a body, and what else it says; of a name that is there twice the last counts.</summary>
    static Names Find(ReadOnlySpan<byte> body, Span<Range> fields)
    {
        Utf8JsonReader reader = new(body, s_json);
        Names names = new();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return names;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int field = 0;
            while (field < s_fields.Length && !reader.ValueTextEquals(s_fields[field]))
                field++;
            if (field == s_fields.Length)
            {
                names.Take(ref reader);
                continue;
            }
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            bool isNull = reader.TokenType == JsonTokenType.Null;
            reader.Skip();
            fields[field] = isNull ? default : start..(int)reader.BytesConsumed;
        }
        while (reader.Read()) { } // what is no JSON further on is no prompt either
        return names;
    }

    /// <summary>Cuts a value: its strings, names and numbers as they are written, and no white space.</summary>
    /// <returns>False for a list of prompts.</returns>
    static bool Feed(ReadOnlySpan<byte> json, int field, ref PieceHasher hasher, ref ulong? first)
    {
        Utf8JsonReader reader = new(json, s_json);
        bool isRole = false, isUser = false;
        while (reader.Read())
        {
            if (field == Prompt && reader.CurrentDepth == 1 && reader.TokenType is JsonTokenType.String or JsonTokenType.StartArray)
                return false;
            hasher.Append((byte)reader.TokenType);
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.Number or JsonTokenType.PropertyName)
                hasher.Append(reader.ValueSpan);
            if (field < Messages)
                continue;
            isUser |= isRole && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("user"u8);
            isRole = reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 2 && reader.ValueTextEquals("role"u8);
            if (isUser && reader.TokenType == JsonTokenType.EndObject && reader.CurrentDepth == 1)
                first ??= hasher.Now; // with all before it what tells conversations apart, and the same at each turn
        }
        return true;
    }

    static ulong Root(string text) =>
        BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"kvasir route\n{text}")));

    /// <summary>What a body says of whose it is.</summary>
    ref struct Names
    {
        string? _user, _cacheKey;

        public string? Salt { get; private set; }

        public string? Previous { get; private set; }

        public readonly string? Session => _cacheKey ?? _user;

        /// <summary>Reads the member at whose name the reader is.</summary>
        public void Take(ref Utf8JsonReader reader)
        {
            int name = reader.ValueTextEquals("cache_salt"u8) ? 1 : reader.ValueTextEquals("previous_response_id"u8) ? 2
                : reader.ValueTextEquals("prompt_cache_key"u8) ? 3 : reader.ValueTextEquals("user"u8) ? 4 : 0;
            reader.Read();
            if (name > 0 && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= MostNameBytes)
            {
                string text = Encoding.UTF8.GetString(reader.ValueSpan); // as it is written: half a surrogate pair is nobody's harm here
                (Salt, Previous, _cacheKey, _user) = (name == 1 ? text : Salt, name == 2 ? text : Previous,
                    name == 3 ? text : _cacheKey, name == 4 ? text : _user);
            }
            reader.Skip();
        }
    }
}
