using static Akvam.Cpu.Msr.MsrIndex;

namespace Akvam.Cpu.Msr;

/// <summary>The MSRs that make up a processor's saved state (KVM_GET_MSR_INDEX_LIST), as far as the processor keeps them itself. [KVM 4.3]</summary>
public static class MsrList
{
    private static readonly uint[] s_saved = Saved();

    /// <summary>Without those of the bus: APIC base, x2APIC, TSC deadline, paravirtual ones.</summary>
    public static ReadOnlySpan<uint> State => s_saved;

    /// <summary>MSRs that describe the processor rather than hold state (KVM_GET_MSR_FEATURE_INDEX_LIST).</summary>
    public static ReadOnlySpan<uint> Features => [MSR_IA32_UCODE_REV, MSR_AMD64_DE_CFG, MSR_PLATFORM_INFO];

    private static uint[] Saved()
    {
        List<uint> list =
        [
            MSR_IA32_TSC, MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_EFER, MSR_FS_BASE, MSR_GS_BASE,
            MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_IA32_CR_PAT, MSR_IA32_TSC_ADJUST, MSR_IA32_MISC_ENABLE, MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL, MSR_IA32_SMBASE, MSR_SMI_COUNT,
            MSR_PLATFORM_INFO, MSR_MISC_FEATURES_ENABLES, MSR_IA32_SPEC_CTRL, MSR_IA32_XSS, MSR_IA32_DEBUGCTLMSR, MSR_IA32_UCODE_REV, MSR_IA32_POWER_CTL, MSR_K7_HWCR, MSR_VM_HSAVE_PA, MSR_VM_CR,
            MSR_AMD64_DE_CFG, MSR_MTRRdefType, MSR_MTRRfix64K_00000, MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000,
        ];
        for (uint i = MSR_MTRRfix4K_C0000; i <= MSR_MTRRfix4K_F8000; i++)
        {
            list.Add(i);
        }

        for (uint i = MSR_MTRRphysBase0; i <= MSR_MTRRphysMask7; i++)
        {
            list.Add(i);
        }

        return [.. list];
    }
}
