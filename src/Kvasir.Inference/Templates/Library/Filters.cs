using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>What stands behind a bar.</summary>
static class Filters
{
    static readonly FrozenDictionary<string, Function> s_filters = Function.Table(
        ("default|d value [default_value] [boolean]", call => Default(call)),
        ("length|count value", call => Sequences.Length(call[0]) ?? throw call.Wrong(0, "a list, a dictionary or text")),
        ("string value", call => PythonText.Of(call[0])),
        ("safe value", call => PythonText.Of(call[0])),
        ("escape|e value", call => TextFilters.Escape(PythonText.Of(call[0]), call.Rendering)),
        ("int value [default]", call => NumberFilters.Integer(call)),
        ("float value [default]", call => NumberFilters.Float(call)),
        ("abs value", call => NumberFilters.Absolute(call)),
        ("round value [precision] [method]", call => NumberFilters.Round(call)),
        ("tojson value [ensure_ascii] [indent] [separators] [sort_keys]", call => TextFilters.ToJson(call)),
        ("upper value", call => TextFilters.Apply("upper", call)),
        ("lower value", call => TextFilters.Apply("lower", call)),
        ("capitalize value", call => TextFilters.Apply("capitalize", call)),
        ("title value", call => Casing.Title(TextFilters.Subject(call), before => PythonText.IsSpace(before) || "-({[<".Contains(before))),
        ("trim value [chars]", call => Trimming.Strip(TextFilters.Subject(call), call.OptionalText(1))),
        ("replace value old new [count]", call => TextFilters.Replace(call)),
        ("indent value [width] [first] [blank]", call => TextFilters.Indent(call)),
        ("join value [d] [attribute]", call => TextFilters.Join(call)),
        ("list value", call => call.Items(0).ToList()),
        ("items value", call => call[0] is Undefined ? new List<object?>() : Dictionaries.Items(call.Dictionary(0))),
        ("first value", call => ListFilters.First(call.Items(0))),
        ("last value", call => ListFilters.First([.. call.Items(0).Reverse()])),
        ("reverse value", call => ListFilters.Reverse(call)),
        ("map value *", call => ListFilters.Map(call)),
        ("select value *", call => ListFilters.Select(call, wanted: true)),
        ("reject value *", call => ListFilters.Select(call, wanted: false)),
        ("selectattr value attribute *", call => ListFilters.SelectByAttribute(call, wanted: true)),
        ("rejectattr value attribute *", call => ListFilters.SelectByAttribute(call, wanted: false)),
        ("sort value [reverse] [case_sensitive] [attribute]", call => Sorting.Sort(call)),
        ("dictsort value [case_sensitive] [by] [reverse]", call => Sorting.SortDictionary(call)),
        ("unique value [case_sensitive] [attribute]", call => Sorting.Unique(call)),
        ("min value [case_sensitive] [attribute]", call => Sorting.Extreme(call, largest: false)),
        ("max value [case_sensitive] [attribute]", call => Sorting.Extreme(call, largest: true)),
        ("sum value [attribute] [start]", call => NumberFilters.Sum(call)));

    /// <exception cref="TemplateException">There is no such filter.</exception>
    public static Function Find(string name) => s_filters.TryGetValue(name, out Function? filter)
        ? filter
        : throw new TemplateException($"a filter {Formats.Printable.Quote(name)}, expected one that is known");

    static object? Default(Call call)
    {
        bool isMissing = call[0] is Undefined || (call.Flag(2) && !Kind.IsTrue(call[0]));
        return !isMissing ? call[0] : call.Has(1) ? call[1] : MarkedText.Empty;
    }
}
