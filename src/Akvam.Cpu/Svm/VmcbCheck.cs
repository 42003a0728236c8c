using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>What makes a VMCB illegal: VMRUN ends with VMEXIT_INVALID, KVM_SET_NESTED_STATE with EINVAL. semantics.md 4.3. [APM2 15.5.1]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> and the VMCB it is given; the VMCB is always a copy that the guest cannot reach.</remarks>
public static unsafe class VmcbCheck
{
    private const ulong IopmBytes = 12 << 10, MsrpmBytes = 8 << 10;
    private const ulong ShadowMask = 1;

    /// <summary>Takes out what no processor looks at, so that it cannot matter later.</summary>
    public static void Canonicalize(VmcbControl* c)
    {
        c->IopmBase &= ~0xFFFul;
        c->MsrpmBase &= ~0xFFFul;
        c->InterruptState &= ShadowMask;
        c->InjectedEvent &= VmcbEvent.Defined;
    }

    public static bool IsValid(CpuState* s, VmcbControl* c)
    {
        ulong limit = 1ul << Processor.Of(s).Cpuid.PhysicalAddressBits;

        // Nested paging is not offered: bit 0 of NestedControl means nothing.
        return c->Has(SvmExitCode.Vmrun)
            && c->Asid != 0
            && c->MsrpmBase + MsrpmBytes <= limit
            && c->IopmBase + IopmBytes <= limit
            && (!VmcbEvent.IsValid(c->InjectedEvent) || VmcbEvent.IsWellFormed(c->InjectedEvent));
    }

    public static bool IsValid(CpuState* s, VmcbSave* v)
    {
        bool longMode = (v->Efer & Efer.LME) != 0 && (v->Cr0 & Cr0.PG) != 0;
        if ((v->Efer & Efer.SVME) == 0
            || ((v->Cr0 & Cr0.NW) != 0 && (v->Cr0 & Cr0.CD) == 0)
            || (v->Cr0 | v->Dr6 | v->Dr7) >> 32 != 0
            || !ControlRegisters.IsValidCr4(s, v->Cr4)
            || !ControlRegisters.IsValidEfer(s, v->Efer))
        {
            return false;
        }

        return !longMode
            || ((v->Cr4 & Cr4.PAE) != 0
                && (v->Cr0 & Cr0.PE) != 0
                && ControlRegisters.IsValidCr3(s, v->Cr3)
                && (v->Cs.Attributes & (LongCode | BigCode)) != (LongCode | BigCode));
    }

    /// <summary>L1's state comes from outside, and must be one in which VMRUN could have been executed.</summary>
    public static bool IsValidHost(CpuState* s, VmcbSave* v) =>
        (v->Cr0 & (Cr0.PG | Cr0.PE)) == (Cr0.PG | Cr0.PE) && (v->Rflags & Rflags.VM) == 0 && IsValid(s, v);

    /// <summary>L and D of a VMCB's segment attributes.</summary>
    private const ushort LongCode = 1 << 9, BigCode = 1 << 10;
}
