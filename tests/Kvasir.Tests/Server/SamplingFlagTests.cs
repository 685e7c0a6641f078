using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cli.Flags;
using Kvasir.Inference.Sampling;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Server;

/// <summary>A flag of <c>run</c> and <c>chat</c> does what the field of its meaning does.</summary>
public sealed class SamplingFlagTests
{
    const string Usual = """{"temperature": 0, "top_k": 40, "top_p": 0.95, "min_p": 0.05}"""; // without flags

    static readonly Dictionary<string, string> s_fields = new()
    {
        ["--temp 0.5"] = """ "temperature": 0.5""",
        ["--top-k 7"] = """ "top_k": 7""",
        ["--top-p 0.3"] = """ "top_p": 0.3""",
        ["--min-p 0.2"] = """ "min_p": 0.2""",
        ["--typical 0.2"] = """ "typical_p": 0.2""",
        ["--typical-p 0.2"] = """ "typical_p": 0.2""",
        ["--top-nsigma 1.5"] = """ "top_n_sigma": 1.5""",
        ["--top-n-sigma -1"] = """ "top_n_sigma": -1""",
        ["--repeat-penalty 1.3 --repeat-last-n -1"] = """ "repeat_penalty": 1.3, "repeat_last_n": -1""",
        ["--repeat-penalty 1.3 --repeat-last-n 9"] = """ "repeat_penalty": 1.3, "repeat_last_n": 9""",
        ["--frequency-penalty -0.5 --presence-penalty 1"] = """ "frequency_penalty": -0.5, "presence_penalty": 1""",
        ["--xtc-probability 0.5"] = """ "xtc_probability": 0.5""",
        ["--xtc-threshold 0.2"] = """ "xtc_threshold": 0.2""",
        ["--xtc-threshold 0.2 --xtc-probability 1"] = """ "xtc_threshold": 0.2, "xtc_probability": 1""",
        ["--dry-multiplier 0.8"] = """ "dry_multiplier": 0.8""",
        ["--dry-base 2"] = """ "dry_base": 2""",
        ["--dry-multiplier 1 --dry-base 2 --dry-allowed-length 3 --dry-penalty-last-n 99"] =
            """ "dry_multiplier": 1, "dry_base": 2, "dry_allowed_length": 3, "dry_penalty_last_n": 99""",
        ["--dry-multiplier 1 --dry-sequence-breaker a --dry-sequence-breaker b"] = """ "dry_multiplier": 1, "dry_sequence_breakers": ["a", "b"]""",
        ["--dry-multiplier 1 --dry-sequence-breaker none"] = """ "dry_multiplier": 1, "dry_sequence_breakers": []""",
        ["--mirostat 2"] = """ "mirostat": 2""",
        ["--mirostat 0 --mirostat-ent 3"] = """ "mirostat": 0, "mirostat_tau": 3""",
        ["--mirostat 2 --mirostat-ent 3 --mirostat-lr 0.2"] = """ "mirostat": 2, "mirostat_tau": 3, "mirostat_eta": 0.2""",
    };

    public static TheoryData<string> Flags => [.. s_fields.Keys];

    [Fact]
    public async Task What_flags_say_is_what_fields_say()
    {
        await using ServerFixture server = await ServerFixture.Start();
        ServedModel model = new(server.Engine, "saga", null);
        SamplingFlags flags = new();
        Command verb = new("run");
        foreach (Option option in flags.All)
            verb.Options.Add(option);
        foreach ((string typed, string field) in s_fields)
        {
            ParseResult parsed = verb.Parse(typed);
            Assert.Empty(parsed.Errors);
            JsonObject body = JsonNode.Parse(Usual)!.AsObject();
            foreach ((string name, JsonNode? value) in JsonNode.Parse($"{{{field}}}")!.AsObject())
                body[name] = value!.DeepClone();
            Field read = new("", JsonElement.Parse(body.ToJsonString()));
            SamplingOptions expected = RequestReader.Options(read, null, [], model).Sampling;
            Assert.Equal((typed, JsonSerializer.Serialize(expected)), (typed, JsonSerializer.Serialize(flags.Read(parsed))));
        }
    }

    [Fact]
    public async Task The_answer_is_that_of_the_fields()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonObject body = JsonNode.Parse("""
            {"prompt": "Once upon a time", "max_tokens": 24, "temperature": 1.2, "seed": 3, "top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 0.6,
             "xtc_probability": 0.5, "xtc_threshold": 0.05, "dry_multiplier": 2, "dry_allowed_length": 1, "min_tokens": 20, "ignore_eos": true}
            """)!.AsObject();
        string answer = (await server.Ask("/v1/completions", body)).GetProperty("choices")[0].GetProperty("text").GetString()!;
        string[] plain = ["run", "Once upon a time", "-n", "24", "--temp", "1.2", "--seed", "3", "--top-k", "0", "--top-p", "1", "--min-p", "0"];
        Assert.Equal(answer + "\n", Run([.. plain, "--typical", "0.6", "--xtc-probability", "0.5", "--xtc-threshold", "0.05",
            "--dry-multiplier", "2", "--dry-allowed-length", "1", "--min-tokens", "20", "--ignore-eos"]).Answer);
        Assert.NotEqual(answer + "\n", Run(plain).Answer);
    }

    [Theory]
    [InlineData("--typical 0", "typical-p: 0, expected above 0, at most 1")]
    [InlineData("--top-nsigma NaN", "top-n-sigma: NaN, expected 0 or more")]
    [InlineData("--xtc-probability 1.5", "XTC probability: 1.5, expected 0 to 1")]
    [InlineData("--xtc-threshold -1", "XTC threshold: -1, expected 0 to 1")]
    [InlineData("--dry-multiplier -1", "DRY multiplier: -1, expected 0 or more")]
    [InlineData("--dry-base 0.5", "DRY base: 0.5, expected 1 or more")]
    [InlineData("--dry-allowed-length 0", "DRY allowed length: 0, expected 1 or more")]
    [InlineData("--dry-penalty-last-n -2", "DRY window: -2, expected -1 or more")]
    [InlineData("--mirostat 1", "mirostat: 1, expected 0 or 2")]
    [InlineData("--mirostat-ent 0", "Mirostat tau: 0, expected above 0")]
    [InlineData("--mirostat-lr x", "--mirostat-lr x: expected a number")]
    [InlineData("--repeat-last-n -2", "repeat window: -2, expected 0 or more")]
    [InlineData("--frequency-penalty 3", "frequency penalty: 3, expected -2 to 2")]
    public void Nonsense_is_refused(string typed, string message)
    {
        SamplingFlags flags = new();
        Command verb = new("run");
        foreach (Option option in flags.All)
            verb.Options.Add(option);
        Assert.Equal(message, Assert.Single(verb.Parse(typed).Errors).Message);
    }

    [Theory]
    [InlineData("--min-tokens 9 -n 4", "--min-tokens 9: expected at most the 4 of --max-tokens")]
    [InlineData("--min-tokens -1", "--min-tokens -1: expected 0 to ")]
    [InlineData("--mirostat 1", "mirostat: 1, expected 0 or 2")]
    public void Nonsense_is_one_line(string typed, string message) => Run(["run", "Once", .. typed.Split(' ')]).Fails(2, message);
}
