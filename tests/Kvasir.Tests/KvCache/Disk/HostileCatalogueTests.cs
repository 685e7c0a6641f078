using System.Globalization;
using Kvasir.Cli;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Microsoft.Data.Sqlite;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>
/// A catalogue may say anything: the directory is used, or set aside, or left alone with a word, and no block comes with wrong bytes. With
/// KVASIR_TEST_CASES=N the generator makes N cases.
/// </summary>
public sealed class HostileCatalogueTests : IDisposable
{
    static readonly string[] s_values =
    [
        "NULL", "0", "-1", "1", "7", "1048576", "2147483647", "2147483648", "9007199254740992", "9007199254740993", "9223372036854775807",
        "-9223372036854775808", "1e308", "-1e308", "9e999", "0.5", "''", "'text'", "x''", "x'00'", "CAST(x'ff00fe' AS TEXT)", "zeroblob(32)",
        "zeroblob(65536)", "zeroblob(2000000)", "zeroblob(40000000)", "randomblob(32)", "randomblob(64)", "printf('%.*c', 100000, 'x')",
        "x'00000000000000000000000000000000000000000000000000000000000000ff'",
    ];

    static readonly Dictionary<string, string[]> s_columns = new()
    {
        ["models"] = ["fingerprint", "name", "block_tokens", "block_bytes", "id"],
        ["roots"] = ["root", "model", "at"],
        ["segments"] = ["id", "slot_bytes", "slots"],
        ["blocks"] = ["place", "key", "parent", "model", "tokens", "used", "at", "change"],
        ["evicted"] = ["change", "place", "key", "at"],
        ["pins"] = ["owner", "key", "until"],
        ["counters"] = ["name", "value"],
    };

    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void Whatever_a_catalogue_says_nothing_ends_the_process_and_no_byte_is_wrong() =>
        OwnProcess.RunToTheEnd(typeof(HostileCatalogueTests), nameof(Random_values_in_every_column), "1");

    [Fact]
    public void Random_values_in_every_column()
    {
        int first = int.Parse(OwnProcess.Argument(nameof(Random_values_in_every_column)), CultureInfo.InvariantCulture);
        Fill();
        string template = _disk.Folder["template"];
        CopyTo(template);
        int answered = 0, cases = OwnProcess.Cases(6);
        for (int seed = first; seed < first + cases; seed++)
        {
            Directory.Delete(_disk.Path, recursive: true);
            Directory.CreateDirectory(_disk.Path);
            foreach (string file in Directory.GetFiles(template))
                File.Copy(file, Path.Combine(_disk.Path, Path.GetFileName(file)));
            string sql = Mutate(new Random(seed));
            try
            {
                answered += Use(seed);
            }
            catch (Exception e)
            {
                Assert.Fail($"case {seed}: {sql}: {e}");
            }
        }
        Assert.InRange(answered, 1, int.MaxValue); // the cases do not all end in an empty cache
    }

    /// <summary>Everything that asks a catalogue; returns how many blocks came back.</summary>
    int Use(int seed)
    {
        int good = 0;
        if (seed % 3 == 0) // as it is, and as opening it has left it
            Verbs();
        using (TieredKvCache cache = new(Small, DiskFixture.Model, new KvCacheOptions { DeviceBlocks = 8, Disk = _disk.Options() }))
        {
            int[] prompt = [.. Tokens(0), .. Tokens(1), .. Tokens(2), 5];
            PrefixLookup lookup = cache.Lookup(prompt).GetAwaiter().GetResult();
            _ = lookup.Misses.Count + cache.Blocks(100).Count;
            _ = cache.Costs.ComputeTime(1 << 24);
            foreach (DiskTier tier in cache.Tiers.OfType<DiskTier>())
            {
                good += Enumerable.Range(0, 6).Count(block => Read(tier, Small, block) == ReadOutcome.Ok);
                tier.Touch(Key(3));
                tier.AddRoot(Key(70));
                tier.Count(CounterName.Written, 1);
                _ = Write(tier, Small, 10 + seed % 5, 20) + tier.Content().Blocks;
                _ = tier.List(100).Count + tier.FindEvictions([Key(4), Key(5)]).Count;
                _ = (tier.Elsewhere(Root, Tokens(0)), tier.Describe(Key(1)));
                _ = Pins(tier);
                good += Enumerable.Range(0, 6).Count(block => Read(tier, Small, block) == ReadOutcome.Ok);
            }
        }
        Verbs();
        return good;
    }

