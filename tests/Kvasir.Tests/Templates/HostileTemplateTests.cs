using System.Text.Json.Nodes;
using CsCheck;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;

namespace Kvasir.Tests.Templates;

/// <summary>
/// Templates come with model files: none may overflow the stack, run for long, fill the memory or throw what callers do not expect.
/// </summary>
public sealed class HostileTemplateTests
{
    const string Twice = "{% set ns = namespace(t='ab') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}";

    public static TheoryData<string, string> Costly => new()
    {
        { "{{ " + Repeat("(", 50_000) + Repeat(")", 50_000) + " }}", "levels of brackets" },
        { "{{ " + Repeat("[", 50_000) + Repeat("]", 50_000) + " }}", "levels of brackets" },
        { "{{ " + Repeat("not ", 50_000) + "1 }}", "levels of brackets" },
        { "{{ " + Repeat("-", 50_000) + "1 }}", "levels of brackets" },
        { "{{ " + Repeat("1 if 1 else ", 50_000) + "1 }}", "levels of brackets" },
        { Repeat("{% if 1 %}", 50_000), "levels of brackets" },
        { Repeat("{% set a %}", 50_000), "levels of brackets" },
        { "{% for " + Repeat("(", 50_000) + Repeat(")", 50_000) + " %}", "levels of brackets" },
        { "{{ 1" + Repeat(" + 1", 100_000) + " }}", "evaluations within each other" },
        { "{{ 1" + Repeat("|abs", 100_000) + " }}", "evaluations within each other" },
        { "{{ a" + Repeat(".a", 100_000) + " }}", "evaluations within each other" },
        { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "evaluations within each other" },
        { "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}",
            "evaluations within each other" },
        { new string('x', 2_000_000), "a template of 2000000 characters" },
        { "{{ range(1000000000000) }}", "range: 1000000000000 numbers" },
        { "{{ range(-9223372036854775807, 9223372036854775807) }}", "range: 18446744073709551614 numbers" },
        { "{{ 'a' * 1000000000000 }}", "items 1000000000000 times" },
        { "{{ [1] * 1000000000000 }}", "items 1000000000000 times" },
        { "{{ 'a' | indent(1000000000000, true) }}", "an indentation of 1000000000000 spaces" },
        { "{{ [] | tojson(indent=1000000000000) }}", "an indentation of 1000000000000 spaces" },
        { Twice, "a text of more than" },
        { "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "short enough lists" },
        { "{% set l = [1] %}{% for i in range(60) %}{% set l2 = l.extend(l) %}{% endfor %}", "steps" },
        { Loops("x"), "steps" },
        { Loops(""), "steps" },
        { Loops("{{ 'abcdefghijklmnopqrstuvwxyz' * 1000 }}"), "a text of more than" },
        { Loops("{% if 'a' * 100000 == 'a' * 100000 %}{% endif %}"), "characters read and written" },
        { Loops("{% if 'b' in 'a' * 100000 %}{% endif %}"), "characters read and written" },
        { "{% set a, b = 'a' * 10000000, 'a' * 5000000 ~ 'b' ~ 'a' * 5000 %}{{ b in a }}", "characters read and written" },
        { "{% set a, b = 'a' * 10000000, 'a' * 500000 ~ 'b' %}{{ a.replace(b, '') | length }}", "characters read and written" },
        { "{% set a, b = 'a' * 10000000, 'a' * 500000 ~ 'b' %}{{ a.split(b) | length }}", "characters read and written" },
        { "{% set a = 'a ' * 8000000 %}{{ a.split() | length }}", "steps" },
        { "{% set a = 'a' * 16000000 %}{{ a | list | length }}", "steps" },
        { "{% set a = 'a' * 16000000 %}{{ a[::-1] | length }}", "steps" },
        { "{% set a = 'a' * 16000000 %}{{ a.replace('', a) | length }}", "steps" },
        { "{{ (['ab' * 100] * 1000000) | join('ab' * 100) }}", "a text of more than" },
        { "{{ ('{}' * 1000000).format('a') }}", "format: a field" },
        { Doubled(200) + "{{ a }}", "lists more than 100 deep" },
        { Doubled(60) + "{{ a }}", "a text of more than" },
        { Doubled(60) + "{{ a | tojson }}", "a text of more than" },
        { Doubled(60) + Doubled(60).Replace("a", "b", StringComparison.Ordinal) + "{{ a == b }}", "steps" },
        { Doubled(60) + Doubled(60).Replace("a", "b", StringComparison.Ordinal) + "{{ a < b }}", "steps" },
        { "{% set a = [] %}{% set b = a.append(a) %}{{ a }}", "lists more than 100 deep" },
        { "{% set a = [] %}{% set b = a.append(a) %}{{ a | tojson }}", "lists more than 100 deep" },
        { "{% set a, b = [], [] %}{% set c = a.append(a) %}{% set c = b.append(b) %}{{ a == b }}",
            "a comparison more than 100 lists deep" },
        { "{% set a, b = [], [] %}{% set c = a.append(a) %}{% set c = b.append(b) %}{{ a < b }}", "an order: a list" },
        { "{% set a = {} %}{% set b = a.update(x=a) %}{{ a }}", "lists more than 100 deep" },
        { "{% set a = [1] %}{% for x in a %}{% set b = a.append(1) %}{% endfor %}{{ a | length }}{{ nix.x }}", "'nix' is undefined" },
        { "{{ [1, 'a', none] | sort }}", "an order: " },
        { "{{ -9223372036854775807 - 2 }}{{ 9223372036854775807 * 9 }}", "more than 64 bits" },
        { "{{ (-9223372036854775807 - 1) // -1 }}", "more than 64 bits" },
        { "{{ (-9223372036854775807 - 1) % -1 }}{{ nix.x }}", "'nix' is undefined" },
    };

    [Theory, MemberData(nameof(Costly))]
    public void A_costly_template_is_stopped(string source, string message)
    {
        var refusal = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).Render([]));

        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
        Assert.InRange(refusal.Message.Length, 1, 300);
    }

    [Fact]
    public void The_depth_that_is_allowed_fits_a_small_stack()
    {
        Exception? failure = null;
        var thread = new Thread(() => failure = Record.Exception(() =>
        {
            ChatTemplate.Parse("{{ " + Repeat("(", 95) + "1" + Repeat(")", 95) + " }}").Render([]);
            ChatTemplate.Parse(Repeat("{% if 1 %}", 95) + Repeat("{% endif %}", 95)).Render([]);
            const string Call = "{{ [{'a': a | default(1)}, 1 + m(a=[1, m(1)] | map('string') | list)] }}";
            ChatTemplate endless = ChatTemplate.Parse(
                "{% macro m(a) %}{% for i in [1] %}{% if 1 %}" + Call + "{% endif %}{% endfor %}{% endmacro %}{{ m() }}");
            Assert.Throws<TemplateException>(() => endless.Render([]));
        }), 1 << 20);

        thread.Start();
        thread.Join();

        Assert.Null(failure);
    }

    [Fact]
    public void Mutated_templates_throw_nothing_else_and_end()
    {
        string[] sources = [.. Corpus.Names.Select(Corpus.Source), .. Corpus.Goldens("language").Select(golden => golden.Source!)];
        string[] pieces = ["{{", "}}", "{%", "%}", "{#", "#}", "-", "'", "\"", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "~",
            "+", "**", "\\", "\n", " if ",
            " else ", " in ", " is ", " not ", "for ", "set ", "0", "9999999999", "1e999", "none", "loop", "messages", "range(9)", "\0",
            "\ud83c", "é", "%", "|list", "|tojson",
            ".append(messages)", "namespace(", "|sort", "|join('x')", "[::-1]", "{% endfor %}", "{% endif %}", "{% macro m(a=m()) %}",
            "{% endmacro %}", "m(", "caller()"];
        var mutation = Gen.Select(Gen.Int[0, 99_999], Gen.Int[0, 12], Gen.Int[0, pieces.Length - 1]);
        Gen.Select(Gen.Int[0, sources.Length - 1], mutation.Array[1, 6], Gen.Int[0, 30]).Sample((source, mutations, conversation) =>
        {
            string mutated = sources[source];
            foreach (var (place, cut, piece) in mutations)
            {
                int at = place % (mutated.Length + 1);
                mutated = mutated[..at] + pieces[piece] + mutated[Math.Min(mutated.Length, at + cut)..];
            }
            JsonObject variables = conversation == 0
                ? Corpus.LanguageVariables
                : Corpus.Variables(Corpus.Conversations.ElementAt(conversation));

            var failure = Record.Exception(() => ChatTemplate.Parse(mutated).Render(variables, Corpus.Clock));

            Assert.True(failure is null or TemplateException, $"{failure}\n{mutated}");
        }, iter: 20_000);
    }

    [Fact]
    public void Random_expressions_throw_nothing_else()
    {
        Gen<string> leaf = Gen.OneOf("1", "0", "-1", "2.5", "'a'", "''", "'é🎉\ud83c'", "none", "true", "list", "dict", "people", "text",
            "nix", "{}", "[]", "()", "range(3)", "namespace()", "range");
        Gen<string> filter = Gen.OneOf("default", "length", "string", "e", "int", "float", "abs", "round", "tojson", "upper", "title",
            "trim", "replace", "indent", "join", "list", "items",
            "first", "last", "reverse", "map", "select", "selectattr", "reject", "sort", "dictsort", "unique", "min", "max", "sum");
        Gen<string> method = Gen.OneOf("split", "strip", "replace", "startswith", "format", "find", "count", "join", "partition",
            "splitlines", "get", "items", "pop", "update",
            "append", "insert", "extend", "index", "title", "isdigit", "rsplit", "zz");
        Gen<string> test = Gen.OneOf("defined", "string", "even", "divisibleby", "eq", "lt", "in", "iterable", "sameas", "upper");
        Gen<string> sign = Gen.OneOf("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", ">=", "in", "not in", "and", "or");
        Gen<string> expression = leaf;
        for (int depth = 0; depth < 3; depth++)
        {
            Gen<string> inner = expression;
            expression = Gen.OneOf(
                inner,
                Gen.Select(inner, sign, inner, (a, s, b) => $"({a} {s} {b})"),
                Gen.Select(inner, filter, inner, (a, f, b) => $"{a}|{f}({b})"),
                Gen.Select(inner, filter, (a, f) => $"{a}|{f}"),
                Gen.Select(inner, method, inner, inner, (a, m, b, c) => $"{a}.{m}({b}, {c})"),
                Gen.Select(inner, method, inner, (a, m, b) => $"{a}.{m}({b})"),
                Gen.Select(inner, test, inner, (a, t, b) => $"({a} is {t}({b}))"),
                Gen.Select(inner, inner, inner, (a, b, c) => $"{a}[{b}:{c}]"),
                Gen.Select(inner, inner, (a, b) => $"{a}[{b}]"),
                Gen.Select(inner, inner, (a, b) => $"[{a}, {b}]"),
                Gen.Select(inner, inner, (a, b) => "{" + $"{a}: {b}" + "}"));
        }
        expression.Sample(source =>
        {
            var failure = Record.Exception(() => ChatTemplate.Parse("{{ " + source + " }}").Render(Corpus.LanguageVariables, Corpus.Clock));
            Assert.True(failure is null or TemplateException { RaisedByTemplate: false }, $"{failure}\n{source}");
        }, iter: 10_000);
    }

    static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    static string Loops(string body) =>
        "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}" + body + "{% endfor %}{% endfor %}{% endfor %}";

    /// <summary>A list of few objects and many paths.</summary>
    static string Doubled(int times) => "{% set a = [1, 1] %}" + Repeat("{% set a = [a, a] %}", times);
}
