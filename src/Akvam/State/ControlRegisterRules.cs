using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam;

/// <summary>Which control registers KVM_SET_SREGS takes: those that instructions could have produced on a processor with the guest's CPUID.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class ControlRegisterRules
{
    /// <exception cref="KvmException">EINVAL.</exception>
    public static void Check(CpuState* s, in kvm_sregs2 v)
    {
        if (!ControlRegisters.IsValidCr0(v.cr0))
        {
            throw new KvmException(Errno.EINVAL, $"CR0 = {v.cr0:x}");
        }

        if (!ControlRegisters.IsValidCr4(s, v.cr4))
        {
            throw new KvmException(Errno.EINVAL, $"CR4 = {v.cr4:x}, the guest's CPUID allows {Processor.Of(s).Cpuid.AllowedCr4:x}");
        }

        if (!ControlRegisters.IsValidEfer(s, v.efer))
        {
            throw new KvmException(Errno.EINVAL, $"EFER = {v.efer:x}, the guest's CPUID allows {Processor.Of(s).Cpuid.AllowedEfer:x}");
        }

        // Long mode is LME and paging, and then needs PAE and LMA; LMA and 64-bit code segments exist nowhere else. [APM2 14.6.1]
        if ((v.efer & Efer.LME) != 0 && (v.cr0 & Cr0.PG) != 0
            ? (v.cr4 & Cr4.PAE) == 0 || (v.efer & Efer.LMA) == 0 || !ControlRegisters.IsValidCr3(s, v.cr3)
            : (v.efer & Efer.LMA) != 0 || v.cs.l != 0)
        {
            throw new KvmException(Errno.EINVAL, "CR0, CR4, EFER and CS do not make a mode");
        }
    }
}
