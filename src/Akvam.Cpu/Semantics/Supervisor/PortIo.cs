using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>IN, OUT, INS, OUTS. [APM3 IN] [APM3 OUT] [APM3 INS] [APM3 OUTS]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class PortIo
{
    private const int Rax = State.Register.Rax, Rcx = State.Register.Rcx, Rdx = State.Register.Rdx, Rsi = State.Register.Rsi, Rdi = State.Register.Rdi;
    private const uint SingleStep = 1 << 14;

    private static Flow InImm<T>(CpuState* s, Insn* i)
        where T : unmanaged => In<T>(s, (byte)i->Imm);

    private static Flow InDx<T>(CpuState* s, Insn* i)
        where T : unmanaged => In<T>(s, (ushort)s->Gpr[Rdx]);

    private static Flow In<T>(CpuState* s, ushort port)
        where T : unmanaged
    {
        if (!IsAllowed(s, port, sizeof(T)) || !Processor.Of(s).Pending.ReadPort(s, port, sizeof(T), out uint value))
        {
            return Flow.Abort;
        }

        Operand.Set(s, Rax * 8, *(T*)&value);
        return Touched(s, port, sizeof(T));
    }

    private static Flow OutImm<T>(CpuState* s, Insn* i)
        where T : unmanaged => Out<T>(s, (byte)i->Imm);

    private static Flow OutDx<T>(CpuState* s, Insn* i)
        where T : unmanaged => Out<T>(s, (ushort)s->Gpr[Rdx]);

    private static Flow Out<T>(CpuState* s, ushort port)
        where T : unmanaged
    {
        if (!IsAllowed(s, port, sizeof(T)))
        {
            return Flow.Abort;
        }

        uint value = 0;
        *(T*)&value = Operand.Get<T>(s, Rax * 8);
        Processor.Of(s).Pending.WritePort(s, port, sizeof(T), value);
        Touched(s, port, sizeof(T));
        return Flow.End;
    }

    /// <summary>The destination is checked first, so that a page fault does not lose what the port gave.</summary>
    private static Flow Ins<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ushort port = (ushort)s->Gpr[Rdx];
        ulong mask = Mem.AddressMask(i->Flags), linear = s->Gpr[Rdi] & mask;
        if (!IsAllowed(s, port, sizeof(T)))
        {
            return Flow.Abort;
        }

        if (IsRepeated(i) && (s->Gpr[Rcx] & mask) == 0)
        {
            return Flow.Next;
        }

        PendingAccess pending = Processor.Of(s).Pending;
        if (!SegmentCheck.Linear(s, Segment.Es, sizeof(T), AccessKind.Write, ref linear)
            || !Mem.Probe(s, linear, sizeof(T), AccessKind.Write)
            || !pending.ReadPort(s, port, sizeof(T), out uint value))
        {
            return Flow.Abort;
        }

        Flow flow = Mem.StoreLinear(s, linear, *(T*)&value);
        return flow == Flow.Abort ? flow : Iterated<T>(s, i, Rdi, mask, port);
    }

    private static Flow Outs<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ushort port = (ushort)s->Gpr[Rdx];
        ulong mask = Mem.AddressMask(i->Flags), linear = s->Gpr[Rsi] & mask;
        if (!IsAllowed(s, port, sizeof(T)))
        {
            return Flow.Abort;
        }

        if (IsRepeated(i) && (s->Gpr[Rcx] & mask) == 0)
        {
            return Flow.Next;
        }

        if (!SegmentCheck.Linear(s, i->Segment, sizeof(T), AccessKind.Read, ref linear) || !Mem.LoadLinear(s, linear, out T element))
        {
            return Flow.Abort;
        }

        uint value = 0;
        *(T*)&value = element;
        Processor.Of(s).Pending.WritePort(s, port, sizeof(T), value);
        return Iterated<T>(s, i, Rsi, mask, port);
    }

    private static bool IsRepeated(Insn* i) => (i->Flags & (InsnFlags.Rep | InsnFlags.Repne)) != 0;

    /// <summary>
    /// One element is done: moves on, and leaves the instruction unfinished while elements remain, so that requests, traps and exits are looked at
    /// between any two of them. Its replies from user space are used up.
    /// </summary>
    private static Flow Iterated<T>(CpuState* s, Insn* i, int pointer, ulong mask, ushort port)
        where T : unmanaged
    {
        Processor.Of(s).Pending.Retire();
        Touched(s, port, sizeof(T));
        Advance(s, pointer, mask, (s->SystemFlags & Rflags.DF) != 0 ? (ulong)-sizeof(T) : (ulong)sizeof(T));
        if (!IsRepeated(i))
        {
            return Flow.End;
        }

        Advance(s, Rcx, mask, ulong.MaxValue);
        if ((s->Gpr[Rcx] & mask) == 0)
        {
            return Flow.End;
        }

        s->PendingDebug |= (s->SystemFlags & Rflags.TF) != 0 ? SingleStep : 0;
        s->Abort = AbortReason.Interrupted;
        return Flow.Abort;
    }

    private static void Advance(CpuState* s, int register, ulong mask, ulong by)
    {
        ulong value = s->Gpr[register];
        s->Gpr[register] = mask == 0xFFFF ? (value & ~mask) | ((value + by) & mask) : (value + by) & mask;
    }

    /// <summary>I/O breakpoints are traps. [SDM3 18.3.1.2]</summary>
    private static Flow Touched(CpuState* s, ushort port, int size)
    {
        if ((s->Dr7 & 0xFF) == 0)
        {
            return Flow.Next;
        }

        s->PendingDebug |= Breakpoints.MatchPort(s, port, size);
        return Flow.End;
    }

    /// <summary>IOPL, then the I/O permission bitmap of the TSS; false: the fault is set. [APM2 12.2.4] [SDM1 19.5]</summary>
    private static bool IsAllowed(CpuState* s, ushort port, int size)
    {
        ulong iopl = (s->SystemFlags & Rflags.IOPL) >> Rflags.IoplShift;
        bool vm86 = (s->Mode & ModeKey.Virtual8086) != 0;
        if ((s->Mode & ModeKey.Protected) == 0 || (!vm86 && s->Cpl <= iopl))
        {
            return true;
        }

        const int MapBaseOffset = 102;
        int type = s->Tr.Type;
        if (!s->Tr.IsUsable || type is not (9 or 11) || s->Tr.Limit < MapBaseOffset + 1)
        {
            Fault.Gp(s, 0);
            return false;
        }

        if (!Mem.LoadSystem(s, s->Tr.Base + MapBaseOffset, out ushort map))
        {
            return false;
        }

        // Two bytes are always read, because a port may straddle them.
        uint offset = map + ((uint)port >> 3);
        if (offset + 1 > s->Tr.Limit)
        {
            Fault.Gp(s, 0);
            return false;
        }

        if (!Mem.LoadSystem(s, s->Tr.Base + offset, out ushort bits))
        {
            return false;
        }

        if (((uint)bits >> (port & 7) & ((1u << size) - 1)) != 0)
        {
            Fault.Gp(s, 0);
            return false;
        }

        return true;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.In_AL_imm8, &InImm<byte>);
        b.Add(Code.In_AX_imm8, &InImm<ushort>);
        b.Add(Code.In_EAX_imm8, &InImm<uint>);
        b.Add(Code.In_AL_DX, &InDx<byte>);
        b.Add(Code.In_AX_DX, &InDx<ushort>);
        b.Add(Code.In_EAX_DX, &InDx<uint>);
        b.Add(Code.Out_imm8_AL, &OutImm<byte>, legality: Legality.EndsBlock);
        b.Add(Code.Out_imm8_AX, &OutImm<ushort>, legality: Legality.EndsBlock);
        b.Add(Code.Out_imm8_EAX, &OutImm<uint>, legality: Legality.EndsBlock);
        b.Add(Code.Out_DX_AL, &OutDx<byte>, legality: Legality.EndsBlock);
        b.Add(Code.Out_DX_AX, &OutDx<ushort>, legality: Legality.EndsBlock);
        b.Add(Code.Out_DX_EAX, &OutDx<uint>, legality: Legality.EndsBlock);
        b.Add(Code.Insb_m8_DX, &Ins<byte>, legality: Legality.EndsBlock);
        b.Add(Code.Insw_m16_DX, &Ins<ushort>, legality: Legality.EndsBlock);
        b.Add(Code.Insd_m32_DX, &Ins<uint>, legality: Legality.EndsBlock);
        b.Add(Code.Outsb_DX_m8, &Outs<byte>, legality: Legality.EndsBlock);
        b.Add(Code.Outsw_DX_m16, &Outs<ushort>, legality: Legality.EndsBlock);
        b.Add(Code.Outsd_DX_m32, &Outs<uint>, legality: Legality.EndsBlock);
    }
}
