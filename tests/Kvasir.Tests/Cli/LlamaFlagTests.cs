using System.CommandLine;
using System.Text.Json;
using Kvasir.Cli;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Flags;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Server.Serving;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>Command lines of llama-server and llama-cli.</summary>
public sealed class LlamaFlagTests
{
    static ParseResult Parse(string line) =>
        RootVerb.Create([line.Split(' ')[0]]).Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), Settings.Parser);

    [Theory]
    [InlineData("serve --jinja -ngl 99 -fa on --no-webui --mlock --no-mmap -b 2048 -ub 512 -cb --cache-reuse 256 -tb 4 -c 0 --predict -1")]
    [InlineData("serve -fa --flash-attn auto -kvu --props --metrics --slots -sps 0.5 -to 600 --threads-http 4 -v -lv 3 -dev none -ot .*=CPU")]
    [InlineData("serve --temperature 0.5 --top-k 20 --top-p 0.9 --min-p 0 --repeat-penalty 1.1 -s 42 -n -1 -t 2 --host 127.0.0.1 -np 2 -a a")]
    [InlineData("serve --api-key abcdefgh,ijklmnop -ctk q8_0 -ctv q8_0 -sys Hi --chat-template chatml --reasoning off --no-slots")]
    [InlineData("serve --cors-origins localhost,http://a.example --no-cors-credentials --api-prefix /llm --tags a,b --reasoning-format none -t -1")]
    [InlineData("run -p Hi -ngl 99 -fa off --no-warmup -st --temp 0 -n 4")]
    public void What_people_type_is_understood(string line) => Assert.Empty(Parse(line).Errors.Select(error => error.Message));

    [Theory]
    [InlineData("serve --lora a.gguf", "--lora: not here: there are no adapters here: merge them into the model")]
    [InlineData("serve --rope-scaling yarn", "--rope-scaling: not here: a model's positions are those of its file")]
    [InlineData("serve --mmproj a.gguf", "--mmproj: not here: models read text only here")]
    [InlineData("serve -md a.gguf", "-md: not here: tokens are guessed from what was said before (--speculative): there is no draft model here")]
    [InlineData("serve --reranking", "--reranking: not here: no model with a ranking head can be served yet")]
    [InlineData("serve --cors-headers a", "--cors-headers: not here: pages that may ask may use all methods and headers")]
    [InlineData("serve --path .", "--path: not here: no files are served")]
    [InlineData("run --context-shift", "--context-shift: not here: nothing is ever cut off")]
    [InlineData("chat --override-kv a=int:1", "--override-kv: not here: a model is what its file says")]
    public void What_would_change_answers_is_refused(string line, string message) =>
        Assert.Equal(message, Assert.Single(Parse(line).Errors).Message);

    [Fact]
    public void What_is_ignored_is_named_in_one_line()
    {
        KvasirResult result = Run("run", "--raw", "-ngl", "99", "--jinja", "-fa", "on", "-n", "2", "--no-persist", "Once");
        Assert.StartsWith("ignored: -ngl, -fa, --jinja; they say how llama.cpp computes, which changes no answer\n", result.Errors, StringComparison.Ordinal);
        Assert.NotEqual("", result.Answer.Trim());
    }

    [Fact]
    public void Serve_has_defaults_for_requests()
    {
        EngineFlags flags = new(serves: true);
        Command verb = new("serve");
        flags.AddServingTo(verb);
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        RequestDefaults Of(string line) =>
            flags.Defaults(verb.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)), model, (_, _) => { });
        SamplingOptions usual = SamplingOptions.Greedy with { Temperature = 1, TopK = 0, Mirostat = null };
        Assert.Equal(usual, Of("").Sampling(usual));
        RequestDefaults said = Of("--temp 0.5 --top-k 7 -s 3 -n 9 -sys Hi --stop END --mirostat-ent 3 --dry-base 2 --chat-template-kwargs {\"a\":1} --reasoning off");
        SamplingOptions sampling = said.Sampling(usual);
        Assert.Equal((0.5f, 7, 3ul, 0.95f, null, null),
            (sampling.Temperature, sampling.TopK, sampling.Seed, sampling.TopP, sampling.Mirostat, sampling.Dry));
        Assert.Equal((9, "Hi", "END", """{"a":1,"enable_thinking":false}"""),
            (said.MaxTokens, said.SystemPrompt, Assert.Single(said.Stops), said.TemplateVariables!.ToJsonString()));
        Assert.Null(Of("-n -1").MaxTokens);
        Assert.Equal((ReasoningFormat.Apart, true, false), (Of("").ReasoningFormat, Of("").GoesOnWithAnswers, Of("").TellsRaw));
        RequestDefaults told = Of("--reasoning-format deepseek-legacy --no-prefill-assistant -v -t -1");
        Assert.Equal((ReasoningFormat.InTextOfStreams, false, true), (told.ReasoningFormat, told.GoesOnWithAnswers, told.TellsRaw));
        Assert.Throws<Kvasir.Cli.Output.UsageException>(() => Of("--reasoning-format qwen"));
        Option<int?> threads = EngineFlags.CreateThreads();
        Assert.Equal([Environment.ProcessorCount, 3], ((string[])["-1", "3"])
            .Select(count => new Command("run") { threads }.Parse(["-t", count]).GetValue(threads)!.Value));
        Assert.Equal(2, Of("--mirostat 2 --mirostat-ent 3").Sampling(usual).Mirostat!.Tau - 1);
        Assert.Throws<Kvasir.Cli.Output.UsageException>(() => Of("--chat-template-kwargs [1]"));
    }
}
