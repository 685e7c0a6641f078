using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;

namespace Kvasir.Tests.Templates;

/// <summary>What goes wrong is one line that names where, what was seen and what was expected.</summary>
public sealed class TemplateErrorTests
{
    [Theory]
    [InlineData("a\n{{ word", "line 2: the end of the template, expected '}}'")]
    [InlineData("a\n\n{{ 'a }}", "line 3: a text literal that does not end, expected '")]
    [InlineData("{# a\n", "line 1: a comment that does not end, expected '#}'")]
    [InlineData("{{ a ? b }}", "line 1: '?', expected a name, a literal or an operator")]
    [InlineData("{{ a b }}", "line 1: 'b', expected '}}'")]
    [InlineData("{{ }}", "line 1: '}}', expected an expression")]
    [InlineData("{{ a. }}", "line 1: '}}', expected a name after the dot")]
    [InlineData("{{ a['x' }}", "line 1: '}', expected ']'")]
    [InlineData("{{ (a", "line 1: the end of the template, expected ')'")]
    [InlineData("{{ a) }}", "line 1: ')', expected '}}'")]
    [InlineData("{{ {1 2} }}", "line 1: '2', expected ':'")]
    [InlineData("{{ f(a=1, 2) }}", "line 1: an argument without a name after one with a name, expected names from there on")]
    [InlineData("{{ 99999999999999999999 }}", "line 1: '99999999999999999999', expected an integer of 64 bits at most")]
    [InlineData("{% include 'x' %}", "line 1: 'include', expected for, if, set, macro, call, filter, generation, break or continue")]
    [InlineData("{% if a %}\n{% endfor %}", "line 2: 'endfor', expected 'elif', 'else' or 'endif'")]
    [InlineData("{% for a in b %}\n\n", "line 2: the end of the template, expected 'else' or 'endfor'")]
    [InlineData("{% for a of b %}{% endfor %}", "line 1: 'of', expected 'in'")]
    [InlineData("{% break %}", "line 1: 'break', expected it within a loop only")]
    [InlineData("{% set a.b.c = 1 %}", "line 1: '.', expected '%}'")]
    public void Bad_source_is_refused(string source, string message)
    {
        var refusal = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source));

        Assert.Equal(message, refusal.Message);
        Assert.False(refusal.RaisedByTemplate);
    }

    [Theory]
    [InlineData("\n{{ nix.x }}", "line 2: 'nix' is undefined")]
    [InlineData("{{ word.nix.x }}", "line 1: text has no member 'nix'")]
    [InlineData("{{ word\n+ 1 }}", "line 2: +: text and an integer, expected two numbers, texts or short enough lists")]
    [InlineData("{{ word | nix }}", "line 1: a filter 'nix', expected one that is known")]
    [InlineData("{{ word is nix }}", "line 1: a test 'nix', expected one that is known")]
    [InlineData("{{ word.nix() }}", "line 1: text has no member 'nix'")]
    [InlineData("{{ 5() }}", "line 1: a call: an integer, expected a function, a method or a macro")]
    [InlineData("{{ word.split() | upper(1) }}", "line 1: upper: 2 arguments, expected value")]
    [InlineData("{{ word | replace('a') }}", "line 1: replace: no argument new, expected value, old, new, count")]
    [InlineData("{{ word.split(1) }}", "line 1: split: sep: an integer, expected text")]
    [InlineData("{{ word | tojson(ident=2) }}",
        "line 1: tojson: an argument ident, expected value, ensure_ascii, indent, separators, sort_keys")]
    [InlineData("{% macro m(a, b) %}{% endmacro %}{{ m(c=1) }}", "line 1: m: an argument c, expected a, b")]
    [InlineData("{% for a, b in [[1]] %}{% endfor %}", "line 1: 1 values for 2 names, expected as many")]
    [InlineData("{% for a in 5 %}{% endfor %}", "line 1: a loop: an integer, expected a list, a dictionary or text")]
    [InlineData("{% set word.x = 1 %}", "line 1: set word.x: text, expected word to be a namespace")]
    [InlineData("{{ 2 ** 64 }}", "line 1: **: a result of more than 64 bits, expected a smaller one")]
    [InlineData("{{ 1 // 0 }}", "line 1: //: a divisor of 0, expected another")]
    [InlineData("{{ 1 < 'a' }}", "line 1: an order: an integer, expected what can be compared with text")]
    [InlineData("{{ {[]: 1} }}", "line 1: a key: a list, expected text, a number or a boolean")]
    [InlineData("{{ namespace() }}", "line 1: printing: an object, expected text, a number, a list or a dictionary")]
    public void What_fails_at_work_names_its_line(string source, string message)
    {
        var refusal = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).Render(new JsonObject { ["word"] = "w" }));

        Assert.Equal(message, refusal.Message);
        Assert.False(refusal.RaisedByTemplate);
    }

    [Fact]
    public void What_the_template_raises_is_passed_on_as_it_is()
    {
        ChatTemplate template =
            ChatTemplate.Parse("\n{% macro m() %}{{ raise_exception('No ' ~ role ~ 's,\nplease') }}{% endmacro %}{{ m() }}");

        var refusal = Assert.Throws<TemplateException>(() => template.Render(new JsonObject { ["role"] = "wizard" }));

        Assert.Equal("No wizards,\nplease", refusal.Message);
        Assert.True(refusal.RaisedByTemplate);
    }

    [Theory]
    [InlineData("""{"a": {"b": 1, "b": 2}}""")]
    [InlineData("""{"a": "\ud800"}""")]
    public void Variables_that_are_no_sound_JSON_are_refused(string json)
    {
        JsonObject variables = JsonNode.Parse(json)!.AsObject();

        var refusal = Assert.Throws<TemplateException>(() => ChatTemplate.Parse("").Render(variables));

        Assert.StartsWith("the variables: ", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void Variables_that_are_nested_too_deeply_are_refused()
    {
        JsonNode nested = new JsonArray();
        for (int i = 0; i < 1000; i++) nested = new JsonArray(nested);

        var refusal = Assert.Throws<TemplateException>(() => ChatTemplate.Parse("").Render(new JsonObject { ["a"] = nested }));

        Assert.Equal("a variable more than 100 lists deep, expected fewer", refusal.Message);
    }

    [Fact]
    public void Numbers_stay_what_they_are_wherever_they_come_from()
    {
        var variables = new JsonObject
        {
            ["a"] = 1.0, ["b"] = 2, ["c"] = JsonNode.Parse("3.0"), ["d"] = 4L, ["e"] = 1.5f, ["f"] = JsonNode.Parse("12345678901234567890"),
        };

        Assert.Equal("1.0 2 3.0 4 1.5 1.2345678901234567e+19",
            ChatTemplate.Parse("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }}").Render(variables).Text);
    }
}
