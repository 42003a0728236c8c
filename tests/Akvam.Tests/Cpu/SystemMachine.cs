using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Tests.Cpu;

/// <summary>
/// One processor with hand-built GDT, IDT and TSS in 1 MiB of RAM at 0. Every vector has a gate to its own endless loop, so after a run RIP says which
/// event was delivered.
/// </summary>
/// <remarks>Valid until disposed; the RAM is page-aligned native memory.</remarks>
internal sealed unsafe class SystemMachine : IDisposable
{
    public const int Size = 1 << 20;
    public const int Gdt = 0x1000, Idt = 0x2000, Tss = 0x3000, OtherTss = 0x3400, Ldt = 0x3800, Tables = 0x20000;
    public const int Code = 0x8000, Handlers = 0x9000, InnerStack = 0x6000, Stack = 0x7000, Ring1Stack = 0x5000;

    public const ushort Code0 = 0x08, Data0 = 0x10, Code3 = 0x1B, Data3 = 0x23, TssSelector = 0x28, Code16 = 0x30, Conforming = 0x38, Code1 = 0x41, Data1 = 0x49,
        AbsentCode = 0x50, AbsentData = 0x58, Code64 = 0x60, OtherTssSelector = 0x68, CallGate = 0x70, TaskGate = 0x78, LdtSelector = 0x80, ExecuteOnly = 0x88,
        ReadOnly = 0x90, SmallCode = 0x98, Code64User = 0xA3, Tss64 = 0xB0, CallGate64 = 0xC0, OtherLdt = 0xD0;

    private readonly ProcessorGroup _group = new();
    private readonly byte* _ram = (byte*)NativeMemory.AlignedAlloc(Size, 4096);

    private SystemMachine()
    {
        NativeMemory.Clear(_ram, Size);
        _group.Memory.SetSlot(0, 0, 0, Size, _ram, readOnly: false, logDirty: false);
        Processor = new Processor(_group, Bus, 0) { Engine = TestEngine.Default, TranslateAfter = 0 };
        SetDescriptor(Code0, Segment(0, 0xFFFFF, 0x9B, 0xC));
        SetDescriptor(Data0, Segment(0, 0xFFFFF, 0x93, 0xC));
        SetDescriptor(Code3, Segment(0, 0xFFFFF, 0xFB, 0xC));
        SetDescriptor(Data3, Segment(0, 0xFFFFF, 0xF3, 0xC));
        SetDescriptor(TssSelector, Segment(Tss, 0x87, 0x8B, 0));
        SetDescriptor(Code16, Segment(0, 0xFFFF, 0x9B, 0));
        SetDescriptor(Conforming, Segment(0, 0xFFFFF, 0x9F, 0xC));
        SetDescriptor(Code1, Segment(0, 0xFFFFF, 0xBB, 0xC));
        SetDescriptor(Data1, Segment(0, 0xFFFFF, 0xB3, 0xC));
        SetDescriptor(AbsentCode, Segment(0, 0xFFFFF, 0x1B, 0xC));
        SetDescriptor(AbsentData, Segment(0, 0xFFFFF, 0x13, 0xC));
        SetDescriptor(Code64, Segment(0, 0xFFFFF, 0x9B, 0xA));
        SetDescriptor(Code64User, Segment(0, 0xFFFFF, 0xFB, 0xA));
        SetDescriptor(OtherTssSelector, Segment(OtherTss, 0x67, 0x89, 0));
        SetDescriptor(LdtSelector, Segment(Ldt, 0x1F, 0x82, 0));
        SetDescriptor(ExecuteOnly, Segment(0, 0xFFFFF, 0x99, 0xC));
        SetDescriptor(ReadOnly, Segment(0, 0xFFFFF, 0x91, 0xC));
        SetDescriptor(SmallCode, Segment(0, 0xFF, 0x9B, 0x4));
        SetDescriptor(Tss64, Segment(Tss, 0x67, 0x8B, 0));
        State->GdtBase = Gdt;
        State->GdtLimit = 0xDF;
        State->IdtBase = Idt;
        for (int n = 0; n < 256; n++)
        {
            Memory[Handler(n)] = 0xEB;
            Memory[Handler(n) + 1] = 0xFE;
        }
    }

