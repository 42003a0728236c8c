using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Akvam.Devices;

namespace Akvam.Native;

/// <summary>The TSC of the host's processors, the same that programs of the host read with RDTSC.</summary>
/// <remarks>Valid because the code that reads it stays in memory as long as the process.</remarks>
internal sealed unsafe class HostTsc : ICounter
{
    /// <summary>Not by the name that programs use: to those that it serves, Akvam.Preload says "tsc" there on any host.</summary>
    private const string ClockSource = "/sys/bus/clocksource/devices/clocksource0/current_clocksource";

    private const uint FirstHypervisorLeaf = 0x4000_0000, FrequencyLeaf = 0x4000_0010, CrystalLeaf = 0x15, LastExtendedLeaf = 0x8000_0000, PowerLeaf = 0x8000_0007;
    private const int InvariantTsc = 1 << 8;
    private const int CodeSize = 4096;

    /// <summary>What the host says is believed when it is off by less than this part of what a short measurement gives, which is off by 20 ppm itself.</summary>
    private const uint Doubt = 2_000;

    private readonly delegate* unmanaged[SuppressGCTransition]<ulong> _read;

    private HostTsc(void* code)
    {
        _read = (delegate* unmanaged[SuppressGCTransition]<ulong>)code;
        Khz = FindKhz();
    }

    /// <summary>
    /// Null: there is none that can be taken for a clock. It has to count on at one rate whatever the processors do [APM3 E.4.6 TscInvariant], and the host's kernel, which
    /// knows whether those of all processors agree, has to keep its own time by it.
    /// </summary>
    public static HostTsc? Instance { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 && IsInvariant() && IsTrusted() && MakeCode() is var code && code != null ? new HostTsc(code) : null;

    public uint Khz { get; }

    public ulong Read() => _read();

    private static bool IsInvariant() => (uint)X86Base.CpuId(unchecked((int)LastExtendedLeaf), 0).Eax >= PowerLeaf
        && (X86Base.CpuId(unchecked((int)PowerLeaf), 0).Edx & InvariantTsc) != 0;

    /// <summary>A counter that the host's kernel takes for its clock, or a hypervisor for that of its guests, and that this process may read.</summary>
    private static bool IsTrusted()
    {
        // A process can have RDTSC taken away.
        int mode = 0;
        if (!OperatingSystem.IsLinux() || Libc.prctl(Libc.PR_GET_TSC, (nint)(&mode), 0, 0, 0) != 0 || mode != Libc.PR_TSC_ENABLE)
        {
            return false;
        }

        try
        {
            return File.ReadAllText(ClockSource).Trim() is "tsc" or "kvm-clock" or "hyperv_clocksource_tsc_page";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void* MakeCode()
    {
        // lfence; rdtsc; shl rdx, 32; or rax, rdx; ret. Without LFENCE it could be read before what comes before it. [APM3 RDTSC]
        ReadOnlySpan<byte> instructions = [0x0F, 0xAE, 0xE8, 0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];
        void* code = Libc.mmap(null, CodeSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        if (code == Libc.MapFailed)
        {
            return null;
        }

        instructions.CopyTo(new Span<byte>(code, CodeSize));
        if (Libc.mprotect(code, CodeSize, Libc.PROT_READ | Libc.PROT_EXEC) != 0)
        {
            _ = Libc.munmap(code, CodeSize);
            return null;
        }

        return code;
    }

    /// <summary>What the host says, if that is near what it does; else what it does, measured by the clock that nobody adjusts.</summary>
    private uint FindKhz()
    {
        (ulong Ticks, ulong Ns) start = Sample();
        uint told = ToldKhz();
        return told != 0 && KhzSince(start, milliseconds: 1) is var rough && Math.Abs((long)told - rough) < rough / Doubt ? told : KhzSince(start, milliseconds: 10);
    }

    private uint KhzSince((ulong Ticks, ulong Ns) start, int milliseconds)
    {
        Thread.Sleep(milliseconds);
        (ulong ticks, ulong ns) = Sample();
        ticks -= start.Ticks;
        ns -= start.Ns;
        return (uint)(((UInt128)ticks * 1_000_000 + ns / 2) / ns);
    }

    /// <summary>Both clocks at one moment: of several readings the one that took the shortest time.</summary>
    private (ulong Ticks, ulong Ns) Sample()
    {
        const int times = 50;
        (ulong Ticks, ulong Ns) best = default;
        ulong shortest = ulong.MaxValue;
        for (int i = 0; i < times; i++)
        {
            Libc.TimeSpec time;
            ulong before = Read();
            _ = Libc.clock_gettime(Libc.CLOCK_MONOTONIC_RAW, &time);
            ulong took = Read() - before;
            if (took < shortest)
            {
                shortest = took;
                best = (before + (took / 2), ((ulong)time.Seconds * 1_000_000_000) + (ulong)time.Nanoseconds);
            }
        }

        return best;
    }

    /// <summary>0: it does not say. Hypervisors have a leaf for it; Intel's processors the ratio to a crystal, if its frequency is known. [SDM3 18.7.3]</summary>
    private static uint ToldKhz()
    {
        if (X86Base.CpuId(1, 0).Ecx < 0 && (uint)X86Base.CpuId(unchecked((int)FirstHypervisorLeaf), 0).Eax is >= FrequencyLeaf and < FrequencyLeaf + 0xF0)
        {
            return (uint)X86Base.CpuId(unchecked((int)FrequencyLeaf), 0).Eax;
        }

        if ((uint)X86Base.CpuId(0, 0).Eax < CrystalLeaf)
        {
            return 0;
        }

        (int denominator, int numerator, int crystalHz, _) = X86Base.CpuId((int)CrystalLeaf, 0);
        return denominator == 0 ? 0 : (uint)((ulong)(uint)crystalHz * (uint)numerator / (uint)denominator / 1000);
    }
}
