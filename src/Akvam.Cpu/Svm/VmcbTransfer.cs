using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>Between a processor's registers and the state-save area of a VMCB: the set that VMRUN and #VMEXIT switch, and the one of VMLOAD and VMSAVE. [APM2 15.5]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> and the VMCB it is given.</remarks>
internal static unsafe class VmcbTransfer
{
    private const int ShortLinear = 48, LongLinear = 57;

    /// <summary>What VMRUN saves of L1 and #VMEXIT of L2.</summary>
    public static void Store(CpuState* s, VmcbSave* v)
    {
        v->Es = VmcbSegment.Of(in s->Es);
        v->Cs = VmcbSegment.Of(in s->Cs);
        v->Ss = VmcbSegment.Of(in s->Ss);
        v->Ds = VmcbSegment.Of(in s->Ds);
        v->Gdtr = new VmcbSegment { Limit = s->GdtLimit, Base = s->GdtBase };
        v->Idtr = new VmcbSegment { Limit = s->IdtLimit, Base = s->IdtBase };
        v->Cpl = s->Cpl;
        v->Efer = s->Efer;
        v->Cr0 = s->Cr0;
        v->Cr2 = s->Cr2;
        v->Cr3 = s->Cr3;
        v->Cr4 = s->Cr4;
        v->Dr6 = s->Dr6;
        v->Dr7 = s->Dr7;
        v->Rflags = LazyFlags.Read(s);
        v->Rip = s->Rip;
        v->Rsp = s->Gpr[Register.Rsp];
        v->Rax = s->Gpr[Register.Rax];
    }

    /// <summary>
    /// Writes what both #VMEXIT and an SMI write to a save area in guest memory, and no byte else: L1, its other processors, may be writing to the rest. That is what
    /// <see cref="Store"/> saves, but for CR2 and the debug registers.
    /// </summary>
    public static bool Write(CpuState* s, ulong area, VmcbSave* v) =>
        PhysicalAccess.Write(s, area, &v->Es, 4 * sizeof(VmcbSegment))
        && PhysicalAccess.Write(s, area + 0x060, &v->Gdtr, sizeof(VmcbSegment))
        && PhysicalAccess.Write(s, area + 0x080, &v->Idtr, sizeof(VmcbSegment))
        && PhysicalAccess.Write(s, area + 0x0CB, &v->Cpl, sizeof(byte))
        && PhysicalAccess.Write(s, area + 0x0D0, &v->Efer, sizeof(ulong))
        && PhysicalAccess.Write(s, area + 0x148, &v->Cr4, 3 * sizeof(ulong))
        && PhysicalAccess.Write(s, area + 0x170, &v->Rflags, 2 * sizeof(ulong))
        && PhysicalAccess.Write(s, area + 0x1D8, &v->Rsp, sizeof(ulong))
        && PhysicalAccess.Write(s, area + 0x1F8, &v->Rax, sizeof(ulong));

    /// <summary>Copies what <see cref="Write"/> writes.</summary>
    public static void Copy(VmcbSave* from, VmcbSave* to)
    {
        (to->Es, to->Cs, to->Ss, to->Ds) = (from->Es, from->Cs, from->Ss, from->Ds);
        (to->Gdtr, to->Idtr) = (from->Gdtr, from->Idtr);
        (to->Cpl, to->Efer, to->Cr4, to->Cr3, to->Cr0) = (from->Cpl, from->Efer, from->Cr4, from->Cr3, from->Cr0);
        (to->Rflags, to->Rip, to->Rsp, to->Rax) = (from->Rflags, from->Rip, from->Rsp, from->Rax);
    }

    /// <summary>
    /// Loads what <see cref="Store"/> saves, but for CR2 and the debug registers; the VMCB has passed <see cref="VmcbCheck"/>, so nothing can be refused. False: the
    /// PDPTEs cannot be loaded. All that derives from the state is new afterwards.
    /// </summary>
    public static bool Load(CpuState* s, VmcbSave* v)
    {
        int bits = (v->Cr4 & Cr4.LA57) != 0 ? LongLinear : ShortLinear;
        v->Es.Load(out s->Es, bits);
        v->Cs.Load(out s->Cs, bits);
        v->Ss.Load(out s->Ss, bits);
        v->Ds.Load(out s->Ds, bits);
        s->GdtBase = v->Gdtr.CanonicalBase(bits);
        s->GdtLimit = (ushort)v->Gdtr.Limit;
        s->IdtBase = v->Idtr.CanonicalBase(bits);
        s->IdtLimit = (ushort)v->Idtr.Limit;
        LazyFlags.Write(s, v->Rflags);
        s->Cr0 = v->Cr0 | Cr0.ET;
        s->Cr4 = v->Cr4;
        s->Cr3 = v->Cr3;

        // LMA is not believed. semantics.md 4.3
        s->Efer = (v->Efer & ~Efer.LMA) | ((v->Efer & Efer.LME) != 0 && (v->Cr0 & Cr0.PG) != 0 ? Efer.LMA : 0);
        s->Gpr[Register.Rax] = v->Rax;
        s->Gpr[Register.Rsp] = v->Rsp;
        s->Rip = v->Rip;
        s->Cpl = (s->Cr0 & Cr0.PE) == 0 ? (byte)0 : (s->SystemFlags & Rflags.VM) != 0 ? (byte)3 : (byte)(v->Cpl & 3);
        bool ok = !ControlRegisters.IsPaePaging(s) || ControlRegisters.TryLoadPdptes(s, s->Cr3);
        ControlRegisters.Reloaded(s);
        return ok;
    }

    /// <summary>The set of VMSAVE. The rest of the area stays as it is.</summary>
    public static void StoreAdditional(CpuState* s, VmcbSave* v)
    {
        v->Fs = VmcbSegment.Of(in s->Fs);
        v->Gs = VmcbSegment.Of(in s->Gs);
        v->Ldtr = VmcbSegment.Of(in s->Ldtr);
        v->Tr = VmcbSegment.Of(in s->Tr);
        v->KernelGsBase = s->KernelGsBase;
        v->Star = s->Star;
        v->Lstar = s->Lstar;
        v->Cstar = s->Cstar;
        v->Sfmask = s->Sfmask;
        v->SysenterCs = s->SysenterCs;
        v->SysenterEsp = s->SysenterEsp;
        v->SysenterEip = s->SysenterEip;
    }

    /// <summary>The set of VMLOAD.</summary>
    public static void LoadAdditional(CpuState* s, VmcbSave* v)
    {
        int bits = (s->Cr4 & Cr4.LA57) != 0 ? LongLinear : ShortLinear;
        v->Fs.Load(out s->Fs, bits);
        v->Gs.Load(out s->Gs, bits);
        v->Ldtr.Load(out s->Ldtr, bits);
        v->Tr.Load(out s->Tr, bits);
        s->KernelGsBase = v->KernelGsBase;
        s->Star = v->Star;
        s->Lstar = v->Lstar;
        s->Cstar = v->Cstar;
        s->Sfmask = v->Sfmask;
        s->SysenterCs = v->SysenterCs;
        s->SysenterEsp = v->SysenterEsp;
        s->SysenterEip = v->SysenterEip;
        Processor.UpdateMode(s);
    }
}
