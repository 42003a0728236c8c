using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests;

/// <summary>One processor with RAM at physical 0, for tests of single instructions and small programs.</summary>
/// <remarks>Valid until disposed; the RAM is page-aligned native memory.</remarks>
internal sealed unsafe class TestMachine : IDisposable
{
    private readonly ProcessorGroup _group = new();

    public TestMachine(int bytes = 1 << 20, EngineKind? engine = null, CodeCacheSizes? caches = null)
    {
        Bytes = bytes;
        Ram = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        NativeMemory.Clear(Ram, (nuint)bytes);
        _group.Memory.SetSlot(0, 0, 0, (ulong)bytes, Ram, readOnly: false, logDirty: false);
        Processor = new Processor(_group, Bus, 0, caches ?? TestEngine.Caches) { Engine = engine ?? TestEngine.Default, TranslateAfter = 0 };
    }

    public TestBus Bus { get; } = new();

    public int Bytes { get; }

    public byte* Ram { get; }

    public Processor Processor { get; }

    public CpuState* State => Processor.State;

    public Span<byte> Memory => new(Ram, Bytes);

    /// <summary>16-bit real mode at 0000:<paramref name="ip"/>, all segments at 0.</summary>
    public void RealMode(ulong ip)
    {
        State->Cs.Base = 0;
        State->Cs.Selector = 0;
        State->Rip = ip;
        Processor.UpdateMode(State);
    }

    public void Dispose()
    {
        Processor.Dispose();
        _group.Dispose();
        NativeMemory.AlignedFree(Ram);
    }
}