    public QuietBus Bus { get; } = new();

    public Processor Processor { get; }

    public CpuState* State => Processor.State;

    public Span<byte> Memory => new(_ram, Size);

    /// <summary>Where the memory is in the host.</summary>
    public byte* Address => _ram;

    public static int Handler(int vector) => Handlers + (vector * 16);

    public static ulong Segment(uint address, uint limit, int access, int flags) =>
        (limit & 0xFFFF) | ((ulong)(address & 0xFF_FFFF) << 16) | ((ulong)access << 40) | ((ulong)(limit >> 16) << 48) | ((ulong)flags << 52) | ((ulong)(address >> 24) << 56);

    public static ulong Gate(int selector, uint offset, int access, int low = 0) =>
        (offset & 0xFFFF) | ((ulong)(uint)selector << 16) | ((ulong)low << 32) | ((ulong)access << 40) | ((ulong)(offset >> 16) << 48);

    /// <summary>32-bit protected mode at the given level, without paging; the TSS gives stacks for levels 0 and 1.</summary>
    public static SystemMachine Protected(int cpl = 0)
    {
        var m = new SystemMachine();
        CpuState* s = m.State;
        s->Cr0 = Cr0.PE | Cr0.ET;
        s->IdtLimit = 0x7FF;
        for (int n = 0; n < 256; n++)
        {
            m.SetGate(n, Gate(Code0, (uint)Handler(n), 0xEE));
        }

        m.Write32(Tss + 4, InnerStack);
        m.Write32(Tss + 8, Data0);
        m.Write32(Tss + 12, Ring1Stack);
        m.Write32(Tss + 16, Data1);
        m.Write16(Tss + 0x66, 0x88);
        s->Tr = m.Register(TssSelector);
        s->Ldtr = new SegmentRegister { Unusable = 1 };
        m.Level(cpl, cpl == 0 ? Code0 : Code3, cpl == 0 ? Data0 : Data3);
        return m;
    }

    /// <summary>Real mode with code, data and stack at base 0.</summary>
    public static SystemMachine Real()
    {
        var m = new SystemMachine();
        CpuState* s = m.State;
        s->Cr0 = Cr0.ET;
        s->IdtBase = 0;
        s->IdtLimit = 0x3FF;
        for (int n = 0; n < 256; n++)
        {
            m.Write32(n * 4, (uint)Handler(n));
        }

        s->Cs.Base = 0;
        s->Cs.Selector = 0;
        s->Rip = Code;
        s->Gpr[Akvam.Cpu.State.Register.Rsp] = Stack;
        Processor.UpdateMode(s);
        return m;
    }

    /// <summary>Virtual-8086 mode with all segments at base 0, under the protected-mode tables.</summary>
    public static SystemMachine Virtual8086(int iopl, bool vme = false)
    {
        SystemMachine m = Protected();
        CpuState* s = m.State;
        for (int n = 0; n < 6; n++)
        {
            (&s->Es)[n] = new SegmentRegister { Limit = 0xFFFF, Attributes = 0xF3 };
        }

        s->Cr4 = vme ? Cr4.VME : 0;
        s->Cpl = 3;
        s->SystemFlags = Rflags.Fixed | Rflags.VM | Rflags.IF | ((ulong)iopl << Rflags.IoplShift);
        Processor.UpdateMode(s);
        return m;
    }

