namespace Kvasir.Inference.Chat;

/// <summary>
/// Chat templates that go by a name, as llama.cpp has them for models whose files bring none. They write what was said, with no tools of
/// their own: <see cref="GenericTools"/> tells of these.
/// </summary>
public static class NamedTemplates
{
    const string Content = "{{ message.content }}", Trimmed = "{{ message.content | trim }}", Role = "{{ message.role }}";

    static readonly Dictionary<string, string> s_templates = new()
    {
        ["chatml"] = ChatPrompts.ChatMl,
        ["llama2"] = Instructed("[INST] ", "{}\n", "{} [/INST]", "{}</s>"),
        ["llama2-sys"] = Instructed("[INST] ", "<<SYS>>\n{}\n<</SYS>>\n\n", "{} [/INST]", "{}</s>"),
        ["llama2-sys-bos"] = Instructed("{% if not loop.first %}<s>{% endif %}[INST] ",
            "<<SYS>>\n{}\n<</SYS>>\n\n", "{} [/INST]", "{}</s>"),
        ["llama2-sys-strip"] = Instructed("[INST] ", "<<SYS>>\n{trim}\n<</SYS>>\n\n", "{trim} [/INST]", "{trim}</s>"),
        ["llama3"] = Alike("<|start_header_id|>{role}<|end_header_id|>\n\n{trim}<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n"),
        ["llama4"] = Alike("<|header_start|>{role}<|header_end|>\n\n{trim}<|eot|>", "<|header_start|>assistant<|header_end|>\n\n"),
        ["mistral-v1"] = Instructed(" [INST] ", "{}\n\n", "{} [/INST]", " {}</s>"),
        ["mistral-v3"] = Instructed("[INST] ", "{}\n\n", "{}[/INST]", " {trim}</s>"),
        ["mistral-v3-tekken"] = Instructed("[INST]", "{}\n\n", "{}[/INST]", "{}</s>"),
        ["mistral-v7"] = ByRole("[SYSTEM_PROMPT] {}[/SYSTEM_PROMPT]", "[INST] {}[/INST]", " {}</s>", ""),
        ["mistral-v7-tekken"] = ByRole("[SYSTEM_PROMPT]{}[/SYSTEM_PROMPT]", "[INST]{}[/INST]", "{}</s>", ""),
        ["phi3"] = Alike("<|{role}|>\n{}<|end|>\n", "<|assistant|>\n"),
        ["phi4"] = Alike("<|im_start|>{role}<|im_sep|>{}<|im_end|>", "<|im_start|>assistant<|im_sep|>"),
        ["gemma"] = WithSystemInQuestion("message.content | trim", "<start_of_turn>user\n", "{trim}<end_of_turn>\n",
            "<start_of_turn>model\n{trim}<end_of_turn>\n", "<start_of_turn>model\n"),
        ["granite"] = Granite,
        ["granite-4.0"] = Granite,
        ["granite-4.1"] = Granite,
        ["chatglm3"] = "[gMASK]sop" + Alike("<|{role}|>\n {}", "<|assistant|>"),
        ["chatglm4"] = "[gMASK]<sop>" + Alike("<|{role}|>\n{}", "<|assistant|>\n"),
        ["glmedge"] = Alike("<|{role}|>\n{}", "<|assistant|>"),
        ["falcon3"] = Alike("<|{role}|>\n{}\n", "<|assistant|>\n"),
        ["zephyr"] = Alike("<|{role}|>\n{}<|endoftext|>\n", "<|assistant|>\n"),
        ["monarch"] = Alike("{% if not loop.first %}<s>{% endif %}{role}\n{}</s>\n", "<s>assistant\n"),
        ["orion"] = WithSystemInQuestion("message.content", "Human: ", "{}\n\nAssistant: </s>", "{}</s>", ""),
        ["openchat"] = ByRole("{}<|end_of_turn|>", "GPT4 Correct User: {}<|end_of_turn|>", "GPT4 Correct Assistant: {}<|end_of_turn|>",
            "GPT4 Correct Assistant:"),
        ["vicuna"] = ByRole("{}\n\n", "USER: {}\n", "ASSISTANT: {}</s>\n", "ASSISTANT:"),
        ["vicuna-orca"] = ByRole("SYSTEM: {}\n", "USER: {}\n", "ASSISTANT: {}</s>\n", "ASSISTANT:"),
        ["deepseek"] = ByRole("{}", "### Instruction:\n{}\n", "### Response:\n{}\n<|EOT|>\n", "### Response:\n"),
        ["deepseek2"] = ByRole("{}\n\n", "User: {}\n\n", "Assistant: {}<｜end▁of▁sentence｜>", "Assistant:"),
        ["deepseek3"] = ByRole("{}\n\n", "<｜User｜>{}", "<｜Assistant｜>{}<｜end▁of▁sentence｜>", "<｜Assistant｜>"),
        ["command-r"] = ByRole("<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{trim}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{trim}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{trim}<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"),
        ["minicpm"] = ByRole("{trim}", "<用户>{trim}<AI>", "{trim}", ""),
        ["exaone3"] = Exaone,
        ["exaone4"] = Exaone,
        ["exaone-moe"] = Alike("<|{role}|>\n{trim}<|endofturn|>\n", "<|assistant|>\n"),
        ["megrez"] = Alike("<|role_start|>{role}<|role_end|>{}<|turn_end|>", "<|role_start|>assistant<|role_end|>"),
        ["smolvlm"] = "<|im_start|>" + ByRole("{}\n\n", "User: {}<end_of_utterance>\n", "Assistant: {}<end_of_utterance>\n", "Assistant:"),
        ["kimi-k2"] = ByRole("<|im_system|>system<|im_middle|>{}<|im_end|>", "<|im_user|>user<|im_middle|>{}<|im_end|>",
            "<|im_assistant|>assistant<|im_middle|>{}<|im_end|>", "<|im_assistant|>assistant<|im_middle|>"),
        ["seed_oss"] = ByRole("<seed:bos>system\n{}<seed:eos>", "<seed:bos>user\n{}<seed:eos>", "<seed:bos>assistant\n{trim}<seed:eos>",
            "<seed:bos>assistant\n"),
        ["grok-2"] = ByRole("System: {trim}<|separator|>\n\n", "Human: {trim}<|separator|>\n\n", "Assistant: {}<|separator|>\n\n",
            "Assistant:"),
        ["solar-open"] = Alike("<|begin|>{role}<|content|>{}<|end|>", "<|begin|>assistant"),
    };

