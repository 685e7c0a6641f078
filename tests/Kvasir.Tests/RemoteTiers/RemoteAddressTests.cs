using Kvasir.RemoteTiers.Settings;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Addresses of stores: what is wrong in one is a line that says what would be right, and never a password.</summary>
public sealed class RemoteAddressTests
{
    [Theory]
    [InlineData("redis://cache", "redis://cache:6379")]
    [InlineData("redis://cache:7000/3?prefix=team", "redis://cache:7000/3?prefix=team")]
    [InlineData("rediss://user:pass%40word@a:1,b:2,[::1]:3", "rediss://a:1,b:2,[::1]:3")]
    [InlineData("s3://bucket", "s3://bucket")]
    [InlineData("s3://bucket/kvasir/?region=eu-central-1", "s3://bucket")]
    [InlineData("s3://me:secret@bucket/team/a?endpoint=https://minio:9000/&ttl=7d", "s3://bucket/team/a?endpoint=https://minio:9000")]
    [InlineData("redis://:p@ss:w@rd@127.0.0.1", "redis://127.0.0.1:6379")]
    public void What_is_shown_has_no_secret(string text, string shown) => Assert.Equal(shown, $"{RemoteAddress.Parse(text)}");

    [Fact]
    public void All_parts_are_read()
    {
        RemoteAddress address = RemoteAddress.Parse("rediss://me:se%63ret@a:1,b/2?prefix=x&ttl=90s&ca=/etc/ca.pem");
        Assert.Equal([("a", 1), ("b", 6379)], address.Hosts);
        Assert.Equal(("me", "secret", 2, "x", TimeSpan.FromSeconds(90), "/etc/ca.pem", true),
            (address.User, address.Password, address.Database, address.Prefix, address.Life, address.AuthorityFile, address.UsesTls));
        string pin = string.Join(':', Enumerable.Repeat("ab", 32));
        Assert.Equal(string.Concat(Enumerable.Repeat("AB", 32)), RemoteAddress.Parse($"rediss://a?pin=sha256:{pin}").PinnedCertificate);
        Assert.Equal((TimeSpan.FromHours(24), "default", 0), (RemoteAddress.DefaultLife, RemoteAddress.Parse("redis://a").Prefix, 0));
    }

    [Fact]
    public void Parts_of_a_bucket_are_read()
    {
        RemoteAddress address = RemoteAddress.Parse("s3://me:se%63ret@bucket/a/b?ca=/etc/ca.pem&endpoint=https://[::1]:9000&region=x&ttl=7d");
        Assert.Equal((StoreProtocol.S3, "bucket", "a/b", "https://[::1]:9000/", "x", TimeSpan.FromDays(7), "/etc/ca.pem"),
            (address.Protocol, address.Bucket, address.Prefix, $"{address.Endpoint}", address.Region, address.Life, address.AuthorityFile));
        Assert.Equal(("me", "secret"), (address.User, address.Password));
        Assert.True(RemoteAddress.Parse("s3://bucket").UsesTls);
        Assert.False(RemoteAddress.Parse("s3://bucket?endpoint=http://minio").UsesTls);
    }