    static int Pins(DiskTier tier)
    {
        try
        {
            return tier.CanWrite ? tier.Pin([Key(0)], "me", DateTimeOffset.UtcNow.AddHours(1)) + tier.Evict([Key(1)]).Evicted : 0;
        }
        catch (IOException)
        {
            return 0; // which is how it is told
        }
    }

    void Verbs()
    {
        foreach (string verb in (string[])["stat", "ls", "ls --blocks --json", "tree", "verify", "unpin --owner me", "gc", "gc --kv-disk 1MiB"])
            Run(verb.Split(' '));
        Run("clear", "--all", "--json");
    }

    void Run(params string[] verb)
    {
        string[] args = ["kv", .. verb, "--kv-dir", _disk.Path];
        Assert.InRange(CommandLineRunner.Run(RootVerb.Create(args), args), 0, 1); // anything but an expected failure is thrown
    }

    void Fill()
    {
        using DiskTier tier = _disk.Open(_disk.Options(8 * SlotBytes(Small)));
        Assert.Equal(6, Write(tier, Small, 0, 1, 2, 3, 4, 5));
        tier.AddRoot(Root);
        tier.Count(CounterName.PrefillTime(DiskFixture.Model), 1000);
        tier.Count(CounterName.PrefillTokens(DiskFixture.Model), 1000);
        tier.Count(CounterName.LargeLoadedTime(Tier.Disk), 1000);
        tier.Count(CounterName.LargeLoadedBytes(Tier.Disk), 10 << 20);
        Write(tier, Small, 6, 7, 8, 9); // some give way
        tier.Pin([Key(9)], "somebody", DateTimeOffset.UtcNow.AddDays(1));
    }

