using System.Diagnostics;
using Akvam.Cpu.Translator;

namespace Akvam.Cpu.Native;

/// <summary>Counts what had to go, and for how long nothing else was done meanwhile.</summary>
internal sealed class EvictionTally
{
    private long _regions, _blocks, _started;
    private TimeSpan _total, _longest;

    public EvictionStatistics Statistics => new() { Regions = _regions, Blocks = _blocks, Total = _total, Longest = _longest };

    public void BeginRegion() => _started = Stopwatch.GetTimestamp();

    public void AddBlock() => _blocks++;

    public void EndRegion()
    {
        TimeSpan time = Stopwatch.GetElapsedTime(_started);
        _regions++;
        _total += time;
        _longest = time > _longest ? time : _longest;
    }
}
