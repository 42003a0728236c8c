using System.Runtime.CompilerServices;
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
        // What user space answers is the end of this instruction, even if it changed the port's register meanwhile (QEMU's vmport does).
        PendingAccess pending = Processor.Of(s).Pending;
        if (!pending.TakePortReply(sizeof(T), out uint value) && (!IsAllowed(s, port, sizeof(T)) || !pending.ReadPort(s, port, sizeof(T), out value)))
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
        bool posted = Processor.Of(s).Pending.WritePort(s, port, sizeof(T), value);
        Flow touched = Touched(s, port, sizeof(T));
        return posted ? Flow.End : touched;
    }

    /// <summary>The destination is checked first, so that a page fault does not lose what the port gave.</summary>
    [SkipLocalsInit]
    private static Flow Ins<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!Begin<T>(s, i, out ushort port, out ulong mask, out ulong left))
        {
            return left == 0 ? Flow.Next : Flow.Abort;
        }

        byte* data = stackalloc byte[PendingAccess.MaxString];
        PendingAccess pending = Processor.Of(s).Pending;
        while (true)
        {
            ulong linear = s->Gpr[Rdi] & mask;
            if (!SegmentCheck.Linear(s, Segment.Es, sizeof(T), AccessKind.Write, ref linear) || !Mem.Probe(s, linear, sizeof(T), AccessKind.Write))
            {
                return Flow.Abort;
            }

            bool direct = Mem.Entry(s, linear)->Write == ((linear & ~TlbTag.Mask) | s->DataTag);
            int most = direct ? Batch<T>(s, i, Rdi, linear, left) : 1;
            bool isReplay = pending.IsReplay;
            int done = pending.ReadPorts(s, port, sizeof(T), new Span<byte>(data, most * sizeof(T)));
            if (done == 0)
            {
                return Flow.Abort;
            }

            // Cannot fail after the probe, unless a single element goes to where there is no RAM.
            Flow flow = done == 1 ? Mem.StoreLinear(s, linear, *(T*)data) : Mem.StoreBytes(s, linear, data, done * sizeof(T));
            if (flow == Flow.Abort)
            {
                return flow;
            }

            if (Iterated<T>(s, i, Rdi, mask, port, done, isReplay || flow == Flow.End, ref left) is var end && end != Flow.Next)
            {
                return end;
            }
        }
    }

    [SkipLocalsInit]
    private static Flow Outs<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!Begin<T>(s, i, out ushort port, out ulong mask, out ulong left))
        {
            return left == 0 ? Flow.Next : Flow.Abort;
        }

        byte* data = stackalloc byte[PendingAccess.MaxString];
        PendingAccess pending = Processor.Of(s).Pending;
        while (true)
        {
            ulong linear = s->Gpr[Rsi] & mask;
            if (!SegmentCheck.Linear(s, i->Segment, sizeof(T), AccessKind.Read, ref linear) || !Mem.LoadLinear(s, linear, out *(T*)data))
            {
                return Flow.Abort;
            }

            int most = 1;
            TlbEntry* e = Mem.Entry(s, linear);
            if (e->Read == ((linear & ~TlbTag.Mask) | s->DataTag))
            {
                most = Batch<T>(s, i, Rsi, linear, left);
                new ReadOnlySpan<byte>((byte*)(linear + e->Addend), most * sizeof(T)).CopyTo(new Span<byte>(data, PendingAccess.MaxString));
            }

            bool isReplay = pending.IsReplay;
            int done = pending.WritePorts(s, port, sizeof(T), new ReadOnlySpan<byte>(data, most * sizeof(T)));
            if (Iterated<T>(s, i, Rsi, mask, port, done, isReplay, ref left) is var end && end != Flow.Next)
            {
                return end;
            }
        }
    }

    /// <summary>What INS and OUTS begin with; false with <paramref name="left"/> 0: nothing to do, otherwise the fault is set.</summary>
    private static bool Begin<T>(CpuState* s, Insn* i, out ushort port, out ulong mask, out ulong left)
        where T : unmanaged
    {
        port = (ushort)s->Gpr[Rdx];
        mask = Mem.AddressMask(i->Flags);
        left = 1;
        if (!IsAllowed(s, port, sizeof(T)))
        {
            return false;
        }

        left = IsRepeated(i) ? s->Gpr[Rcx] & mask : 1;
        return left != 0;
    }

    /// <summary>How many elements may go together: upwards within one page, and not while traps are looked for after each.</summary>
    private static int Batch<T>(CpuState* s, Insn* i, int pointer, ulong linear, ulong left)
        where T : unmanaged => left == 1 || (s->SystemFlags & (Rflags.DF | Rflags.TF)) != 0 || (s->Dr7 & 0xFF) != 0
        ? 1
        : (int)Math.Max(1, StringOps.Fit(s, i, pointer, linear, sizeof(T), Math.Min(left, (ulong)(PendingAccess.MaxString / sizeof(T)))));

    private static bool IsRepeated(Insn* i) => (i->Flags & (InsnFlags.Rep | InsnFlags.Repne)) != 0;

    /// <summary>
    /// Some elements are done: moves on. <see cref="Flow.Next"/>: go on with the rest. Where something waits (requests, traps, exits) or
    /// <paramref name="leave"/> says so (user space has just answered, code was changed), the instruction is left unfinished, so that it is looked at between
    /// any two elements. Replies from user space are used up.
    /// </summary>
    private static Flow Iterated<T>(CpuState* s, Insn* i, int pointer, ulong mask, ushort port, int done, bool leave, ref ulong left)
        where T : unmanaged
    {
        Processor.Of(s).Pending.Retire();
        Touched(s, port, sizeof(T));
        ulong distance = (ulong)(done * sizeof(T));
        Advance(s, pointer, mask, (s->SystemFlags & Rflags.DF) != 0 ? 0 - distance : distance);
        if (!IsRepeated(i))
        {
            return Flow.End;
        }

        left -= (ulong)done;
        Advance(s, Rcx, mask, 0 - (ulong)done);
        if (left == 0)
        {
            return Flow.End;
        }

        bool steps = (s->SystemFlags & Rflags.TF) != 0 && s->StepsBranches == 0;
        s->PendingDebug |= steps ? SingleStep : 0;
        if (leave || s->PendingDebug != 0 || Volatile.Read(ref s->Requests) != 0)
        {
            s->Abort = AbortReason.Interrupted;
            return Flow.Abort;
        }

        return Flow.Next;
    }

    private static void Advance(CpuState* s, int register, ulong mask, ulong by)
    {
        ulong value = s->Gpr[register];
        s->Gpr[register] = mask == 0xFFFF ? (value & ~mask) | ((value + by) & mask) : (value + by) & mask;
    }

    /// <summary>I/O breakpoints are traps. [SDM3 18.3.1.2]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAllowed(CpuState* s, ushort port, int size) => IsFree(s) || IsInBitmap(s, port, size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsFree(CpuState* s)
    {
        ulong iopl = (s->SystemFlags & Rflags.IOPL) >> Rflags.IoplShift;
        bool vm86 = (s->Mode & ModeKey.Virtual8086) != 0;
        return (s->Mode & ModeKey.Protected) == 0 || (!vm86 && s->Cpl <= iopl);
    }

    private static bool IsInBitmap(CpuState* s, ushort port, int size)
    {
        const ushort VmwarePort = 0x5658;
        if ((port & ~1) == VmwarePort && (Processor.Of(s).Quirks & ProcessorQuirks.VmwareBackdoor) != 0)
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
