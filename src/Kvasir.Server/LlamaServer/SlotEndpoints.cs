using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;
using Kvasir.KvCache;
using Kvasir.KvCache.Archive;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>What a slot does.</summary>
sealed record SlotState(int Id, long IdTask, int NCtx, bool Speculative, bool IsProcessing,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] GenerationSettings? Params,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<NextToken>? NextToken);

/// <summary>What it may still write; nothing is left of an answer that is over.</summary>
sealed record NextToken(bool HasNextToken, int NRemain, int NDecoded);

/// <summary>What was saved.</summary>
sealed record SlotSaved(int IdSlot, string Filename, int NSaved, long NWritten, SaveTimings Timings);

/// <summary>How long that took.</summary>
sealed record SaveTimings(double SaveMs);

/// <summary>What was restored.</summary>
sealed record SlotRestored(int IdSlot, string Filename, int NRestored, long NRead, RestoreTimings Timings);

/// <summary>How long that took.</summary>
sealed record RestoreTimings(double RestoreMs);

/// <summary>What was erased.</summary>
sealed record SlotErased(int IdSlot, int NErased);

/// <summary>
/// <c>GET /slots</c> and <c>POST /slots/{id}?action=</c>. What llama-server saves by hand persists here anyway; saving writes an archive,
/// as <c>/v1/kv/export</c> does, to be restored on any machine that serves the model.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="isShown">Whether slots are told.</param>
/// <param name="folder">Where archives are; null for nowhere.</param>
sealed class SlotEndpoints(ServedModel model, bool isShown, string? folder)
{
    const int MostNameCharacters = 100;

    TieredKvCache Cache => model.Engine.Cache;

    public Task List(HttpContext context)
    {
        if (!isShown)
            throw new RequestException(501, "this server does not tell of its slots (--no-slots)", code: "not_supported");
        IReadOnlyList<Slot> slots = model.Slots.All;
        if (context.Request.Query["fail_on_no_slot"] == "1" && slots.All(slot => slot.Running > 0))
            throw new RequestException(503, "no slot available", code: "no_slot");
        SlotState[] states = [.. slots.Select(slot => State(slot, Gate.PrincipalOf(context)))];
        return context.Response.WriteAsJsonAsync(states, LlamaServerJson.Wire.SlotStateArray);
    }

    /// <summary>What a request asks for is told to its own key only: its texts that end answers are part of it.</summary>
    SlotState State(Slot slot, Principal principal)
    {
        CompletionRequest? last = slot.Last is { } any && any.Principal.Name == principal.Name ? any : null;
        return new(slot.Number, slot.Task, model.Engine.Context, false, slot.Running > 0,
            last is null ? null : GenerationSettings.Of(last.Options, model.Engine.Model.Tokenizer.Ends, last.TellsTimings),
            last is null ? null : [new NextToken(slot.Running > 0, slot.Running > 0 ? last.Options.MaxTokens ?? -1 : -1, 0)]);
    }

    public Task Act(HttpContext context)
    {
        if ((Gate.PrincipalOf(context).Scopes & Scopes.KvAdmin) == Scopes.None)
            throw new RequestException(403, "this key has no scope kv-admin", code: "missing_scope");
        string text = (string?)context.Request.RouteValues["id"] ?? "";
        int id = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < model.Slots.Count
            ? number
            : throw new RequestException(400, $"slot {Formats.Printable.Quote(text)}: expected 0 to {model.Slots.Count - 1}", code: "invalid_slot");
        return (string?)context.Request.Query["action"] switch
        {
            "save" => WithFile(context, path => Save(context, id, path)),
            "restore" => WithFile(context, path => Restore(context, id, path)),
            "erase" => Erase(context, id),
            _ => throw new RequestException(400, "action: expected save, restore or erase", "action"),
        };
    }

    Task WithFile(HttpContext context, Func<string, Task> act) => folder is null
        ? throw new RequestException(501, "slots are saved nowhere: --slot-save-path names a directory. Keys and values of all prompts persist "
            + "without it, where a disk tier is", code: "not_supported")
        : RequestFields.Read(context, Endpoints.Slots, body => act(Path.Combine(folder, FileName(body["filename"]))));

