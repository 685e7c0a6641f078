using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.ExtensionsAI;

/// <summary>The embedded model behind a chat client, with a saga to talk about.</summary>
sealed class SagaChat : IDisposable
{
    /// <summary>ChatML with tools in the manner of Hermes; the results of calls are turns of the user.</summary>
    const string ToolTemplate =
        """
        {%- if tools %}<|im_start|>system
        Tools: {% for tool in tools %}{{ tool.function | tojson }}{% endfor %}<|im_end|>
        {% endif %}{%- for message in messages %}<|im_start|>{{ 'user' if message.role == 'tool' else message.role }}
        {{ message.content }}{% for call in message.tool_calls %}<tool_call>
        {{ call.function | tojson }}
        </tool_call>{% endfor %}<|im_end|>
        {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
        {% endif %}
        """;

    readonly TemporaryFolder _folder = new();
    readonly LanguageModel _model;

    /// <param name="knowsTools">Whether the model's chat template speaks of tools.</param>
    /// <param name="context">Tokens of a sequence, and of the pool.</param>
    public SagaChat(bool knowsTools = false, int context = 1024)
    {
        _model = LanguageModel.Load(knowsTools ? WithTools() : SagaModel.Path);
        Engine = new InferenceEngine(_model, new EngineOptions { Context = context });
        Client = new KvasirChatClient(Engine);
        Prompts = new ChatPrompts(_model.Tokenizer);
    }

    public InferenceEngine Engine { get; }

    public KvasirChatClient Client { get; }

    public ChatPrompts Prompts { get; }

    public SagaDocument Saga { get; } = new SagaGenerator(5).Document(facts: 24);

    public string Instructions => $"Answer from this saga.\n{Saga.Text}";

    /// <summary>A question that the saga answers.</summary>
    public SagaQuestion Question(int fact) => Saga.Facts[fact].Questions[0];

    /// <summary>A conversation that ends with such a question.</summary>
    public List<ChatMessage> Ask(int fact) => [new(ChatRole.System, Instructions), new(ChatRole.User, Question(fact).Text)];

    /// <summary>What the engine itself says after these messages, each a role and a content.</summary>
    public Task<GenerationResult> Complete(GenerationOptions options, params (string Role, string Content)[] messages)
    {
        ChatTranscript transcript = new();
        foreach ((string role, string content) in messages)
            transcript.Add(role, content);
        return Engine.Start(Prompts.Encode(transcript.Messages), options).Result;
    }

    public void Dispose()
    {
        Client.Dispose();
        // who stops reading does not wait for the step that hears of it
        SpinWait.SpinUntil(() => Engine.Serving.Running == 0, TimeSpan.FromSeconds(20));
        Engine.AssertNothingLeased();
        Engine.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }

    string WithTools()
    {
        using GgufFile saga = GgufFile.Open(SagaModel.Path);
        Quantizer.Quantize(saga, _folder["tools.gguf"], WeightMix.Of(TensorType.Q8_0),
            new Dictionary<string, string> { ["tokenizer.chat_template"] = ToolTemplate.ReplaceLineEndings("\n") });
        return _folder["tools.gguf"];
    }
}
