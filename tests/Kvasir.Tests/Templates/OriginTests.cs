using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;

namespace Kvasir.Tests.Templates;

/// <summary>Text knows where it stems from, whatever is done to it: input is shown between ‹ and ›.</summary>
public sealed class OriginTests
{
    static readonly JsonObject s_variables = JsonNode.Parse("""
        {"bos_token": "<s>", "eos_token": "</s>", "s": "Ab c", "p": "  pad\n", "two": "x,y", "n": 5, "yes": true,
         "list": ["a", "b"], "dict": {"k": "v", "n": 1.5}, "empty": "", "emoji": "a🎉b", "quote": "\"'\n"}
        """)!.AsObject();

    [Theory]
    [InlineData("text {{ s }} text", "text ‹Ab c› text")]
    [InlineData("{{ bos_token }}{{ s }}{{ eos_token }}", "<s>‹Ab c›</s>")]
    [InlineData("{{ '<' + s + '>' }}{{ '<' ~ s ~ n ~ '>' }}", "<‹Ab c›><‹Ab c›5>")]
    [InlineData("{{ s[1:3] }}{{ ('<' + s + '>')[:3] }}{{ ('<' + s + '>')[-2:] }}{{ ('<' + s)[::-1] }}", "‹b ›<‹Abc›>‹c bA›<")]
    [InlineData("{{ ('<' + s)[0] }}{{ ('<' + s)[1] }}{{ emoji[1] }}", "<‹A🎉›")]
    [InlineData("{{ p | trim }}{{ ('[' + p + ']') | trim('[]') }}{{ p.strip() }}", "‹pad  pad\npad›")]
    [InlineData("{{ ('a' + s) | upper }}{{ ('A' + s) | lower }}{{ ('a' + s) | title }}{{ ('a' + s) | capitalize }}",
        "A‹AB C›a‹ab c›A‹ab C›A‹ab c›")]
    [InlineData("{{ s | replace('b', '<>') }}{{ '_b_' | replace('b', s) }}{{ s.replace(' ', '<', 1) }}", "‹A›<>‹ c›_‹Ab c›_‹Ab›<‹c›")]
    [InlineData("{{ two.split(',')[1] }}{{ ('<' + two).split(',')[0] }}{{ two.split(',') | join('|') }}", "‹y›<‹xx›|‹y›")]
    [InlineData("{{ list | join(', ') }}{{ ', '.join(list) }}{{ ['<', s] | join(two) }}", "‹a›, ‹ba›, ‹b›<‹x,yAb c›")]
    [InlineData("{{ dict | tojson }}", """‹{"k": "v", "n": 1.5}›""")]
    [InlineData("{{ {'a': s, 'b': 1} | tojson }}{{ {'a': 'b'} | tojson }}", """‹{"›a‹": "Ab c", "›b‹": 1}›{"a": "b"}""")]
    [InlineData("{{ s | tojson }}{{ quote | tojson }}{{ 'x' | tojson }}", """‹"Ab c""\"'\n"›"x" """)]
    [InlineData("{{ list }}{{ [1, 'x'] }}{{ list | string }}", "‹['a', 'b']›[1, 'x']‹['a', 'b']›")]
    [InlineData("{% for c in s %}{{ c }}-{% endfor %}{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %}",
        "‹A›-‹b›-‹ ›-‹c›-‹k›=‹v›;‹n›=1.5;")]
    [InlineData("{% for k in dict %}{{ k }}{% endfor %}{{ dict | dictsort | first | first }}", "‹knk›")]
    [InlineData("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(s) }}{{ m('t') }}{{ m(s) | upper }}", "<‹Ab c›><t><‹AB C›>")]
    [InlineData("{% set x %}<{{ s }}>{% endset %}{{ x }}{% set ns = namespace(a='') %}{% set ns.a = ns.a + s %}{{ ns.a }}",
        "<‹Ab c›>‹Ab c›")]
    [InlineData("{% filter upper %}a{{ s }}{% endfilter %}{% filter indent(2) %}a\n{{ s }}{% endfilter %}", "A‹AB C›a\n  ‹Ab c›")]
    [InlineData("{{ s * 2 }}{{ '-' * 2 }}{{ s | default('x') }}{{ nix | default(s) }}{{ empty or 'x' }}{{ s if yes }}",
        "‹Ab cAb c›--‹Ab cAb c›x‹Ab c›")]
    [InlineData("{{ '{}<{}'.format(s, 1) }}{{ s | e }}{{ s | reverse }}{{ s | first }}{{ s | list | last }}", "‹Ab c›<1‹Ab cc bAAc›")]
    [InlineData("{{ s | map('upper') | join }}{{ list | sort | join }}{{ list | max }}{{ [s, s] | unique | join }}", "‹AB CabbAb c›")]
    [InlineData("{{ strftime_now(s) }}{{ strftime_now('%%') }}", "‹Ab c›%")]
    [InlineData("{{ n }}{{ yes }}{{ s | length }}{{ n | string }}", "5True45")]
    [InlineData("{{ s.partition(' ') | join('|') }}{{ 'a\nb'.splitlines() | join }}{{ s.removeprefix('A') }}", "‹Ab›|‹ ›|‹c›ab‹b c›")]
    public void Origin_survives(string template, string expected) =>
        Assert.Equal(expected.TrimEnd(' '), Shown(ChatTemplate.Parse(template).Render(s_variables)));

    [Fact]
    public void Only_trusted_variables_are_no_input()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ bos_token }}{{ s }}");

        Assert.Equal("‹<s>›Ab c", Shown(template.Render(s_variables, trusted: new HashSet<string> { "s" })));
    }

    [Fact]
    public void Segments_make_up_the_text()
    {
        var prompt = new RenderedPrompt([new("a", false), new("", true), new("b", false), new("c", true), new("d", true)]);

        Assert.Equal([new("ab", false), new("cd", true)], prompt.Segments);
        Assert.Equal("abcd", prompt.Text);
    }

    static string Shown(RenderedPrompt prompt) =>
        string.Concat(prompt.Segments.Select(segment => segment.IsInput ? $"‹{segment.Text}›" : segment.Text));
}
