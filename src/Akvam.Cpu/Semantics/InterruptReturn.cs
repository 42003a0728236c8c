using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>IRET, IRETD and IRETQ in every mode. [APM3 IRET] [SDM2 IRET]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class InterruptReturn
{
    private const ulong FlagsAlways = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.TF | Rflags.DF | Rflags.OF | Rflags.NT;

    [StructLayout(LayoutKind.Sequential)]
    private struct Frame64
    {
        public ulong Rip, Cs, Flags, Rsp, Ss;
    }

    private static Flow Iret16(CpuState* s, Insn* i) => Return(s, i, 2);

    private static Flow Iret32(CpuState* s, Insn* i) => Return(s, i, 4);

    private static Flow Iret64(CpuState* s, Insn* i) => Return(s, i, 8);

    private static Flow Return(CpuState* s, Insn* i, int width)
    {
        ulong before = s->SystemFlags;
        Flow flow = (s->Mode & ModeKey.Virtual8086) != 0 ? FromVirtual8086(s, width)
            : (s->Mode & ModeKey.Protected) == 0 ? FromReal(s, width)
            : (s->SystemFlags & Rflags.NT) != 0 ? FromTask(s, i)
            : Segments.IsCode64(s) ? (width == 8 && TryCommon(s) ? Flow.Jump : FromLong(s, width))
            : FromProtected(s, width);
        if (flow != Flow.Abort)
        {
            // NMIs are let through again after the IRET that ends their handler. [SDM3 6.7.1]
            s->NmiMasked = 0;
            if ((s->SystemFlags & (Rflags.RF | Rflags.TF)) == Rflags.RF && s->CodeBreakpoints == 0 && s->StopAt == ulong.MaxValue && Volatile.Read(ref s->Requests) == 0
                && !Processor.Of(s).SingleStep)
            {
                // There is nothing that it could hold back, and nobody looks before the next instruction clears it.
                s->SystemFlags &= ~Rflags.RF;
            }

            Processor.EvaluateFlags(s, before);
            if (s->NmiPending != 0 || s->PendingDebug != 0)
            {
                Processor.Post(s, Request.Evaluate);
            }
        }

        return flow;
    }

    private static Flow FromReal(CpuState* s, int width)
    {
        const ulong Kept = Rflags.VM | Rflags.VIF | Rflags.VIP;
        ulong mask = width == 2 ? 0xFFFF : Rflags.Defined & ~Kept;
        return PopThree(s, width, out ulong rip, out ushort selector, out ulong image) ? CommitReal(s, width, rip, selector, image, mask) : Flow.Abort;
    }

    private static Flow FromVirtual8086(CpuState* s, int width)
    {
        bool trusted = (s->SystemFlags & Rflags.IOPL) == Rflags.IOPL;
        if (!trusted && ((s->Cr4 & Cr4.VME) == 0 || width != 2))
        {
            return Fault.Gp(s, 0);
        }

        if (!PopThree(s, width, out ulong rip, out ushort selector, out ulong image))
        {
            return Flow.Abort;
        }

        ulong mask = (width == 2 ? 0xFFFF : Rflags.Defined & ~(Rflags.VM | Rflags.VIF | Rflags.VIP)) & ~Rflags.IOPL;
        if (trusted)
        {
            return CommitReal(s, width, rip, selector, image, mask);
        }

        // VME: IF of the image is VIF; a virtual interrupt that waits, or single steps, are the monitor's business. [SDM3 20.3.2]
        if ((image & Rflags.TF) != 0 || ((image & Rflags.IF) != 0 && (s->SystemFlags & Rflags.VIP) != 0))
        {
            return Fault.Gp(s, 0);
        }

        ulong virtualImage = (image & 0xFFFF) | ((image & Rflags.IF) != 0 ? Rflags.VIF : 0);
        return CommitReal(s, width, rip, selector, virtualImage, (mask & ~Rflags.IF) | Rflags.VIF);
    }

    private static bool PopThree(CpuState* s, int width, out ulong rip, out ushort selector, out ulong image)
    {
        // One that fails, or waits for user space, is the last that is read.
        ulong slot = image = 0;
        bool good = FarReturn.Slot(s, 0, width, out rip) && FarReturn.Slot(s, width, width, out slot) && FarReturn.Slot(s, 2 * width, width, out image);
        selector = (ushort)slot;
        return good;
    }

    private static Flow CommitReal(CpuState* s, int width, ulong rip, ushort selector, ulong image, ulong mask)
    {
        if (rip > s->Cs.Limit)
        {
            return Fault.Gp(s, 0);
        }

        Stack.Release(s, 3 * width);
        SetFlags(s, image, mask);
        return FarControl.TransferReal(s, selector, rip);
    }

    /// <summary>NT: back to the task that this one is nested in. [SDM3 7.4]</summary>
    private static Flow FromTask(CpuState* s, Insn* i)
    {
        if (Segments.IsLongMode(s))
        {
            return Fault.Gp(s, 0);
        }

        return Mem.LoadSystem(s, (uint)s->Tr.Base, out ushort link) ? TaskSwitch.ByInstruction(s, TaskSwitchCause.Iret, link, i->NextRip(s)) : Flow.Abort;
    }

    private static Flow FromProtected(CpuState* s, int width)
    {
        if (!PopThree(s, width, out ulong rip, out ushort selector, out ulong image))
        {
            return Flow.Abort;
        }

        if ((image & Rflags.VM) != 0 && s->Cpl == 0 && !Segments.IsLongMode(s))
        {
            return ToVirtual8086(s, rip, selector, image);
        }

        if (!FarReturn.CheckCode(s, selector, out SegmentRegister cs))
        {
            return Flow.Abort;
        }

        int cpl = selector & 3;
        if (cpl == s->Cpl)
        {
            if (!FarControl.CheckRip(s, in cs, rip))
            {
                return Flow.Abort;
            }

            Stack.Release(s, 3 * width);
            SetFlags(s, image, FlagsMask(s, width));
            return FarControl.Transfer(s, in cs, cpl, rip);
        }

        return FarReturn.Slot(s, 3 * width, width, out ulong rsp) && FarReturn.Slot(s, 4 * width, width, out ulong stackSlot)
            ? ToOther(s, width, in cs, rip, image, rsp, (ushort)stackSlot)
            : Flow.Abort;
    }

    /// <summary>
    /// IRETQ from 64-bit code to 64-bit code whose frame and segments are in the TLB and nothing out of the ordinary: no fault can come. False: nothing is done.
    /// </summary>
    private static bool TryCommon(CpuState* s)
    {
        ulong rsp = s->Gpr[State.Register.Rsp];
        TlbEntry* e = Mem.Entry(s, rsp);
        if (e->Read != (((rsp + (ulong)sizeof(Frame64) - 1) & ~TlbTag.Mask) | s->DataTag))
        {
            return false;
        }

        var frame = (Frame64*)(rsp + e->Addend);
        ushort selector = (ushort)frame->Cs, stack = (ushort)frame->Ss;
        ulong rip = frame->Rip, image = frame->Flags, outerRsp = frame->Rsp;
        int cpl = selector & 3;
        if (cpl < s->Cpl || (stack & 3) != cpl || !DescriptorTable.TryCommonCode(s, selector, out Descriptor code) || code.Dpl != cpl || !Canonical.Is(s, rip))
        {
            return false;
        }

        SegmentRegister ss;
        if (Segments.IsNull(stack))
        {
            if (cpl == 3)
            {
                return false;
            }

            ss = Segments.Null(in s->Ss, stack);
        }
        else
        {
            const ulong Mask = 0x9Bul << 40, WritableData = 0x93ul << 40;
            if (!DescriptorTable.TryGlobal(s, stack, out Descriptor data) || (data.Raw & Mask) != WritableData || data.Dpl != cpl)
            {
                return false;
            }

            ss = data.ToRegister(stack);
        }

        bool outer = cpl != s->Cpl;
        ulong before = s->SystemFlags;
        SetFlags(s, image, FlagsMask(s, 8));
        s->Ss = ss;
        s->Cs = code.ToRegister(selector);
        s->Rip = rip;
        s->Gpr[State.Register.Rsp] = outerRsp;
        if (outer)
        {
            Segments.Nullify(s, cpl);
            s->Cpl = (byte)cpl;
        }

        if (outer || ((before ^ s->SystemFlags) & Rflags.AC) != 0)
        {
            Processor.UpdateLevel(s);
        }

        return true;
    }

    /// <summary>64-bit mode pops SS:RSP always, also for the same level. [APM2 8.9.3]</summary>
    private static Flow FromLong(CpuState* s, int width)
    {
        Frame64 frame;
        if (width == 8)
        {
            if (!Stack.Peek(s, 0, out frame))
            {
                return Flow.Abort;
            }
        }
        else if (!FarReturn.Slot(s, 0, width, out frame.Rip) || !FarReturn.Slot(s, width, width, out frame.Cs) || !FarReturn.Slot(s, 2 * width, width, out frame.Flags)
            || !FarReturn.Slot(s, 3 * width, width, out frame.Rsp) || !FarReturn.Slot(s, 4 * width, width, out frame.Ss))
        {
            return Flow.Abort;
        }

        return FarReturn.CheckCode(s, (ushort)frame.Cs, out SegmentRegister cs) ? ToOther(s, width, in cs, frame.Rip, frame.Flags, frame.Rsp, (ushort)frame.Ss) : Flow.Abort;
    }

    private static Flow ToOther(CpuState* s, int width, in SegmentRegister cs, ulong rip, ulong image, ulong rsp, ushort stack)
    {
        int cpl = cs.Selector & 3;
        if (!FarReturn.CheckStack(s, stack, in cs, cpl, out SegmentRegister ss) || !FarControl.CheckRip(s, in cs, rip))
        {
            return Flow.Abort;
        }

        bool outer = cpl != s->Cpl;
        SetFlags(s, image, FlagsMask(s, width));
        s->Ss = ss;
        if (outer)
        {
            Segments.Nullify(s, cpl);
        }

        FarControl.Transfer(s, in cs, cpl, rip);
        Stack.SetPointer(s, rsp);
        return Flow.Jump;
    }

    /// <summary>To virtual-8086 mode: the whole image and all segments come from the stack. [SDM3 20.2.5]</summary>
    private static Flow ToVirtual8086(CpuState* s, ulong rip, ushort selector, ulong image)
    {
        uint* slots = stackalloc uint[6];
        for (int n = 0; n < 6; n++)
        {
            if (!Stack.Peek(s, 12 + (n * 4), out slots[n]))
            {
                return Flow.Abort;
            }
        }

        if (rip > 0xFFFF)
        {
            return Fault.Gp(s, 0);
        }

        LazyFlags.Write(s, image);
        s->Gpr[State.Register.Rsp] = slots[0];
        s->Ss = Segments.Virtual8086((ushort)slots[1]);
        s->Es = Segments.Virtual8086((ushort)slots[2]);
        s->Ds = Segments.Virtual8086((ushort)slots[3]);
        s->Fs = Segments.Virtual8086((ushort)slots[4]);
        s->Gs = Segments.Virtual8086((ushort)slots[5]);
        SegmentRegister cs = Segments.Virtual8086(selector);
        return FarControl.Transfer(s, in cs, 3, rip);
    }

    /// <summary>Which flags the current (not the new) privilege may change. [SDM2 IRET]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong FlagsMask(CpuState* s, int width)
    {
        ulong mask = FlagsAlways;
        mask |= width > 2 ? Rflags.RF | Rflags.AC | Rflags.ID : 0;
        mask |= s->Cpl <= (int)((s->SystemFlags & Rflags.IOPL) >> Rflags.IoplShift) ? Rflags.IF : 0;
        mask |= s->Cpl == 0 ? Rflags.IOPL | (width > 2 ? Rflags.VIF | Rflags.VIP : 0) : 0;
        return mask;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetFlags(CpuState* s, ulong image, ulong mask)
    {
        mask &= Rflags.Defined;
        s->SystemFlags = (s->SystemFlags & ~mask) | (image & mask & ~Rflags.Lazy);
        LazyFlags.WriteLazy(s, image);
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Iretw, &Iret16, legality: Legality.EndsBlock);
        b.Add(Code.Iretd, &Iret32, legality: Legality.EndsBlock);
        b.Add(Code.Iretq, &Iret64, legality: Legality.EndsBlock);
    }
}
