namespace Akvam.Devices;

/// <summary>Nanoseconds and cycles of the 8254's 1.193182 MHz input.</summary>
internal static class PitTime
{
    public const ulong Frequency = 1_193_182;
    private const ulong NsPerSecond = 1_000_000_000;

    /// <summary>Whole cycles since time zero.</summary>
    public static ulong ToCycles(ulong ns) => (ulong)((UInt128)ns * Frequency / NsPerSecond);

    /// <summary>The first nanosecond of a cycle.</summary>
    public static ulong ToNs(ulong cycles) => (ulong)((((UInt128)cycles * NsPerSecond) + (Frequency - 1)) / Frequency);
}