    /// <summary>A client's name is a name in the directory, and nothing else.</summary>
    static string FileName(Field field) => field.Text(MostNameCharacters) is { Length: > 0 } name && name[0] != '.' && name[^1] != '.'
        && name.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.')
            ? name
            : throw (field.IsAbsent ? field.Missing("the name of a file")
                : field.Wrong("a name of letters, digits, '_', '-' and '.', with none of the last at its ends"));

    async Task Save(HttpContext context, int id, string path)
    {
        long start = Stopwatch.GetTimestamp();
        Slot slot = model.Slots.All[id];
        if (slot.Tokens.Length == 0)
            throw new RequestException(400, $"slot {id}: nothing has run in it that could be saved", code: "empty_slot");
        IReadOnlyList<BlockKey> keys = Keys(slot);
        string draft = $"{path}.{Guid.NewGuid():N}.part";
        int blocks;
        long bytes;
        try
        {
            FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            await using (FileStream file = new(draft, options))
            {
                blocks = await KvArchive.Write(Cache, keys, file, context.RequestAborted);
                bytes = file.Length;
            }
            File.Move(draft, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException(409, e.Message, "filename", "slot_file");
        }
        finally
        {
            File.Delete(draft);
        }
        await context.Response.WriteAsJsonAsync(new SlotSaved(id, Path.GetFileName(path), blocks * Cache.Layout.BlockTokens, bytes,
            new SaveTimings(Stopwatch.GetElapsedTime(start).TotalMilliseconds)), LlamaServerJson.Wire.SlotSaved);
    }

    /// <summary>Those of whole blocks: the tail of a sequence is found as the beginning of a longer one, or computed.</summary>
    IReadOnlyList<BlockKey> Keys(Slot slot) =>
        Cache.Keys(slot.Tokens.AsSpan(0, slot.Tokens.Length / Cache.Layout.BlockTokens * Cache.Layout.BlockTokens), slot.Salt);

    async Task Restore(HttpContext context, int id, string path)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            await using FileStream file = File.OpenRead(path);
            KvArchiveCounts counts = await KvArchive.Read(Cache, file, context.RequestAborted);
            await context.Response.WriteAsJsonAsync(new SlotRestored(id, Path.GetFileName(path),
                (counts.Imported + counts.Known) * Cache.Layout.BlockTokens, file.Length,
                new RestoreTimings(Stopwatch.GetElapsedTime(start).TotalMilliseconds)), LlamaServerJson.Wire.SlotRestored);
        }
        catch (FileNotFoundException)
        {
            throw new RequestException(400, $"filename: {Formats.Printable.Quote(Path.GetFileName(path))} was not saved here", "filename", "slot_file");
        }
        catch (InvalidDataException e)
        {
            throw new RequestException(400, $"filename: {e.Message}", "filename", "invalid_archive");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException(409, e.Message, "filename", "slot_file");
        }
    }

    /// <summary>Evicts what only this slot's conversation has: from its end up to where others go on differently.</summary>
    async Task Erase(HttpContext context, int id)
    {
        Slot slot = model.Slots.All[id];
        int erased = 0;
        if (slot.Tokens.Length > 0)
        {
            (List<BlockKey> own, int kept) = Own(slot);
            await Task.Run(() => Cache.Evict(own));
            erased = slot.Tokens.Length - kept;
            model.Slots.Clear(id);
        }
        await context.Response.WriteAsJsonAsync(new SlotErased(id, erased), LlamaServerJson.Wire.SlotErased);
    }

    /// <summary>The blocks that only a slot's conversation has, the last first, and how many tokens come before them.</summary>
    (List<BlockKey> Own, int Kept) Own(Slot slot)
    {
        ILookup<BlockKey, CachedBlock> children = Cache.Blocks(KvArchive.MostBlocks).ToLookup(block => block.Parent);
        int size = Cache.Layout.BlockTokens;
        IReadOnlyList<BlockKey> keys = Keys(slot);
        List<BlockKey> own = [];
        for (int i = keys.Count - 1; i >= 0; i--)
        {
            CachedBlock[] behind = [.. children[keys[i]].Where(child => i + 1 == keys.Count || child.Key != keys[i + 1])];
            if (behind.Any(child => child.Tokens.Length >= size || !child.Tokens.SequenceEqual(
                slot.Tokens.Skip((i + 1) * size).Take(child.Tokens.Length))))
                return (own, (i + 1) * size);
            own.AddRange(behind.Select(child => child.Key)); // its tail, as far as it was computed
            own.Add(keys[i]);
        }
        return (own, 0);
    }
}
