using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>A <see cref="TestMachine"/> with SMRAM: in SMM, 128 KiB at 30000h are other memory than outside. The handler is RSM alone unless a test writes another.</summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class SmmMachine : IDisposable, ITraceSink
{
    public const ulong SmramStart = 0x30000, SmramSize = 0x20000, Rip = 0x1000;
    private readonly byte* _smram;

    public SmmMachine(GuestMode mode = GuestMode.Real, bool longMap = true, EngineKind engine = EngineKind.Interpreter)
    {
        Inner = new TestMachine(engine: engine);
        _smram = (byte*)NativeMemory.AlignedAlloc((nuint)SmramSize, 4096);
        Smram.Clear();
        Inner.Processor.Group.Memory.SetSlot(1, 1, 0, SmramStart, Inner.Ram, false, false);
        MapSmram(true);
        Inner.Processor.Group.Memory.SetSlot(1, 3, SmramStart + SmramSize, (ulong)Inner.Bytes - SmramStart - SmramSize, Inner.Ram + SmramStart + SmramSize, false, false);
        CpuidEntry[] table = CpuidModel.Supported();
        foreach (ref CpuidEntry e in table.AsSpan())
        {
            e.Edx &= e.Function == 0x8000_0001 && !longMap ? ~(1u << 29) : ~0u;
        }

        Inner.Processor.Cpuid.SetEntries(table);
        ModeSetup.Enter(Inner, mode, Rip);
        Handler(0x0F, 0xAA);
        Inner.Memory.Slice((int)Rip, 64).Fill(0x90);
        Inner.Processor.Trace = this;
    }

    public TestMachine Inner { get; }

    public CpuState* S => Inner.State;

    public Span<byte> Smram => new(_smram, (int)SmramSize);

    public List<string> Trace { get; } = [];

    /// <summary>Called at each trace event.</summary>
    public Action? Traced { get; set; }

    public void MapSmram(bool present) => Inner.Processor.Group.Memory.SetSlot(1, 2, SmramStart, present ? SmramSize : 0, _smram, false, false);

    /// <summary>Writes the handler's code for the current SMBASE.</summary>
    public void Handler(params byte[] code) => code.CopyTo(Smram[(int)(S->Smbase + 0x8000 - SmramStart)..]);

    /// <summary>A field of the image, by its offset from SMBASE.</summary>
    public ref T Image<T>(int offset)
        where T : unmanaged => ref *(T*)(_smram + (S->Smbase + (ulong)offset - SmramStart));

    /// <summary>An SMI; the handler has not executed anything yet.</summary>
    public void EnterSmm()
    {
        S->SmiPending = 1;
        Assert.Equal(RunResult.Limit, Inner.Processor.Run(0));
        Assert.Equal(1, S->InSmm);
    }

    public RunResult Run(ulong instructions) => Inner.Processor.Run(instructions);

    /// <summary>Everything that SMI and RSM promise to restore, one line a register.</summary>
    public string Describe()
    {
        CpuState* s = S;
        var text = new System.Text.StringBuilder();
        for (int n = 0; n < 16; n++)
        {
            text.AppendLine($"r{n} {s->Gpr[n]:x}");
        }

        text.AppendLine($"rip {s->Rip:x} flags {LazyFlags.Read(s):x} cpl {s->Cpl} mode {s->Mode} shadow {s->Shadow} nmi {s->NmiMasked} smm {s->InSmm} smbase {s->Smbase:x}");
        text.AppendLine($"cr0 {s->Cr0:x} cr2 {s->Cr2:x} cr3 {s->Cr3:x} cr4 {s->Cr4:x} efer {s->Efer:x} dr6 {s->Dr6:x} dr7 {s->Dr7:x} dr0 {s->Dr[0]:x}");
        text.AppendLine($"gdt {s->GdtBase:x}+{s->GdtLimit:x} idt {s->IdtBase:x}+{s->IdtLimit:x} masks {s->RipMask:x} {s->StackMask:x} pdpte {s->Pdpte[0]:x} {s->Pdpte[1]:x}");
        for (int n = 0; n < 8; n++)
        {
            SegmentRegister r = (&s->Es)[n];
            text.AppendLine($"seg{n} {r.Selector:x} {r.Base:x} {r.Limit:x} {r.Attributes:x} {r.Unusable}");
        }

        return text.ToString();
    }

    void ITraceSink.Write(Processor processor, string name, string text)
    {
        Trace.Add($"{name}: {text}");
        Traced?.Invoke();
    }

    public void Dispose()
    {
        Inner.Dispose();
        NativeMemory.AlignedFree(_smram);
    }
}
