using System.Text.Json;

namespace Akvam.Cli.Bench;

/// <summary>Writes all samples of a benchmark as JSON.</summary>
internal static class BenchJson
{
    /// <summary>Writes one object: the settings, then for each phase the nanoseconds per unit of each engine's rounds.</summary>
    public static void Write(Stream stream, BenchReport report, IReadOnlyList<string> engines, int scale)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("scale", scale);
        json.WriteStartArray("phases");
        foreach (string phase in report.Phases)
        {
            json.WriteStartObject();
            json.WriteString("phase", phase);
            json.WriteString("unit", $"ns/{BenchReport.Unit(phase)}");
            foreach (string engine in engines)
            {
                json.WriteStartArray(engine);
                foreach (double sample in report.Samples(phase, engine))
                {
                    json.WriteNumberValue(Math.Round(sample, 4));
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteTexts(json, "notes", report.Notes);
        WriteTexts(json, "failures", report.Failures);
        json.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
