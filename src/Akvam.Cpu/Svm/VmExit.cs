using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>#VMEXIT: saves L2 in its VMCB and goes on with L1 behind its VMRUN. <see cref="Vmrun"/> is its mirror image. [APM2 15.6]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class VmExit
{
    private const uint SingleStep = 1 << 14;

    /// <summary>
    /// Leaves L2. <see cref="CpuState.Rip"/> is L2's: that of the instruction that was intercepted, or of the next one. Afterwards it is L1's; an instruction returns
    /// <see cref="Flow.Jump"/>.
    /// </summary>
    /// <param name="s">State of the processor, in guest mode.</param>
    /// <param name="code">One of <see cref="SvmExitCode"/>.</param>
    /// <param name="info1">EXITINFO1.</param>
    /// <param name="info2">EXITINFO2.</param>
    /// <param name="nextRip">RIP behind the intercepted instruction; 0 where none is.</param>
    public static void Leave(CpuState* s, ulong code, ulong info1 = 0, ulong info2 = 0, ulong nextRip = 0)
    {
        Processor p = Processor.Of(s);
        NestedState n = p.Nested;
        VmcbControl* c = n.Control;
        p.Trace?.Write(p, "kvm_nested_vmexit", $"rip 0x{s->Rip:x} reason 0x{code:x} info1 0x{info1:x} info2 0x{info2:x}");
        c->InterruptState = s->Shadow != InterruptShadow.None ? 1ul : 0;
        c->ExitCode = code;
        c->ExitInfo1 = info1;
        c->ExitInfo2 = info2;
        c->ExitEvent = VmcbEvent.Of(in s->Delivering);
        c->NextRip = p.Cpuid.Has(Cpuid.Feature.NextRipSave) ? nextRip : 0;
        bool written = Write(s, n);
        Forget(s);
        if (!Resume(s, n.Host) || !written)
        {
            // L1 cannot know what happened, or cannot go on. semantics.md 4.5
            Shutdown(s);
        }
    }

    /// <summary>VMRUN found a VMCB illegal: L1 goes on behind it, with GIF clear. Nothing was switched.</summary>
    public static void Refuse(CpuState* s, ulong address)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, "kvm_nested_vmenter_failed", $"vmcb: 0x{address:x}");
        s->Gif = 0;
        if (!WriteRefusal(s, address))
        {
            Shutdown(s);
        }
    }

    /// <summary>As <see cref="Refuse"/>, after L2's registers were loaded.</summary>
    public static void Abandon(CpuState* s)
    {
        NestedState n = Processor.Of(s).Nested;
        ulong address = n.Vmcb;
        Forget(s);
        if (!Resume(s, n.Host) || !WriteRefusal(s, address))
        {
            Shutdown(s);
        }
    }

    /// <summary>Guest mode is over, without a #VMEXIT if this is all: RESET, INIT, user space. Registers, GIF and the VMCB are the caller's.</summary>
    public static void Forget(CpuState* s)
    {
        NestedState n = Processor.Of(s).Nested;
        s->TscOffset -= n.Control->TscOffset;
        n.Vmcb = 0;
        s->GuestMode = 0;
        s->InterceptEvent = null;
        s->Delivering = default;
        s->PendingDebug = 0;
        s->Shadow = InterruptShadow.None;
        s->NmiInjected = 0;
    }

    private static bool Resume(CpuState* s, VmcbSave* host)
    {
        s->Gif = 0;
        s->Activity = Activity.Runnable;
        s->Epoch++;
        ControlRegisters.TrySetDr7(s, 0);
        bool ok = VmcbTransfer.Load(s, host);
        s->Cpl = 0;
        Processor.UpdateMode(s);

        // VMRUN was an instruction of L1's, and traps behind it. [APM2 15.6]
        s->PendingDebug = (s->SystemFlags & Rflags.TF) != 0 ? SingleStep : 0;
        return ok;
    }

    private static void Shutdown(CpuState* s)
    {
        s->TripleFault = 1;
        Processor.Post(s, Request.TripleFault);
    }

    /// <summary>Writes what #VMEXIT changes and no byte else: L1's other processors may be writing to the rest.</summary>
    private static bool Write(CpuState* s, NestedState n)
    {
        VmcbSave v = default;
        VmcbTransfer.Store(s, &v);
        VmcbControl* c = n.Control;
        ulong injection = 0;
        ulong save = n.Vmcb + VmcbSave.Offset;
        return Put(s, n.Vmcb + VmcbControl.ExitStart, (byte*)c + VmcbControl.ExitStart, VmcbControl.ExitEnd - VmcbControl.ExitStart)
            && Put(s, n.Vmcb + 0xA8, &injection, sizeof(ulong))
            && Put(s, n.Vmcb + 0xC8, &c->NextRip, sizeof(ulong))
            && VmcbTransfer.Write(s, save, &v)
            && Put(s, save + 0x160, &v.Dr7, 2 * sizeof(ulong))
            && Put(s, save + 0x240, &v.Cr2, sizeof(ulong));
    }

    private static bool WriteRefusal(CpuState* s, ulong address)
    {
        ulong* exit = stackalloc ulong[] { SvmExitCode.Invalid, 0, 0 };
        ulong injection = 0;
        return Put(s, address + 0x70, exit, 3 * sizeof(ulong)) && Put(s, address + 0xA8, &injection, sizeof(ulong));
    }

    private static bool Put(CpuState* s, ulong address, void* from, int size) => PhysicalAccess.Write(s, address, from, size);
}
