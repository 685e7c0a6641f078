namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>The formats that are held to; others are notes to the reader, as the standard has it.</summary>
static class StringFormats
{
    const string Year = "[1-9][0-9]{3}", Hour = "(?:[01][0-9]|2[0-3])", Minute = "[0-5][0-9]";

    const string LeapYear = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)";

    const string Date = "(?:"
        + Year + "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|"
        + LeapYear + "-02-29)";

    const string Time = Hour + ":" + Minute + ":" + Minute + @"(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):" + Minute + ")";

    /// <summary>A pattern of the whole string, or null. Dates and times are RFC 3339's, in the years 1000 to 9999.</summary>
    public static string? Pattern(string format) => format switch
    {
        "date" => Date,
        "time" => Time,
        "date-time" => Date + "T" + Time,
        "uuid" => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "email" => @"[A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64})?@[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?){1,3}",
        "ipv4" => "(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])",
        _ => null,
    };
}