    /// <summary>The names that there are.</summary>
    public static IReadOnlyCollection<string> Names => s_templates.Keys;

    /// <summary>The template of a name, in Jinja; null for an unknown one.</summary>
    public static string? Find(string name) => s_templates.GetValueOrDefault(name);

    static string Granite =>
        Alike("<|start_of_role|>{role}<|end_of_role|>{}<|end_of_text|>\n", "<|start_of_role|>assistant<|end_of_role|>");

    static string Exaone => ByRole("[|system|]{trim}[|endofturn|]\n", "[|user|]{trim}\n",
        "[|assistant|]{trim}[|endofturn|]\n", "[|assistant|]");

    /// <summary>
    /// All roles have the same frame. In frames <c>{}</c> is what is said, and <c>{trim}</c> that without white space around it.
    /// </summary>
    static string Alike(string frame, string opening) => Each(Frame(frame), opening);

    static string ByRole(string system, string user, string assistant, string opening) =>
        Each($"{{% if message.role == 'system' %}}{Frame(system)}{{% elif message.role == 'user' %}}{Frame(user)}"
            + $"{{% elif message.role == 'assistant' %}}{Frame(assistant)}{{% endif %}}", opening);

    /// <summary>A turn begins with an instruction, in which the system speaks too, and ends with the answer.</summary>
    static string Instructed(string begin, string system, string user, string assistant) =>
        "{% set turn = namespace(open=false) %}"
        + Each($"{{% if not turn.open %}}{begin}{{% set turn.open = true %}}{{% endif %}}"
            + $"{{% if message.role == 'system' %}}{Frame(system)}{{% elif message.role == 'user' %}}{Frame(user)}"
            + $"{{% else %}}{Frame(assistant)}{{% set turn.open = false %}}{{% endif %}}", "");

    /// <summary>There is no role for the system: what it says stands before the next question.</summary>
    static string WithSystemInQuestion(string system, string begin, string user, string assistant, string opening) =>
        "{% set said = namespace(system='') %}"
        + Each($"{{% if message.role == 'system' %}}{{% set said.system = said.system + ({system}) %}}"
            + $"{{% elif message.role == 'assistant' %}}{Frame(assistant)}"
            + $"{{% else %}}{begin}{{% if said.system %}}{{{{ said.system + '\\n\\n' }}}}{{% set said.system = '' %}}{{% endif %}}"
            + $"{Frame(user)}{{% endif %}}", opening);

    static string Each(string message, string opening) =>
        $"{{% for message in messages %}}{message}{{% endfor %}}{{% if add_generation_prompt %}}{opening}{{% endif %}}";

    static string Frame(string frame) => frame.Replace("{}", Content, StringComparison.Ordinal)
        .Replace("{trim}", Trimmed, StringComparison.Ordinal).Replace("{role}", Role, StringComparison.Ordinal);
}
