using Akvam.Cpu;
using Akvam.Devices;

namespace Akvam;

/// <summary>
/// What a VM takes from outside that is not its client's request: time and randomness. The defaults are the host's; a deterministic run replaces all four.
/// </summary>
public sealed record VmOptions
{
    /// <summary>Monotonic time. Null: the host's.</summary>
    public IClock? Clock { get; init; }

    /// <summary>Runs the timers of the devices, in the time of <see cref="Clock"/>. Null: a thread per VM.</summary>
    public ITimerHost? Timers { get; init; }

    /// <summary>Date and time, asked for only when kvmclock's origin is read or set.</summary>
    public TimeProvider WallClock { get; init; } = TimeProvider.System;

    /// <summary>RDRAND and RDSEED. Null: the host's.</summary>
    public IRandomSource? Random { get; init; }

    /// <summary>What executes guest code. Without a wish, the environment variable AKVAM_ENGINE (interpreter or translator) decides, and without that the interpreter runs.</summary>
    public EngineKind Engine { get; init; } =
        Enum.TryParse(Environment.GetEnvironmentVariable("AKVAM_ENGINE"), ignoreCase: true, out EngineKind engine) ? engine : EngineKind.Interpreter;
}
