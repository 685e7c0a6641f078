namespace Kvasir.RemoteTiers.Settings;

/// <summary>Which store, and with which secrets.</summary>
public sealed record RemoteTierOptions
{
    /// <summary>Where it is.</summary>
    public required RemoteAddress Address { get; init; }

    /// <summary>
    /// The password, before one in the address, with S3 <c>ACCESS:SECRET</c>; see <see cref="SecretFile.ReadPassword"/>.
    /// </summary>
    public string? Password { internal get; init; }

    /// <summary>
    /// 32 bytes from which keys are derived that keep names and values from the store's owner, see <see cref="SecretFile.ReadKey"/>; null
    /// stores them in the clear. Only who has the same key finds them.
    /// </summary>
    public byte[]? EncryptionKey { internal get; init; }

    /// <summary>What the model is called for whoever looks into the store.</summary>
    public string ModelName { get; init; } = "";

    /// <summary>Hears when the store cannot be used, and when it can again, a line each time: never a secret.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal string? PasswordInUse => Password ?? Address.Password;

    /// <summary>The address: secrets are nobody's business.</summary>
    public override string ToString() => $"{Address}";
}
