using System.Globalization;
using System.Text;
using Akvam.Cpu;
using Akvam.Cpu.Translator;

namespace Akvam;

/// <summary>What the engine of a vCPU did so far. With the interpreter as the engine everything but the number of instructions is 0.</summary>
public sealed record EngineReport
{
    private const int LinesShown = 25;

    internal EngineReport(EngineKind engine, ulong instructions, TranslatorStatistics statistics)
    {
        IsTranslator = engine == EngineKind.Translator;
        Instructions = instructions;
        Statistics = statistics;
    }

    public bool IsTranslator { get; }

    /// <summary>Guest instructions completed.</summary>
    public ulong Instructions { get; }

    /// <summary>Instructions that host code left to the interpreter, by Iced's name of the code, most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Interpreted => Statistics.Interpreted;

    private TranslatorStatistics Statistics { get; }

    /// <summary>For people: what was translated, and which instructions host code left to the interpreter, and how often.</summary>
    public override string ToString()
    {
        if (!IsTranslator)
        {
            return string.Create(CultureInfo.InvariantCulture, $"interpreter: {Instructions:N0} guest instructions");
        }

        var text = new StringBuilder();
        long interpreted = Interpreted.Sum(p => p.Value);
        double all = Math.Max(1, Instructions);
        text.Append(CultureInfo.InvariantCulture, $"translator: {Instructions:N0} guest instructions, {Statistics.Cold:N0} of them ({Statistics.Cold / all:P2}) in code not hot enough to be translated")
            .Append(CultureInfo.InvariantCulture, $"\n  {Statistics.Blocks:N0} blocks translated: {Statistics.Instructions:N0} guest instructions, {Statistics.HostBytes:N0} bytes of host code")
            .Append(CultureInfo.InvariantCulture, $"\n  host code returned to the run loop {Statistics.Exits:N0} times; {Statistics.SlowAccesses:N0} memory accesses were not in its TLB")
            .Append(CultureInfo.InvariantCulture, $"\n  to make room, {Evicted(Statistics.HostCodeEvictions, "blocks lost their host code")}, {Evicted(Statistics.DecodedEvictions, "decoded blocks were dropped")}")
            .Append(CultureInfo.InvariantCulture, $"\n  {interpreted:N0} instructions in it ({interpreted / all:P2}) were left to the interpreter{(interpreted == 0 ? "" : ":")}");
        foreach ((string name, long count) in Interpreted.Take(LinesShown))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  {count,16:N0}  {count / all,8:P3}  {name}");
        }

        if (Interpreted.Count > LinesShown)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  {Interpreted.Skip(LinesShown).Sum(p => p.Value),16:N0}            {Interpreted.Count - LinesShown} others");
        }

        return text.ToString();
    }

    private static string Evicted(EvictionStatistics evictions, string what) => evictions.Regions == 0 ? $"no {what}" : string.Create(
        CultureInfo.InvariantCulture,
        $"{evictions.Blocks:N0} {what} in {evictions.Regions:N0} pauses of {evictions.Total.TotalMilliseconds / evictions.Regions:N2} ms, {evictions.Longest.TotalMilliseconds:N2} ms at most");
}
