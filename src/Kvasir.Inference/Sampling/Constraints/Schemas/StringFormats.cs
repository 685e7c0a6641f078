namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// The formats that are held to: each is a pattern of texts that satisfy it, of the common ones rather than of all. A model is not asked
/// for the odd corners of a standard, and readers differ about them.
/// </summary>
static class StringFormats
{
    const string Year = "[1-9][0-9]{3}", Hour = "(?:[01][0-9]|2[0-3])", Minute = "[0-5][0-9]";

    const string LeapYear = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)";

    const string Date = "(?:"
        + Year + "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|"
        + LeapYear + "-02-29)";

    const string Time = Hour + ":" + Minute + ":" + Minute + @"(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):" + Minute + ")";

    const string Count = "(?:0|[1-9][0-9]{0,5})", TimeOfDuration = "T(?:" + Count + "H(?:" + Count + "M(?:" + Count + "S)?)?|"
        + Count + "M(?:" + Count + "S)?|" + Count + "S)";

    const string DateOfDuration = "(?:" + Count + "Y(?:" + Count + "M(?:" + Count + "D)?)?|" + Count + "M(?:" + Count + "D)?|" + Count + "D)";

    const string Duration = "P(?:" + DateOfDuration + "(?:" + TimeOfDuration + ")?|" + TimeOfDuration + "|" + Count + "W)";

    const string Label = "[A-Za-z0-9]{1,15}(?:-[A-Za-z0-9]{1,15}){0,2}", LastLabel = "[A-Za-z][A-Za-z0-9]{1,22}"; // the longest top-level domain has 24

    const string Hostname = "(?:" + Label + @"\.){0,4}" + LastLabel;

    const string Mailbox = "[A-Za-z0-9](?:[A-Za-z0-9_+-]{0,30}[A-Za-z0-9])?"; // some validators want a letter or a digit at both ends

    const string Email = Mailbox + @"(?:\." + Mailbox + ")?@(?:" + Label + @"\.){1,3}" + LastLabel;

    const string Byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", IPv4 = "(?:" + Byte + @"\.){3}" + Byte;

    const string Escaped = "%[0-9A-F]{2}", Segment = "(?:[A-Za-z0-9_~!$&'()*+,;=:@.-]|" + Escaped + ")";

    const string Tail = @"(?:\?(?:" + Segment + @"|[/?])*)?(?:#(?:" + Segment + "|[/?])*)?";

    const string Uri = "(?:https?|ftps?|wss?)://" + Hostname + "(?::[1-9][0-9]{0,3})?(?:/" + Segment + "*)*" + Tail
        + "|urn:[a-z0-9]{2,16}:[A-Za-z0-9_.:-]+|mailto:" + Email;

    const string Pointer = "(?:/(?:[^/~]|~[01])*)*";

    const string Atom = @"(?:[A-Za-z0-9_ ,;:@#%&=!<>'""/-]|\\[dDwWsSnt.\\/*+?()|^$]|\.|\[\^?(?:a-z|A-Z|0-9|[A-Za-z0-9_.]|\\[dws-])+\])",
        Times = @"(?:[*+?]|\{[0-9]\}|\{[0-9],\}|\{[0-4],[5-9]\})?", Atoms = "(?:" + Atom + Times + ")*",
        Group = @"\((?:\?:)?" + Atoms + @"(?:\|" + Atoms + @")*\)" + Times;

    const string Regex = @"\^?(?:" + Atom + Times + "|" + Group + @")*(?:\|(?:" + Atom + Times + "|" + Group + @")*)*\$?";

    /// <summary>
    /// A pattern of the whole string; null for a format that is not known. Dates and times are RFC 3339's, in the years 1000 to 9999; where
    /// a format takes all that another takes, too, it has the other's texts.
    /// </summary>
    public static string? Pattern(string format) => format switch
    {
        "date" => Date,
        "time" => Time,
        "date-time" => Date + "T" + Time,
        "duration" => Duration,
        "uuid" => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "email" or "idn-email" => Email,
        "hostname" or "idn-hostname" => Hostname,
        "ipv4" => IPv4,
        "ipv6" => IPv6,
        "uri" or "uri-reference" or "iri" or "iri-reference" or "uri-template" => Uri,
        "json-pointer" => Pointer,
        "relative-json-pointer" => "(?:0|[1-9][0-9]{0,3})(?:#|" + Pointer + ")",
        "regex" => Regex,
        "byte" => "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
        "binary" or "password" => @"[^]*", // notes to the reader: any text
        _ => null,
    };

    /// <summary>
    /// A pattern of all that a validator might take for a text of a format, and of more: what excludes one must exclude all of these. Null for
    /// a format that is not known.
    /// </summary>
    public static string? WidePattern(string format) => format switch
    {
        "date" => "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "time" => "[0-9]{2}:[0-9]{2}[^]*",
        "date-time" => "[0-9]{4}-[0-9]{2}-[0-9]{2}[^0-9-][^]*",
        "duration" => "P[^]*",
        "uuid" => "[0-9A-Fa-f]{8}-[^]*",
        "email" or "idn-email" => "[^]*@[^]*",
        "ipv4" => "[0-9A-Fa-fx.]*",
        "ipv6" => "[^]*:[^]*",
        "uri" or "iri" => "[A-Za-z][A-Za-z0-9+.-]*:[^]*",
        "json-pointer" => "(?:/[^]*)?",
        "relative-json-pointer" => "[0-9][^]*",
        _ => Pattern(format) is null ? null : "[^]*",
    };

    /// <summary>Eight groups, or fewer of them on both sides of one <c>::</c> (RFC 4291).</summary>
    static string IPv6
    {
        get
        {
            const string Sixteen = "[0-9a-f]{1,4}";
            IEnumerable<string> shortened = Enumerable.Range(0, 7).Select(before => Groups(before) + "::"
                + (before == 6 ? "" : $"(?:{Sixteen}(?::{Sixteen}){{0,{5 - before}}})?"));
            return $"(?:{Sixteen}:){{7}}{Sixteen}|{string.Join('|', shortened)}";

            static string Groups(int count) => count == 0 ? "" : $"{Sixteen}(?::{Sixteen}){{{count - 1}}}";
        }
    }
}