    /// <summary>64-bit code at the given level; the first 2 MiB are mapped for users.</summary>
    public static SystemMachine Long(int cpl = 0)
    {
        var m = new SystemMachine();
        CpuState* s = m.State;
        m.Write64(Tables, (Tables + 0x1000) | 7);
        m.Write64(Tables + 0x1000, (Tables + 0x2000) | 7);
        m.Write64(Tables + 0x2000, 0x87);
        s->Cr3 = Tables;
        s->Cr4 = Cr4.PAE;
        s->Efer = Efer.LME | Efer.LMA | Efer.SCE;
        s->Cr0 = Cr0.PE | Cr0.PG | Cr0.ET;
        s->IdtLimit = 0xFFF;
        for (int n = 0; n < 256; n++)
        {
            m.SetGate64(n, Gate(Code64, (uint)Handler(n), 0xEE));
        }

        m.Write64(Tss + 4, InnerStack);
        s->Tr = m.Register(Tss64);
        s->Ldtr = new SegmentRegister { Unusable = 1 };
        m.Level(cpl, cpl == 0 ? Code64 : Code64User, cpl == 0 ? Data0 : Data3);
        return m;
    }

    /// <summary>Sets CS, data and stack segments, CPL, and RIP and RSP to where code and stack are.</summary>
    public void Level(int cpl, int code, int data)
    {
        CpuState* s = State;
        s->Cpl = (byte)cpl;
        s->Cs = Register(code);
        s->Es = s->Ss = s->Ds = s->Fs = s->Gs = Register(data);
        s->Rip = Code;
        s->Gpr[Akvam.Cpu.State.Register.Rsp] = Stack;
        s->SystemFlags = Rflags.Fixed;
        Processor.UpdateMode(s);
    }

    public SegmentRegister Register(int selector) => new Descriptor(Read64(Gdt + (selector & ~7))).ToRegister((ushort)selector);

    public void SetDescriptor(int selector, ulong raw) => Write64(Gdt + (selector & ~7), raw);

    public void SetGate(int vector, ulong raw) => Write64(Idt + (vector * 8), raw);

    public void SetGate64(int vector, ulong low, uint high = 0)
    {
        Write64(Idt + (vector * 16), low);
        Write64(Idt + (vector * 16) + 8, high);
    }

    /// <summary>Puts code at RIP (in a segment with base 0) and executes; a fault counts nothing, the handler's loop takes the rest.</summary>
    public RunResult Run(ulong instructions, params byte[] code)
    {
        code.CopyTo(Memory[(int)State->Rip..]);
        return Processor.Run(instructions);
    }

    public ushort Read16(int address) => BinaryPrimitives.ReadUInt16LittleEndian(Memory[address..]);

    public uint Read32(int address) => BinaryPrimitives.ReadUInt32LittleEndian(Memory[address..]);

    public ulong Read64(int address) => BinaryPrimitives.ReadUInt64LittleEndian(Memory[address..]);

    public void Write16(int address, int value) => BinaryPrimitives.WriteUInt16LittleEndian(Memory[address..], (ushort)value);

    public void Write32(int address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Memory[address..], value);

    public void Write64(int address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Memory[address..], value);

    public ulong Rsp => State->Gpr[Akvam.Cpu.State.Register.Rsp];

    /// <summary>Value n of the 32-bit frame at the top of the stack.</summary>
    public uint Slot32(int n) => Read32((int)Rsp + (n * 4));

    public ulong Slot64(int n) => Read64((int)Rsp + (n * 8));

    /// <summary>The event's handler is running, at CPL 0, with this error code (null: none, so the frame starts with the return address).</summary>
    public void AssertFault(int vector, uint? error, ulong rip = Code)
    {
        Assert.Equal($"{Handler(vector):x}", $"{State->Rip:x}");
        bool wide = (State->Efer & Efer.LMA) != 0;
        int n = 0;
        if (error is { } code)
        {
            Assert.Equal(code, wide ? (uint)Slot64(0) : Slot32(0));
            n = 1;
        }

        Assert.Equal(rip, wide ? Slot64(n) : Slot32(n));
    }

    public void Dispose()
    {
        Processor.Dispose();
        _group.Dispose();
        NativeMemory.AlignedFree(_ram);
    }
}