    [Theory]
    [InlineData("s3://", "bucket ''")]
    [InlineData("s3://Bucket", "bucket 'Bucket', expected 3 to 63")]
    [InlineData("s3://bucket//x", "prefix '/x'")]
    [InlineData("s3://bucket/a b", "prefix 'a b'")]
    [InlineData("s3://bucket?endpoint=minio:9000", "endpoint='minio:9000', expected http://host[:port]")]
    [InlineData("s3://bucket?endpoint=http://minio/path", "endpoint='http://minio/path'")]
    [InlineData("s3://bucket?endpoint=ftp://minio", "endpoint='ftp://minio'")]
    [InlineData("s3://bucket?region=a*b", "region 'a*b'")]
    [InlineData("s3://bucket?prefix=x", "setting 'prefix', expected endpoint, region, ttl, ca or pin")]
    [InlineData("s3://bucket?ca=/x&endpoint=http://minio", "ca='/x'")]
    [InlineData("redis://a?endpoint=http://x", "setting 'endpoint', expected prefix, ttl, ca or pin")]
    [InlineData("redis://a?region=x", "setting 'region'")]
    [InlineData("", "no scheme")]
    [InlineData("cache:6379", "no scheme")]
    [InlineData("http://cache", "'http', expected redis://, rediss:// or s3://")]
    [InlineData("redis://", "server ''")]
    [InlineData("redis://a,,b", "server ''")]
    [InlineData("redis://a b", "server 'a b'")]
    [InlineData("redis://a:99999", "port '99999', expected a number up to 65535")]
    [InlineData("redis://a/x", "database 'x'")]
    [InlineData("redis://a?color=red", "setting 'color', expected prefix, ttl, ca or pin")]
    [InlineData("redis://a?prefix=a*b", "prefix 'a*b'")]
    [InlineData("redis://a?ttl=0s", "ttl='0s'")]
    [InlineData("redis://a?ttl=soon", "ttl='soon'")]
    [InlineData("redis://a?ca=/x", "for rediss:// and s3://")]
    [InlineData("redis://a?pin=sha256:00", "for rediss:// and s3://")]
    [InlineData("rediss://a?pin=sha256:00", "64 hexadecimal digits")]
    public void What_is_wrong_is_said(string text, string expected)
    {
        string message = Assert.Throws<FormatException>(() => RemoteAddress.Parse(text)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("redis://:secret@/0")]
    [InlineData("redis://:secret/7@a:secret")]
    [InlineData("redis://:secret@a b secret")]
    [InlineData("redis://u:x?secret@a")]
    [InlineData("redis://u:secret@a/secret")]
    [InlineData("s3://u:secret@Bad")]
    [InlineData("s3://bucket?endpoint=http://u:secret@minio")]
    public void No_error_shows_a_password(string text) =>
        Assert.DoesNotContain("secret", Assert.Throws<FormatException>(() => RemoteAddress.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Options_show_no_secrets()
    {
        RemoteTierOptions options = new()
        {
            Address = RemoteAddress.Parse("redis://u:secret1@a"), Password = "secret2", EncryptionKey = new byte[32],
        };
        Assert.Equal("redis://a:6379", $"{options}");
    }

    [Fact]
    public void Secrets_are_read_from_files_of_their_owner()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "files have no modes there");
        using TemporaryFolder folder = new();
        string Secret(string text, UnixFileMode mode = UnixFileMode.UserRead)
        {
            string path = folder.Write($"{Guid.NewGuid():n}", RawGguf.Bytes(text));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, mode);
            return path;
        }
        Assert.Equal("pass word", SecretFile.ReadPassword(Secret("pass word\r\n")));
        Assert.Equal(32, SecretFile.ReadKey(Secret(new string('x', 32))).Length);
        Assert.Equal(Enumerable.Repeat((byte)0xab, 32), SecretFile.ReadKey(Secret(string.Concat(Enumerable.Repeat("aB", 32)) + "\n")));
        foreach ((Action read, string expected) in new (Action, string)[]
        {
            (() => SecretFile.ReadKey(Secret("short")), "saw 5 bytes, expected a key"),
            (() => SecretFile.ReadPassword(Secret("\n")), "expected one with a password"),
            (() => SecretFile.ReadPassword(Secret("two\nlines")), "saw 2 lines"),
            (() => SecretFile.ReadPassword(Secret("x", UnixFileMode.UserRead | UnixFileMode.GroupRead)), "others may use it"),
            (() => SecretFile.ReadKey(Secret("x", UnixFileMode.UserRead | UnixFileMode.OtherRead)), "chmod 600"),
            (() => SecretFile.ReadKey(folder["nothing"]), "nothing"),
        })
            Assert.Contains(expected, Assert.ThrowsAny<IOException>(read).Message, StringComparison.Ordinal);
    }
}
