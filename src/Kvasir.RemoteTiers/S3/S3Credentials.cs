using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.RemoteTiers.S3;

/// <summary>
/// Who asks: the one in the password's file or the address, else as AWS's own tools find him, in the environment, in a profile, or from the
/// container's host. A machine's metadata service is never asked, since that hangs where there is none.
/// </summary>
static class S3Credentials
{
    const string Expected = "expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or --kv-remote-password-file with "
        + "ACCESS:SECRET";

    /// <exception cref="IOException">There are none.</exception>
    public static AWSCredentials Find(RemoteTierOptions options)
    {
        if (options.Password is { } file)
            return Split(file);
        if (options.Address is { User: { } access, Password: { } secret })
            return new BasicAWSCredentials(access, secret);
        if (Has("AWS_ACCESS_KEY_ID") && Has("AWS_SECRET_ACCESS_KEY"))
            return new EnvironmentVariablesAWSCredentials();
        if (new CredentialProfileStoreChain().TryGetAWSCredentials(Environment.GetEnvironmentVariable("AWS_PROFILE") ?? "default",
            out AWSCredentials profile))
            return profile;
        if (Has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || Has("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
            return new GenericContainerCredentials();
        throw new IOException($"no credentials, {Expected}");
    }

    static BasicAWSCredentials Split(string password) => password.Split(':', 2) is [{ Length: > 0 } access, { Length: > 0 } secret]
        ? new BasicAWSCredentials(access, secret)
        : throw new IOException("saw no ACCESS:SECRET in the password's file");

    static bool Has(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}
