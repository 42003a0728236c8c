using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>VMRUN: saves L1 and starts the guest that a VMCB describes. <see cref="VmExit"/> is its mirror image. [APM2 15.5] [APM3 VMRUN]</summary>
/// <remarks>
/// Valid because the handler gets the state and instruction of the block that the engine is running. The VMCB is copied once; what is checked and what is used is
/// the copy, so that no other processor can change it in between. semantics.md 4.2 to 4.4.
/// </remarks>
internal static unsafe class Vmrun
{
    public static Flow Execute(CpuState* s, Insn* i)
    {
        Processor p = Processor.Of(s);
        if (s->InSmm != 0 || (s->Cr0 & Cr0.PG) == 0)
        {
            return Fault.Ud(s);
        }

        // KVM asks for a host save area, which it writes when an SMI comes.
        if (p.Msrs.HostSavePa == 0 || !SvmInstructions.TryVmcb(s, i, out ulong address))
        {
            return Fault.Gp(s, 0);
        }

        byte* page = stackalloc byte[VmcbControl.Size + VmcbSave.Size];
        if (!PhysicalAccess.Read(s, address, page, VmcbControl.Size + VmcbSave.Size))
        {
            return Fault.Gp(s, 0);
        }

        s->Rip = i->NextRip(s);
        var control = (VmcbControl*)page;
        var save = (VmcbSave*)(page + VmcbSave.Offset);
        VmcbCheck.Canonicalize(control);
        if (!VmcbCheck.IsValid(s, control) || !VmcbCheck.IsValid(s, save))
        {
            VmExit.Refuse(s, address);
            return Flow.Jump;
        }

        NestedState n = p.Nested;
        VmcbTransfer.Store(s, n.Host);
        p.Trace?.Write(p, "kvm_nested_vmenter", $"rip: 0x{n.Host->Rip:x} vmcb: 0x{address:x} nested_rip: 0x{save->Rip:x}");
        if (!Enter(s, address, control, save))
        {
            // The checks know nothing of what the PDPTEs say.
            VmExit.Abandon(s);
            return Flow.Jump;
        }

        s->Shadow = (InterruptShadow)(control->InterruptState & 1);
        if (VmcbEvent.IsValid(control->InjectedEvent))
        {
            // Before anything else, and whatever IF, the shadow and GIF say. [APM2 15.20]
            s->Delivering = VmcbEvent.ToRecord(control->InjectedEvent, p.Cpuid.Has(Cpuid.Feature.NextRipSave) ? control->NextRip : s->Rip);
        }

        s->Gif = 1;
        return Flow.Jump;
    }

    /// <summary>Switches to L2: its state is <paramref name="save"/>, both areas are valid. False: its PDPTEs cannot be loaded. GIF and events are the caller's.</summary>
    public static bool Enter(CpuState* s, ulong address, VmcbControl* control, VmcbSave* save)
    {
        Join(s, address, control);
        s->Cr2 = save->Cr2;
        ControlRegisters.TrySetDr6(s, save->Dr6);
        ControlRegisters.TrySetDr7(s, save->Dr7);
        return VmcbTransfer.Load(s, save);
    }

    /// <summary>Guest mode begins; the registers are the caller's.</summary>
    public static void Join(CpuState* s, ulong address, VmcbControl* control)
    {
        NestedState n = Processor.Of(s).Nested;
        *n.Control = *control;
        n.Vmcb = address;
        s->GuestMode = 1;
        s->InterceptEvent = &EventIntercepts.Intercept;
        s->TscOffset += control->TscOffset;
        s->Epoch++;
    }
}
