using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>Akvam's processor in 64-bit mode at CPL 3 with the scratch memory at the addresses that <see cref="HostCpu"/> uses.</summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class GuestCpu : IDisposable
{
    private const ulong Tables = 0x1000;
    private readonly ProcessorGroup _group = new();
    private readonly Processor _processor;
    private readonly byte* _low, _scratch, _code;

    public GuestCpu(EngineKind? engine = null)
    {
        _low = Allocate(0, 0x1_0000, 0);
        _scratch = Allocate(1, HostCpu.ScratchBytes, HostCpu.ScratchAddress);
        _code = Allocate(2, 0x1_0000, HostCpu.CodeAddress);
        _processor = new Processor(_group, new TestBus(), 0, TestEngine.Caches) { Engine = engine ?? TestEngine.Default, TranslateAfter = 0 };
        _processor.Cpuid.SetEntries(CpuidModel.Supported());

        // Identity map of the first GiB by 2 MiB pages, user and writable.
        *(ulong*)(_low + Tables) = (Tables + 0x1000) | 7;
        *(ulong*)(_low + Tables + 0x1000) = (Tables + 0x2000) | 7;
        for (ulong n = 0; n < 512; n++)
        {
            ((ulong*)(_low + Tables + 0x2000))[n] = (n << 21) | 0x87;
        }
    }

    public CpuState* State => _processor.State;

    public Span<byte> Scratch => new(_scratch, HostCpu.ScratchBytes);

    public Span<byte> Code => new(_code, 0x1000);

    /// <summary>Executes one instruction; false when it raised a fault (then in <see cref="CpuState.Fault"/>).</summary>
    public bool Run(ReadOnlySpan<byte> instruction, MachineState* state)
    {
        CpuState* s = State;
        _processor.Reset();
        s->Cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE | Cr4.FSGSBASE;
        s->Xcr0 = 7;
        s->Cr3 = Tables;
        s->Efer = Efer.LME | Efer.LMA | Efer.SCE | Efer.NXE;
        s->Cr0 = Cr0.PE | Cr0.PG | Cr0.NE | Cr0.WP | Cr0.ET | Cr0.MP;
        s->Cs = new SegmentRegister { Selector = 0x33, Limit = uint.MaxValue, Attributes = 0xA0FB };
        s->Ss = s->Ds = s->Es = s->Fs = s->Gs = new SegmentRegister { Selector = 0x2B, Limit = uint.MaxValue, Attributes = 0xC0F3 };
        s->Cpl = 3;
        LazyFlags.Write(s, state->Rflags & ~Rflags.IF);
        for (int n = 0; n < 16; n++)
        {
            s->Gpr[n] = state->Gpr[n];
        }

        new Span<byte>(state->Ymm, 512).CopyTo(new Span<byte>(s->Vector, 512));
        new Span<byte>(state->Fx, 160).CopyTo(new Span<byte>(s->Fx, 160));
        s->Mxcsr = (uint)state->Mxcsr;
        instruction.CopyTo(Code);
        Code[instruction.Length] = 0xF4;
        s->Rip = HostCpu.CodeAddress;
        _processor.InterceptedExceptions = uint.MaxValue;
        ControlRegisters.Reloaded(s);
        bool done = _processor.Engine == EngineKind.Interpreter ? RunOne() : RunToHalt(instruction.Length);
        for (int n = 0; n < 16; n++)
        {
            state->Gpr[n] = s->Gpr[n];
        }

        state->Rflags = LazyFlags.Read(s) | Rflags.IF;
        state->Mxcsr = s->Mxcsr;
        new Span<byte>(s->Vector, 512).CopyTo(new Span<byte>(state->Ymm, 512));
        new Span<byte>(s->Fx, 160).CopyTo(new Span<byte>(state->Fx, 160));
        return done;
    }

    private bool RunOne()
    {
        RunResult result;
        do
        {
            result = _processor.Run(1);
        }
        while (result == RunResult.Kicked);
        return result == RunResult.Limit;
    }

    /// <summary>Without a limit, so that blocks are executed as a whole: the HLT behind the instruction is refused at CPL 3.</summary>
    private bool RunToHalt(int length)
    {
        RunResult result;
        do
        {
            result = _processor.Run();
        }
        while (result == RunResult.Kicked);
        return result == RunResult.Debug && State->Fault.Vector == Akvam.Cpu.State.Vector.GP && State->Rip == HostCpu.CodeAddress + (ulong)length;
    }

    private byte* Allocate(int slot, int bytes, ulong gpa)
    {
        byte* p = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        NativeMemory.Clear(p, (nuint)bytes);
        _group.Memory.SetSlot(0, slot, gpa, (ulong)bytes, p, readOnly: false, logDirty: false);
        return p;
    }

    public void Dispose()
    {
        _processor.Dispose();
        _group.Dispose();
        NativeMemory.AlignedFree(_low);
        NativeMemory.AlignedFree(_scratch);
        NativeMemory.AlignedFree(_code);
    }
}