    void CopyTo(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(_disk.Path))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
    }

    string Mutate(Random random)
    {
        List<string> statements = [];
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            (string table, string[] columns) = s_columns.ElementAt(random.Next(s_columns.Count));
            string column = columns[random.Next(columns.Length)], value = s_values[random.Next(s_values.Length)];
            string some = random.Next(2) == 0 ? "" : " WHERE random() % 2 = 0";
            statements.Add(table == "counters" && random.Next(2) == 0
                ? $"UPDATE OR IGNORE counters SET value = {value} WHERE name = (SELECT name FROM counters ORDER BY random() LIMIT 1)"
                : $"UPDATE OR IGNORE {table} SET {column} = {value}{some}");
            if (random.Next(4) == 0)
                statements.Add($"INSERT OR IGNORE INTO {table} SELECT {string.Join(", ", columns.Select(_ => s_values[random.Next(s_values.Length)]))}");
        }
        Relax("NOT NULL", "");
        Execute(statements);
        Relax("", "NOT NULL");
        return string.Join("; ", statements);
    }

    /// <summary>Takes the columns' constraints away while hostile values are written, and puts them back as they were.</summary>
    void Relax(string from, string to)
    {
        const string mark = "/**/";
        string pattern = from.Length > 0 ? from : mark, other = to.Length > 0 ? to : mark;
        Execute(["PRAGMA writable_schema = ON", $"UPDATE sqlite_schema SET sql = replace(sql, '{pattern}', '{other}')"]);
    }

    void Execute(IEnumerable<string> statements)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_disk.Path, "catalogue.db")};Pooling=False");
        connection.Open();
        foreach (string sql in statements)
        {
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = sql;
            try
            {
                command.ExecuteNonQuery();
            }
            catch (SqliteException e) when (e.SqliteErrorCode is 20 or 19 or 1)
            {
                // a value that not even this table takes
            }
        }
    }

    [Theory]
    [InlineData("UPDATE counters SET value = 9223372036854775807")]
    [InlineData("UPDATE counters SET value = -9223372036854775808")]
    [InlineData("UPDATE counters SET value = 'much'")]
    [InlineData("UPDATE counters SET value = 1e300")]
    public void Counters_at_their_limits_are_no_reason_to_stop(string sql)
    {
        Fill();
        Execute([sql]);
        using (TieredKvCache cache = new(Small, DiskFixture.Model, new KvCacheOptions { DeviceBlocks = 8, Disk = _disk.Options() }))
        {
            Assert.Contains("set aside", cache.Problem, StringComparison.Ordinal);
            Assert.Equal(1, Write(Assert.IsType<DiskTier>(Assert.Single(cache.Tiers)), Small, 1));
        }
        using DiskTier again = _disk.Open();
        Assert.Null(again.Problem);
        Assert.Equal(ReadOutcome.Ok, Read(again, Small, 1));
    }

    [Theory]
    [InlineData("9223372036854775807")]
    [InlineData("-1")]
    [InlineData("'long'")]
    [InlineData("9007199254740992")]
    public void Counters_that_nothing_hangs_on_begin_anew(string value)
    {
        Fill();
        Execute([$"UPDATE counters SET value = {value} WHERE name NOT IN ('change', 'clock', 'segment', 'trimmed')"]);
        using TieredKvCache cache = new(Small, DiskFixture.Model, new KvCacheOptions { DeviceBlocks = 8, Disk = _disk.Options() });
        Assert.Null(cache.Problem);
        Assert.True(cache.Costs.PatienceToLoad(1 << 24) >= TimeSpan.Zero);
        DiskTier tier = Assert.IsType<DiskTier>(Assert.Single(cache.Tiers));
        Assert.Equal(1, Write(tier, Small, 77));
        Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 77));
    }

    [Theory]
    [InlineData("DROP TABLE pins; CREATE VIEW pins AS WITH RECURSIVE n(owner, key, until) AS (SELECT 'x', x'00', 1 UNION ALL SELECT owner, key, until + 1 FROM n) SELECT * FROM n")]
    [InlineData("DROP TABLE counters; CREATE VIEW counters AS WITH RECURSIVE n(name, value) AS (SELECT 'x', 1 UNION ALL SELECT name, value + 1 FROM n) SELECT * FROM n")]
    [InlineData("CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM segments; END")]
    [InlineData("ALTER TABLE blocks ADD COLUMN more GENERATED ALWAYS AS (used + 1)")]
    [InlineData("CREATE INDEX more ON blocks (used)")]
    [InlineData("CREATE TABLE more (x)")]
    public async Task What_is_not_our_schema_is_never_asked(string sql)
    {
        Fill();
        Execute(sql.Split("; CREATE VIEW") is [var drop, var view] ? [drop, "CREATE VIEW" + view] : [sql]);
        await Task.Run(() =>
        {
            Assert.Contains("no catalogue of version 1", Assert.Throws<IOException>(() => DiskInspection.Open(_disk.Path)).Message,
                StringComparison.Ordinal);
            using DiskTier tier = _disk.Open();
            Assert.Contains("set aside", tier.Problem, StringComparison.Ordinal);
            Assert.Equal(1, Write(tier, Small, 1));
        }, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Many_who_find_the_same_damage_set_it_aside_once()
    {
        Fill();
        for (int round = 0; round < 3; round++)
        {
            byte[] noise = new byte[50_000];
            new Random(round).NextBytes(noise);
            File.WriteAllBytes(Path.Combine(_disk.Path, "catalogue.db"), noise);
            File.Delete(Path.Combine(_disk.Path, "catalogue.db-wal"));
            using Barrier together = new(8);
            Task<DiskTier>[] opening = [.. Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(() =>
            {
                together.SignalAndWait();
                return _disk.Open();
            }, TaskCreationOptions.LongRunning))];
            DiskTier[] tiers = [.. opening.Select(task => task.GetAwaiter().GetResult())];
            Assert.Equal(1, tiers.Count(tier => tier.Problem?.Contains("set aside", StringComparison.Ordinal) == true));
            Assert.All(tiers.Index(), tier => Assert.Equal(1, Write(tier.Item, Small, tier.Index)));
            Array.ForEach(tiers, tier => tier.Dispose());
            using DiskTier again = _disk.Open();
            Assert.Null(again.Problem);
            Assert.All(Enumerable.Range(0, 8), block => Assert.Equal(ReadOutcome.Ok, Read(again, Small, block)));
        }
    }
}
