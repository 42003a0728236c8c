using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Smm;

/// <summary>
/// Trace events of SMM beside kvm_enter_smm, which tells of the flag alone: what was saved (smm_entry), what is resumed (smm_exit), and the check that made an SMI or RSM fail.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given. Costs a test for null when nothing is traced.</remarks>
internal static unsafe class SmmTrace
{
    /// <summary>SMI: the image is written, the handler has not begun. The state is still the program's but for the flag.</summary>
    public static void Saved(CpuState* s, bool wide)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, "smm_entry", $"{(wide ? 64 : 32)}-bit map at 0x{s->Smbase + SmramStateMap64.Start:x}: {Program(s)} inside_nmi {s->SmmInsideNmi}");
    }

    /// <summary>RSM: everything is loaded.</summary>
    public static void Resumed(CpuState* s)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, "smm_exit", $"smbase 0x{s->Smbase:x}: {Program(s)} nmi_masked {s->NmiMasked}");
    }

    /// <summary>No memory where the image is.</summary>
    public static void NoImage(CpuState* s, string name)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, name, $"no memory at 0x{s->Smbase + SmramStateMap64.Start:x} in address space 1");
    }

    /// <summary>The SMI came while an SVM guest ran, which cannot be left.</summary>
    public static void NoGuest(CpuState* s, bool wide)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, "smi_failed", wide ? "an SVM guest whose VMCB, or the host save area, cannot be written" : "an SVM guest, for which the 32-bit map has no place");
    }

    /// <summary>RSM found a value that the setter of its register does not take.</summary>
    public static void Refused(CpuState* s, string register, ulong value)
    {
        Processor p = Processor.Of(s);
        p.Trace?.Write(p, "rsm_failed", $"{register} 0x{value:x}: {Why(s, register, value)}");
    }

    private static string Program(CpuState* s) =>
        $"rip 0x{s->Rip:x} rflags 0x{LazyFlags.Read(s):x} cr0 0x{s->Cr0:x} cr3 0x{s->Cr3:x} cr4 0x{s->Cr4:x} efer 0x{s->Efer:x} cpl {s->Cpl} shadow {(int)s->Shadow}";

    /// <summary>The setter's reason: it has changed nothing, so that the state is what it was checked against.</summary>
    private static string Why(CpuState* s, string register, ulong value)
    {
        Cpuid.GuestCpuid cpuid = Processor.Of(s).Cpuid;
        return register switch
        {
            "CR0" when value >> 32 != 0 => "bits above 31",
            "CR0" when (value & Cr0.NW) != 0 && (value & Cr0.CD) == 0 => "NW without CD",
            "CR0" when (value & Cr0.PG) != 0 && (value & Cr0.PE) == 0 => "PG without PE",
            "CR0" when (s->Efer & Efer.LME) != 0 => "long mode without CR4.PAE",
            "CR3" => $"bits 0x{value & cpuid.ReservedAddressBits:x} are beyond the physical address width",
            "CR4" when (value & ~cpuid.AllowedCr4) != 0 => $"bits 0x{value & ~cpuid.AllowedCr4:x} are not in CPUID",
            "CR4" when (value & Cr4.PCIDE) != 0 => "PCIDE without long mode",
            "EFER" => $"bits 0x{value & ~cpuid.AllowedEfer:x} are not in CPUID",
            "DR6" or "DR7" => "bits above 31",
            "SVM guest flag" => "CPUID has no SVM",
            "SVM guest" => "its VMCB, or the host save area, is illegal or cannot be read",
            _ => "a PDPTE is unreadable or has reserved bits set",
        };
    }
}
