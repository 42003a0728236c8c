using Akvam.Cpu.Smm;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam.Cpu.Events;

/// <summary>
/// What happens between two instructions, highest priority first: SMI, INIT and SIPI, debug traps of the instruction before, NMI, interrupt.
/// [SDM3 table 6-2] SMI before INIT: semantics.md D5.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class EventInjector
{
    /// <summary>Delivers what is due. True: a debug trap belongs to the debugger, and waits in <see cref="CpuState.Fault"/>.</summary>
    public static bool Inject(Processor p, CpuState* s)
    {
        if (s->Delivering.Kind != EventKind.None)
        {
            // An event that is half-way through the IDT, or that user space put there, comes before all others.
            Delivery.Resume(s);
            if (s->Delivering.Kind != EventKind.None)
            {
                return false;
            }
        }

        if (s->SmiPending != 0 && s->InSmm == 0 && s->Gif != 0 && !p.BlocksEvents && s->Activity is Activity.Runnable or Activity.Halted)
        {
            if (s->InitPending != 0 && p.Quirks.HasFlag(ProcessorQuirks.KvmInitSmi))
            {
                s->SmiPending = 0;
            }
            else if (!EventIntercepts.InterceptPending(s, SvmExitCode.Smi))
            {
                s->SmiPending = 0;
                s->Activity = Activity.Runnable;
                SmiEntry.Enter(p);
            }
        }

        if (s->InitPending != 0 && s->InSmm == 0 && s->Gif != 0 && !EventIntercepts.InterceptPending(s, SvmExitCode.Init))
        {
            // A STARTUP that came after the INIT waits for it, and survives what it resets.
            byte sipi = s->SipiPending;
            p.Reset(init: true);
            s->SipiPending = sipi;
            p.Bus.Initialized();
            s->Activity = p.IsBootstrap ? Activity.Runnable : Activity.InitReceived;
        }

        if (s->SipiPending != 0)
        {
            s->SipiPending = 0;
            if (s->Activity == Activity.InitReceived && s->InSmm == 0 && s->Gif != 0)
            {
                s->Cs.Selector = (ushort)(s->SipiVector << 8);
                s->Cs.Base = (ulong)s->SipiVector << 12;
                s->Rip = 0;
                s->Activity = Activity.Runnable;
                Processor.UpdateMode(s);
            }
        }

        if (s->Activity is not (Activity.Runnable or Activity.Halted))
        {
            return false;
        }

        if (s->PendingDebug != 0 && (s->Shadow & InterruptShadow.MovSs) == 0)
        {
            uint bits = s->PendingDebug;
            s->PendingDebug = 0;
            s->Activity = Activity.Runnable;
            Fault.Raise(s, Vector.DB, 0u, bits);
            s->Fault.HasErrorCode = false;
            if ((p.InterceptedExceptions >> (int)Vector.DB & 1) != 0)
            {
                return true;
            }

            Delivery.Fault(s);
        }

        bool nmi = s->NmiPending != 0 && s->NmiMasked == 0 && s->Gif != 0 && !p.BlocksEvents;
        if (s->GuestMode != 0 && s->Gif != 0 && (nmi ? EventIntercepts.InterceptPending(s, SvmExitCode.Nmi) : p.Bus.HasInterrupt && EventIntercepts.InterceptInterrupt(s)))
        {
            // L1 takes it when it sets GIF.
            return false;
        }

        if (s->Shadow != 0)
        {
            return false;
        }

        if (nmi)
        {
            s->NmiPending--;
            s->Activity = Activity.Runnable;
            s->Epoch++;
            p.Trace?.Write(p, "kvm_inj_nmi", string.Empty);
            Delivery.Nmi(s);

            // Its handler may leave interrupts on.
            Processor.Post(s, Request.Evaluate);
        }
        else if (s->Gif != 0 && p.Bus.HasInterrupt && EventIntercepts.IsOpen(s))
        {
            int vector = p.Bus.AcknowledgeInterrupt();
            if (vector >= 0)
            {
                s->Activity = Activity.Runnable;
                s->Epoch++;
                p.Trace?.Write(p, "kvm_inj_virq", $"IRQ 0x{vector:x}");
                Delivery.External(s, (byte)vector);
                Processor.Post(s, Request.Evaluate);
            }
        }

        else if (s->GuestMode != 0 && EventIntercepts.TakeVirtualInterrupt(s))
        {
            Processor.Post(s, Request.Evaluate);
        }

        return false;
    }
}
