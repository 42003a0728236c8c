using System.Globalization;
using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Devices;

namespace Akvam;

/// <summary>
/// What a VM takes from outside that is not its client's request: time and randomness. The defaults are the host's; a deterministic run replaces all five.
/// </summary>
public sealed record VmOptions
{
    private static readonly (string Name, ProcessorQuirks Quirk)[] s_quirks = [("kvm-nmi-rsm", ProcessorQuirks.KvmNmiRsm), ("kvm-init-smi", ProcessorQuirks.KvmInitSmi)];

    /// <summary>
    /// Monotonic time; of a <see cref="CounterClock"/> the guest's TSC has the counter's ticks, of another nanoseconds. Null: the host's, counted by its TSC where that is invariant.
    /// </summary>
    public IClock? Clock { get; init; }

    /// <summary>Runs the timers of the devices, in the time of <see cref="Clock"/>. Null: a thread per VM.</summary>
    public ITimerHost? Timers { get; init; }

    /// <summary>Date and time, asked for only when kvmclock's origin is read or set.</summary>
    public TimeProvider WallClock { get; init; } = TimeProvider.System;

    /// <summary>RDRAND and RDSEED. Null: the host's.</summary>
    public IRandomSource? Random { get; init; }

    /// <summary>How long vCPU threads waited for a processor. Null: the host's, where its kernel keeps it.</summary>
    public IStealTimeSource? StealTime { get; init; }

    /// <summary>How long a vCPU sleeps at a time, at most, whose guest waits in a loop with PAUSE. Of 20 µs the host makes about 70.</summary>
    public TimeSpan PauseSleep { get; init; } = TimeSpan.FromMicroseconds(20);

    /// <summary>Lists generated code in /tmp/perf-PID.map, where perf looks for its names. Without a wish, AKVAM_PERF_MAP=1 decides.</summary>
    public bool PerfMap { get; init; } = Environment.GetEnvironmentVariable("AKVAM_PERF_MAP") is "1";

    /// <summary>A folder for files with the guest and host code of each translated block, one file a vCPU. Null: none. Without a wish, AKVAM_DUMP_BLOCKS decides.</summary>
    public string? DumpBlocks { get; init; } = Environment.GetEnvironmentVariable("AKVAM_DUMP_BLOCKS");

    /// <summary>Keeps a copy of each translation for <see cref="Vcpu.DescribeTranslation"/>.</summary>
    public bool KeepTranslations { get; init; }

    /// <summary>
    /// UD2 followed by the letters "kvm" is a prefix without meaning, as tests of emulators want it. Without a wish, force_emulation_prefix=1 in
    /// AKVAM_PARAMETERS decides, which holds parameters as the kernel's module takes them.
    /// </summary>
    public bool ForceEmulationPrefix { get; init; } = ModuleParameter("force_emulation_prefix") is "1" or "2";

    /// <summary>VMware's ports 5658h and 5659h are open to all guest programs. Without a wish, enable_vmware_backdoor=Y in AKVAM_PARAMETERS decides.</summary>
    public bool VmwareBackdoor { get; init; } = ModuleParameter("enable_vmware_backdoor") is "Y" or "y" or "1";

    /// <summary>
    /// Page tables with address bits that the guest's processor does not have are looked at by the kernel's emulator, with its limits, instead of #PF for every
    /// instruction. Without a wish, allow_smaller_maxphyaddr=Y in AKVAM_PARAMETERS decides. [KVM 8.26 KVM_CAP_SMALLER_MAXPHYADDR]
    /// </summary>
    public bool EmulateSmallerAddresses { get; init; } = ModuleParameter("allow_smaller_maxphyaddr") is "Y" or "y" or "1";

    /// <summary>
    /// Where KVM and the manuals part on System Management Mode, what to do as KVM: <see cref="ProcessorQuirks.KvmNmiRsm"/> and <see cref="ProcessorQuirks.KvmInitSmi"/>.
    /// Without a wish, AKVAM_QUIRKS decides, which holds their names with commas between.
    /// </summary>
    public ProcessorQuirks Quirks { get; init; } = s_quirks.Where(q => (Environment.GetEnvironmentVariable("AKVAM_QUIRKS") ?? string.Empty).Split(',').Contains(q.Name))
        .Aggregate(ProcessorQuirks.None, (all, q) => all | q.Quirk);

    /// <summary>
    /// What executes guest code. Without a wish, the environment variable AKVAM_ENGINE (interpreter or translator) decides, and without that it is the translator, or on
    /// hosts that are not x86-64 the interpreter: the first of <see cref="EngineNames"/>.
    /// </summary>
    public EngineKind Engine { get; init; } = Enum.Parse<EngineKind>(
        EngineNames.FirstOrDefault(name => name.Equals(Environment.GetEnvironmentVariable("AKVAM_ENGINE"), StringComparison.OrdinalIgnoreCase)) ?? EngineNames[0], ignoreCase: true);

    /// <summary>How often the translator interprets a piece of code before it translates it. Without a wish, AKVAM_TRANSLATE_AFTER decides: 0 makes it translate everything.</summary>
    public int TranslateAfter { get; init; } =
        int.TryParse(Environment.GetEnvironmentVariable("AKVAM_TRANSLATE_AFTER"), NumberStyles.None, CultureInfo.InvariantCulture, out int times) ? times : Processor.DefaultTranslateAfter;

    /// <summary>How much decoded and translated code each vCPU keeps. Without a wish what a Linux system fits in; for tests only, AKVAM_TEST_CACHES=N makes it N times less, so that there is no more room all the time.</summary>
    public CodeCacheSizes CacheSizes { get; init; } =
        int.TryParse(Environment.GetEnvironmentVariable("AKVAM_TEST_CACHES"), NumberStyles.None, CultureInfo.InvariantCulture, out int by) ? CodeCacheSizes.DividedBy(by) : new();

    /// <summary>The names of the engines that run on this host; the one that runs without a wish comes first.</summary>
    public static IReadOnlyList<string> EngineNames { get; } =
        RuntimeInformation.ProcessArchitecture == Architecture.X64 ? ["translator", "interpreter"] : ["interpreter"];

    /// <summary>What a person should know about the engines of this host, or null: both are there.</summary>
    public static string? EngineNote { get; } = EngineNames.Count > 1 ? null
        : $"this host is not x86-64 but {RuntimeInformation.ProcessArchitecture}: guest code is interpreted, which is several times slower than translating it";

    /// <summary>These options for a machine that does the same in every run with the same input: its time is <paramref name="time"/>, its random numbers are always the same.</summary>
    public VmOptions WithVirtualTime(VirtualTime time) => this with { Clock = time, Timers = time, WallClock = time, StealTime = time, Random = new SeededRandomSource(1) };

    /// <summary>These options with an engine by its name.</summary>
    /// <param name="name">One of <see cref="EngineNames"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such engine on this host.</exception>
    public VmOptions WithEngine(string name) =>
        EngineNames.Contains(name) ? this with { Engine = Enum.Parse<EngineKind>(name, ignoreCase: true) } : throw new ArgumentOutOfRangeException(nameof(name), name, "no such engine");

    internal static string? ModuleParameter(string name)
    {
        foreach (string assignment in (Environment.GetEnvironmentVariable("AKVAM_PARAMETERS") ?? string.Empty).Split(' '))
        {
            if (assignment.StartsWith(name + '=', StringComparison.Ordinal))
            {
                return assignment[(name.Length + 1)..];
            }
        }

        return null;
    }
}
