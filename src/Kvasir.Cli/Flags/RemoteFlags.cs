using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that say which store keys and values are shared in.</summary>
sealed class RemoteFlags
{
    readonly Setting<string?> _address = new("--kv-remote")
    {
        Description = "Store in which machines share keys and values, such as redis://HOST[:PORT][/DB][?prefix=NAME&ttl=24h], rediss://… or "
            + "s3://BUCKET[/PREFIX][?endpoint=https://HOST]",
        HelpName = "URL",
        IsSecret = true, // it may hold a password
    };
    readonly Setting<string?> _password = new("--kv-remote-password-file")
    {
        Description = "File of the store's password, with s3:// ACCESS:SECRET, for its owner only", HelpName = "FILE", IsPath = true,
    };
    readonly Setting<string?> _key = new("--kv-remote-key-file")
    {
        Description = "File of a key, 32 bytes or 64 hexadecimal digits, that hides names and values from the store's owner",
        HelpName = "FILE",
        IsPath = true,
    };

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_address, _password, _key])
            verb.Options.Add(option);
    }

    /// <summary>The store's tier behind the others, if there is one.</summary>
    public EngineOptions Apply(ParseResult parsed, EngineOptions options, string model)
    {
        if (Store(parsed) is not { } store)
            return options;
        RemoteTierOptions named = store with { ModelName = Path.GetFileName(model) };
        return options with
        {
            KvFurtherTiers = [.. options.KvFurtherTiers, (layout, fingerprint) => new RemoteTier(named, layout, fingerprint)],
        };
    }

    /// <summary>The store that has to be named, for what is only about a store.</summary>
    public RemoteTierOptions RequiredStore(ParseResult parsed, string wish) => Store(parsed)
        ?? throw new UsageException($"{wish}: there is no store; --kv-remote URL names one");

    /// <summary>The store that is named; null without one.</summary>
    public RemoteTierOptions? Store(ParseResult parsed)
    {
        if (parsed.GetValue(_address) is not { } address)
            return null;
        try
        {
            return new RemoteTierOptions
            {
                Address = RemoteAddress.Parse(address),
                Password = parsed.GetValue(_password) is { } password ? SecretFile.ReadPassword(password) : null,
                EncryptionKey = parsed.GetValue(_key) is { } key ? SecretFile.ReadKey(key) : null,
                Log = line => Terminal.Line($"shared keys and values: {Printable.Line(line, 4096)}"),
            };
        }
        catch (FormatException e)
        {
            throw new UsageException($"--kv-remote: {e.Message}");
        }
    }
}
