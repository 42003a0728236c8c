using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>LLDT, LTR, SLDT, STR, LGDT, LIDT, SGDT, SIDT. [APM3 LLDT] [APM3 LTR] [APM3 LGDT] [SDM2 SGDT]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class SystemSegments
{
    private interface IAction
    {
        static abstract Flow Do(CpuState* s, ushort selector);
    }

    private readonly struct Lldt : IAction
    {
        public static Flow Do(CpuState* s, ushort selector)
        {
            if (Segments.IsNull(selector))
            {
                s->Ldtr = Segments.Null(in s->Ldtr, selector);
                return Flow.Next;
            }

            if (!Read(s, selector, out Descriptor d, out uint upper, Descriptor.Ldt, Descriptor.Ldt))
            {
                return Flow.Abort;
            }

            s->Ldtr = Register(selector, d, upper);
            return Flow.Next;
        }
    }

    private readonly struct Ltr : IAction
    {
        public static Flow Do(CpuState* s, ushort selector)
        {
            if (Segments.IsNull(selector))
            {
                return Fault.Gp(s, 0);
            }

            // Long mode has no 16-bit TSS. [APM2 12.2.2]
            int other = Segments.IsLongMode(s) ? Descriptor.TssAvailable : Descriptor.TssAvailable16;
            if (!Read(s, selector, out Descriptor d, out uint upper, Descriptor.TssAvailable, other) || !DescriptorTable.SetBusy(s, selector, busy: true))
            {
                return Flow.Abort;
            }

            s->Tr = Register(selector, d, upper);
            s->Tr.Attributes |= 2;
            return Flow.Next;
        }
    }

    /// <summary>A system descriptor of the GDT of one of two types, present, in long mode with a canonical base; false: the fault is set.</summary>
    private static bool Read(CpuState* s, ushort selector, out Descriptor d, out uint upper, int type, int otherType)
    {
        d = default;
        upper = 0;
        uint error = selector & 0xFFFCu;
        if ((selector & 4) != 0)
        {
            Fault.Gp(s, error);
            return false;
        }

        if (!DescriptorTable.Read(s, selector, Vector.GP, error, out d))
        {
            return false;
        }

        if (!d.IsSystem || (d.Type != type && d.Type != otherType))
        {
            Fault.Gp(s, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, error);
            return false;
        }

        if (!Segments.IsLongMode(s))
        {
            return true;
        }

        if (!DescriptorTable.ReadUpper(s, selector, error, out upper))
        {
            return false;
        }

        if (!Canonical.IsForAnyMode(s, d.Base | ((ulong)upper << 32)))
        {
            Fault.Gp(s, error);
            return false;
        }

        return true;
    }

    private static SegmentRegister Register(ushort selector, Descriptor d, uint upper) => new()
    {
        Base = d.Base | ((ulong)upper << 32),
        Limit = d.Limit,
        Selector = selector,
        Attributes = d.Attributes,
    };

    private static Flow LoadReg<TAction>(CpuState* s, Insn* i)
        where TAction : IAction => TAction.Do(s, Operand.Get<ushort>(s, i->R0));

    private static Flow LoadMem<TAction>(CpuState* s, Insn* i)
        where TAction : IAction => Mem.Load(s, i, out ushort selector) ? TAction.Do(s, selector) : Flow.Abort;

    private static Flow SldtReg<T>(CpuState* s, Insn* i)
        where T : unmanaged => StoreReg<T>(s, i, s->Ldtr.Selector);

    private static Flow StrReg<T>(CpuState* s, Insn* i)
        where T : unmanaged => StoreReg<T>(s, i, s->Tr.Selector);

    private static Flow SldtMem(CpuState* s, Insn* i) => Mem.Store(s, i, s->Ldtr.Selector);

    private static Flow StrMem(CpuState* s, Insn* i) => Mem.Store(s, i, s->Tr.Selector);

    private static Flow StoreReg<T>(CpuState* s, Insn* i, ushort selector)
        where T : unmanaged
    {
        ulong wide = selector;
        Operand.Set(s, i->R0, *(T*)&wide);
        return Flow.Next;
    }

    /// <summary>Limit and base; a 16-bit operand size takes 24 bits of base. [APM3 LGDT]</summary>
    private static bool LoadTable(CpuState* s, Insn* i, int baseBytes, ulong baseMask, out ushort limit, out ulong tableBase)
    {
        byte* bytes = stackalloc byte[10];
        *(ulong*)(bytes + 2) = 0;
        limit = 0;
        tableBase = 0;
        if (!Mem.Address(s, i, 2 + baseBytes, AccessKind.Read, out ulong linear) || !Mem.LoadBytes(s, linear, bytes, 2 + baseBytes))
        {
            return false;
        }

        limit = *(ushort*)bytes;
        tableBase = *(ulong*)(bytes + 2) & baseMask;
        if (!Canonical.IsForAnyMode(s, tableBase))
        {
            Fault.Gp(s, 0);
            return false;
        }

        return true;
    }

    private static Flow Lgdt(CpuState* s, Insn* i, int baseBytes, ulong baseMask)
    {
        if (!LoadTable(s, i, baseBytes, baseMask, out ushort limit, out ulong tableBase))
        {
            return Flow.Abort;
        }

        s->GdtLimit = limit;
        s->GdtBase = tableBase;
        return Flow.Next;
    }

    private static Flow Lidt(CpuState* s, Insn* i, int baseBytes, ulong baseMask)
    {
        if (!LoadTable(s, i, baseBytes, baseMask, out ushort limit, out ulong tableBase))
        {
            return Flow.Abort;
        }

        s->IdtLimit = limit;
        s->IdtBase = tableBase;
        return Flow.Next;
    }

    /// <summary>The whole base is stored, whatever the operand size. [APM3 SGDT]</summary>
    private static Flow StoreTable(CpuState* s, Insn* i, int baseBytes, ushort limit, ulong tableBase)
    {
        byte* bytes = stackalloc byte[10];
        *(ushort*)bytes = limit;
        *(ulong*)(bytes + 2) = tableBase;
        return Mem.Address(s, i, 2 + baseBytes, AccessKind.Write, out ulong linear) ? Mem.StoreBytes(s, linear, bytes, 2 + baseBytes) : Flow.Abort;
    }

    private static Flow Lgdt16(CpuState* s, Insn* i) => Lgdt(s, i, 4, 0xFF_FFFF);

    private static Flow Lgdt32(CpuState* s, Insn* i) => Lgdt(s, i, 4, 0xFFFF_FFFF);

    private static Flow Lgdt64(CpuState* s, Insn* i) => Lgdt(s, i, 8, ulong.MaxValue);

    private static Flow Lidt16(CpuState* s, Insn* i) => Lidt(s, i, 4, 0xFF_FFFF);

    private static Flow Lidt32(CpuState* s, Insn* i) => Lidt(s, i, 4, 0xFFFF_FFFF);

    private static Flow Lidt64(CpuState* s, Insn* i) => Lidt(s, i, 8, ulong.MaxValue);

    private static Flow Sgdt32(CpuState* s, Insn* i) => StoreTable(s, i, 4, s->GdtLimit, s->GdtBase);

    private static Flow Sgdt64(CpuState* s, Insn* i) => StoreTable(s, i, 8, s->GdtLimit, s->GdtBase);

    private static Flow Sidt32(CpuState* s, Insn* i) => StoreTable(s, i, 4, s->IdtLimit, s->IdtBase);

    private static Flow Sidt64(CpuState* s, Insn* i) => StoreTable(s, i, 8, s->IdtLimit, s->IdtBase);

    internal static void Register(IsaBuilder b)
    {
        const Legality Load = Legality.Protected | Legality.Cpl0;
        const Legality Store = Legality.Protected | Legality.Umip;
        for (int n = 0; n < 3; n++)
        {
            b.Add(Code.Lldt_rm16 + n, &LoadReg<Lldt>, &LoadMem<Lldt>, legality: Load);
            b.Add(Code.Ltr_rm16 + n, &LoadReg<Ltr>, &LoadMem<Ltr>, legality: Load);
        }

        b.Add(Code.Sldt_rm16, &SldtReg<ushort>, &SldtMem, legality: Store);
        b.Add(Code.Sldt_r32m16, &SldtReg<uint>, &SldtMem, legality: Store);
        b.Add(Code.Sldt_r64m16, &SldtReg<ulong>, &SldtMem, legality: Store);
        b.Add(Code.Str_rm16, &StrReg<ushort>, &StrMem, legality: Store);
        b.Add(Code.Str_r32m16, &StrReg<uint>, &StrMem, legality: Store);
        b.Add(Code.Str_r64m16, &StrReg<ulong>, &StrMem, legality: Store);
        b.Add(Code.Lgdt_m1632_16, null, &Lgdt16, legality: Legality.Cpl0);
        b.Add(Code.Lgdt_m1632, null, &Lgdt32, legality: Legality.Cpl0);
        b.Add(Code.Lgdt_m1664, null, &Lgdt64, legality: Legality.Cpl0);
        b.Add(Code.Lidt_m1632_16, null, &Lidt16, legality: Legality.Cpl0);
        b.Add(Code.Lidt_m1632, null, &Lidt32, legality: Legality.Cpl0);
        b.Add(Code.Lidt_m1664, null, &Lidt64, legality: Legality.Cpl0);
        b.Add(Code.Sgdt_m1632_16, null, &Sgdt32, legality: Legality.Umip);
        b.Add(Code.Sgdt_m1632, null, &Sgdt32, legality: Legality.Umip);
        b.Add(Code.Sgdt_m1664, null, &Sgdt64, legality: Legality.Umip);
        b.Add(Code.Sidt_m1632_16, null, &Sidt32, legality: Legality.Umip);
        b.Add(Code.Sidt_m1632, null, &Sidt32, legality: Legality.Umip);
        b.Add(Code.Sidt_m1664, null, &Sidt64, legality: Legality.Umip);
    }
}
