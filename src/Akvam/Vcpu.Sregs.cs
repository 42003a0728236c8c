using Akvam.Abi;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam;

/// <content>Segments, tables and control registers. [KVM 4.13] [KVM 4.132]</content>
public sealed unsafe partial class Vcpu
{
    private const int ResetVectorRip = 0xFFF0;
    private const ulong Cr0Defined = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;

    public kvm_sregs GetSregs()
    {
        lock (_gate)
        {
            kvm_sregs2 common = ReadSregs(State());
            var sregs = new kvm_sregs
            {
                cs = common.cs,
                ds = common.ds,
                es = common.es,
                fs = common.fs,
                gs = common.gs,
                ss = common.ss,
                tr = common.tr,
                ldt = common.ldt,
                gdt = common.gdt,
                idt = common.idt,
                cr0 = common.cr0,
                cr2 = common.cr2,
                cr3 = common.cr3,
                cr4 = common.cr4,
                cr8 = common.cr8,
                efer = common.efer,
                apic_base = common.apic_base,
            };
            if (TryGetInjectedInterrupt(out byte vector))
            {
                sregs.interrupt_bitmap[vector >> 6] = 1ul << (vector & 63);
            }

            return sregs;
        }
    }

    /// <exception cref="KvmException">EINVAL: values that no processor of this CPUID can have. Nothing is changed then.</exception>
    public void SetSregs(in kvm_sregs sregs)
    {
        lock (_gate)
        {
            CpuState* s = State();
            var common = new kvm_sregs2
            {
                cs = sregs.cs,
                ds = sregs.ds,
                es = sregs.es,
                fs = sregs.fs,
                gs = sregs.gs,
                ss = sregs.ss,
                tr = sregs.tr,
                ldt = sregs.ldt,
                gdt = sregs.gdt,
                idt = sregs.idt,
                cr0 = sregs.cr0,
                cr2 = sregs.cr2,
                cr3 = sregs.cr3,
                cr4 = sregs.cr4,
                cr8 = sregs.cr8,
                efer = sregs.efer,
                apic_base = sregs.apic_base,
            };
            WriteSregs(s, in common, reloadPdptes: true);
            for (int word = 0; word < 4; word++)
            {
                if (sregs.interrupt_bitmap[word] != 0)
                {
                    InjectInterrupt(s, (byte)((word << 6) + System.Numerics.BitOperations.TrailingZeroCount(sregs.interrupt_bitmap[word])));
                    break;
                }
            }
        }
    }

    public kvm_sregs2 GetSregs2()
    {
        lock (_gate)
        {
            CpuState* s = State();
            kvm_sregs2 sregs = ReadSregs(s);
            if (ControlRegisters.IsPaePaging(s))
            {
                for (int i = 0; i < 4; i++)
                {
                    sregs.pdptrs[i] = s->Pdpte[i];
                }

                sregs.flags = KvmState.KVM_SREGS2_FLAGS_PDPTRS_VALID;
            }

            return sregs;
        }
    }

    /// <exception cref="KvmException">EINVAL: as <see cref="SetSregs"/>, or unknown flags, or PDPTRs without PAE paging.</exception>
    public void SetSregs2(in kvm_sregs2 sregs)
    {
        lock (_gate)
        {
            CpuState* s = State();
            bool given = (sregs.flags & KvmState.KVM_SREGS2_FLAGS_PDPTRS_VALID) != 0;
            if ((sregs.flags & ~KvmState.KVM_SREGS2_FLAGS_PDPTRS_VALID) != 0 || (given && !UsesPdptes(sregs.cr0, sregs.cr4, sregs.efer)))
            {
                throw new KvmException(Errno.EINVAL, "flags of kvm_sregs2");
            }

            WriteSregs(s, in sregs, reloadPdptes: !given);
            for (int i = 0; given && i < 4; i++)
            {
                s->Pdpte[i] = sregs.pdptrs[i];
            }
        }
    }

    private static bool UsesPdptes(ulong cr0, ulong cr4, ulong efer) => (cr0 & Cr0.PG) != 0 && (cr4 & Cr4.PAE) != 0 && (efer & Efer.LMA) == 0;

    private kvm_sregs2 ReadSregs(CpuState* s) => new()
    {
        cs = SegmentConversion.To(in s->Cs),
        ds = SegmentConversion.ToData(in s->Ds),
        es = SegmentConversion.ToData(in s->Es),
        fs = SegmentConversion.ToData(in s->Fs),
        gs = SegmentConversion.ToData(in s->Gs),
        ss = SegmentConversion.ToStack(in s->Ss, s->Cpl),
        tr = SegmentConversion.ToTask(in s->Tr),
        ldt = SegmentConversion.To(in s->Ldtr),
        gdt = new kvm_dtable { @base = s->GdtBase, limit = s->GdtLimit },
        idt = new kvm_dtable { @base = s->IdtBase, limit = s->IdtLimit },
        cr0 = s->Cr0,
        cr2 = s->Cr2,
        cr3 = s->Cr3,
        cr4 = s->Cr4,
        cr8 = _bus.TaskPriority,
        efer = s->Efer,
        apic_base = _bus.ApicBase,
    };

    private void WriteSregs(CpuState* s, in kvm_sregs2 v, bool reloadPdptes)
    {
        ControlRegisterRules.Check(s, in v);
        _bus.SetApicBase(v.apic_base);
        if ((v.efer & Efer.SVME) == 0)
        {
            NestedState.Abandon(s);
        }

        s->IdtBase = v.idt.@base;
        s->IdtLimit = v.idt.limit;
        s->GdtBase = v.gdt.@base;
        s->GdtLimit = v.gdt.limit;
        s->Cr2 = v.cr2;
        s->Cr3 = v.cr3;
        s->Efer = v.efer;
        s->Cr0 = (v.cr0 & Cr0Defined) | Cr0.ET;
        s->Cr4 = v.cr4;
        s->Cs = SegmentConversion.From(in v.cs);
        s->Ds = SegmentConversion.From(in v.ds);
        s->Es = SegmentConversion.From(in v.es);
        s->Fs = SegmentConversion.From(in v.fs);
        s->Gs = SegmentConversion.From(in v.gs);
        s->Ss = SegmentConversion.From(in v.ss);
        s->Cpl = (byte)(v.ss.dpl & 3);
        s->Tr = SegmentConversion.From(in v.tr);
        s->Ldtr = SegmentConversion.From(in v.ldt);
        if (v.cr8 <= 15)
        {
            _bus.SetTaskPriorityQuietly((byte)v.cr8);
        }

        Changed(s);
        ControlRegisters.Reloaded(s);
        if (reloadPdptes && ControlRegisters.IsPaePaging(s) && !ControlRegisters.TryLoadPdptes(s, s->Cr3))
        {
            new Span<ulong>(s->Pdpte, 4).Clear();
        }

        // Old clients start the boot processor by setting up its reset state instead of its mp_state.
        if (_id == _vm.BootVcpuId && s->Rip == ResetVectorRip && s->Cs.Selector == 0xF000 && s->Cs.Base == 0xFFFF_0000 && (s->Cr0 & Cr0.PE) == 0)
        {
            s->Activity = Activity.Runnable;
        }
    }
}
