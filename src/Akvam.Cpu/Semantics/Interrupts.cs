using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>INT n, INT1, INT3, INTO, CLI, STI. [SDM2 INT n] [APM3 INT] [SDM2 CLI] [SDM2 STI] [SDM3 20.3, 20.4]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Interrupts
{
    private static Flow Int(CpuState* s, Insn* i)
    {
        byte vector = (byte)i->Imm;
        if ((s->Mode & ModeKey.Virtual8086) != 0)
        {
            if ((s->Cr4 & Cr4.VME) != 0 && (Delivery.Redirect(s, vector, i->NextRip(s), out Flow flow) || flow == Flow.Abort))
            {
                return flow;
            }

            if ((s->SystemFlags & Rflags.IOPL) != Rflags.IOPL)
            {
                return Fault.Gp(s, 0);
            }
        }

        return Delivery.Software(s, (Vector)vector, EventKind.Software, i->RipOf(s), i->NextRip(s));
    }

    /// <summary>A debugger's own breakpoints come back to it before the guest sees anything. [KVM 4.87]</summary>
    private static Flow Int3(CpuState* s, Insn* i) => ((Processor.Of(s).InterceptedExceptions >> (int)Vector.BP) & 1) != 0
        ? Fault.Raise(s, Vector.BP)
        : Delivery.Software(s, Vector.BP, EventKind.SoftwareException, i->RipOf(s), i->NextRip(s));

    /// <summary>A data breakpoint that MOV SS held back comes out together with it, as one exception. [SDM3 6.8.3]</summary>
    private static Flow Int1(CpuState* s, Insn* i)
    {
        Flow flow = Delivery.Software(s, Vector.DB, EventKind.Icebp, i->RipOf(s), i->NextRip(s));
        if (flow != Flow.Abort && s->PendingDebug != 0)
        {
            s->Dr6 = (s->Dr6 & ~0xFul) | s->PendingDebug;
            s->PendingDebug = 0;
        }

        return flow;
    }

    private static Flow Into(CpuState* s, Insn* i) => LazyFlags.Of(s)
        ? Delivery.Software(s, Vector.OF, EventKind.SoftwareException, i->RipOf(s), i->NextRip(s))
        : Flow.End;

    private static Flow Cli(CpuState* s, Insn* i)
    {
        if (MayChangeIf(s))
        {
            s->SystemFlags &= ~Rflags.IF;
            return Flow.Next;
        }

        if (!HasVirtualIf(s))
        {
            return Fault.Gp(s, 0);
        }

        s->SystemFlags &= ~Rflags.VIF;
        return Flow.Next;
    }

    private static Flow Sti(CpuState* s, Insn* i)
    {
        if (MayChangeIf(s))
        {
            if ((s->SystemFlags & Rflags.IF) == 0)
            {
                // The instruction after STI is still shielded. [SDM2 STI]
                s->SystemFlags |= Rflags.IF;
                s->Shadow = InterruptShadow.Sti;
                Processor.Post(s, Request.Evaluate);
            }

            return Flow.End;
        }

        if (!HasVirtualIf(s) || (s->SystemFlags & Rflags.VIP) != 0)
        {
            return Fault.Gp(s, 0);
        }

        s->SystemFlags |= Rflags.VIF;
        return Flow.End;
    }

    /// <summary>As <see cref="Sti"/> where that ends in nothing but IF: it was set, or no event waits for it. Those that come later post a request.</summary>
    internal static bool TryStiQuietly(CpuState* s)
    {
        bool isNew = (s->SystemFlags & Rflags.IF) == 0;
        if (!MayChangeIf(s) || (isNew && (s->GuestMode != 0 || Volatile.Read(ref s->Requests) != 0 || Processor.Of(s).Bus.HasInterrupt)))
        {
            return false;
        }

        s->SystemFlags |= Rflags.IF;
        s->QuietSti = isNew ? 1u : 0;
        return true;
    }

    private static bool MayChangeIf(CpuState* s) =>
        (s->Mode & ModeKey.Protected) == 0 || s->Cpl <= (int)((s->SystemFlags & Rflags.IOPL) >> Rflags.IoplShift);

    /// <summary>VME in virtual-8086 mode, PVI in programs at CPL 3, give them VIF in the place of IF.</summary>
    private static bool HasVirtualIf(CpuState* s) => (s->Mode & ModeKey.Virtual8086) != 0
        ? (s->Cr4 & Cr4.VME) != 0
        : (s->Cr4 & Cr4.PVI) != 0 && s->Cpl == 3;

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Int_imm8, &Int, legality: Legality.EndsBlock);
        b.Add(Code.Int3, &Int3, legality: Legality.EndsBlock);
        b.Add(Code.Int1, &Int1, legality: Legality.EndsBlock);
        b.Add(Code.Into, &Into, legality: Legality.EndsBlock);
        b.Add(Code.Cli, &Cli);
        b.Add(Code.Sti, &Sti);
    }
}
