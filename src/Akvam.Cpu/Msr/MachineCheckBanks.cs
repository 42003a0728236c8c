using static Akvam.Cpu.Msr.MsrIndex;

namespace Akvam.Cpu.Msr;

/// <summary>Machine-check registers: kept for software that looks; nothing here ever finds an error by itself. [APM2 9.3] [KVM 4.104]</summary>
public sealed class MachineCheckBanks
{
    public const int MaxBanks = 32;

    /// <summary>MCG_CTL is there.</summary>
    public const ulong MCG_CTL_P = 1 << 8;

    /// <summary>Corrected errors may raise an interrupt of their own.</summary>
    public const ulong MCG_CMCI_P = 1 << 10;

    /// <summary>CTL2 of a bank: the interrupt is on; and its threshold.</summary>
    public const ulong MCI_CTL2_CMCI_EN = 1 << 30;
    private const ulong Ctl2Threshold = 0x7FFF;

    private readonly ulong[] _controls2 = new ulong[MaxBanks];

    /// <summary>CTL, STATUS, ADDR, MISC of each bank.</summary>
    private readonly ulong[] _banks = new ulong[MaxBanks * 4];
    private ulong _control;

    public MachineCheckBanks() => Setup(MaxBanks);

    /// <summary>IA32_MCG_CAP.</summary>
    public ulong Capabilities { get; private set; }

    /// <summary>IA32_MCG_STATUS.</summary>
    public ulong Status { get; set; }

    /// <summary>KVM_X86_SETUP_MCE: number of banks in bits 7:0, which the caller has checked; all errors enabled.</summary>
    public void Setup(ulong capabilities)
    {
        Capabilities = capabilities;
        Array.Clear(_controls2);
        _control = (capabilities & MCG_CTL_P) != 0 ? ulong.MaxValue : 0;
        for (int i = 0; i < _banks.Length; i++)
        {
            _banks[i] = i % 4 == 0 ? ulong.MaxValue : 0;
        }
    }

    /// <summary>An error in the bank raises the corrected machine-check interrupt. [SDM3 16.5]</summary>
    public bool Interrupts(int bank) => HasCmci && (_controls2[bank] & MCI_CTL2_CMCI_EN) != 0;

    private bool HasCmci => (Capabilities & MCG_CMCI_P) != 0;

    public bool TryRead(uint index, out ulong value)
    {
        value = 0;
        switch (index)
        {
            case MSR_IA32_MCG_CAP:
                value = Capabilities;
                return true;
            case MSR_IA32_MCG_STATUS:
                value = Status;
                return true;
            case MSR_IA32_MCG_CTL when (Capabilities & MCG_CTL_P) != 0:
                value = _control;
                return true;
            case >= MSR_IA32_MC0_CTL and <= MSR_IA32_MC31_MISC when (index - MSR_IA32_MC0_CTL) / 4 < (Capabilities & 0xFF):
                value = _banks[index - MSR_IA32_MC0_CTL];
                return true;
            case >= MSR_IA32_MC0_CTL2 and < MSR_IA32_MC0_CTL2 + MaxBanks when HasCmci && index - MSR_IA32_MC0_CTL2 < (Capabilities & 0xFF):
                value = _controls2[index - MSR_IA32_MC0_CTL2];
                return true;
            default:
                return false;
        }
    }

    /// <param name="index">Number of the MSR.</param>
    /// <param name="value">Its new value.</param>
    /// <param name="anyStatus">User space, or the guest with HWCR.McStatusWrEn, may set a status other than 0.</param>
    public bool TryWrite(uint index, ulong value, bool anyStatus)
    {
        switch (index)
        {
            case MSR_IA32_MCG_STATUS:
                Status = value;
                return true;
            case MSR_IA32_MCG_CTL when (Capabilities & MCG_CTL_P) != 0 && value is 0 or ulong.MaxValue:
                _control = value;
                return true;
            case >= MSR_IA32_MC0_CTL and <= MSR_IA32_MC31_MISC when (index - MSR_IA32_MC0_CTL) / 4 < (Capabilities & 0xFF):
                uint kind = index & 3;

                // Control: all or nothing, but Linux clears bit 10 of bank 4 of old AMD parts, and bit 0. Status: only cleared.
                if ((kind == 0 && value != 0 && (value | (1 << 10) | 1) != ulong.MaxValue) || (kind == 1 && value != 0 && !anyStatus))
                {
                    return false;
                }

                _banks[index - MSR_IA32_MC0_CTL] = value;
                return true;
            case >= MSR_IA32_MC0_CTL2 and < MSR_IA32_MC0_CTL2 + MaxBanks when HasCmci && index - MSR_IA32_MC0_CTL2 < (Capabilities & 0xFF):
                if ((value & ~(MCI_CTL2_CMCI_EN | Ctl2Threshold)) != 0)
                {
                    return false;
                }

                _controls2[index - MSR_IA32_MC0_CTL2] = value;
                return true;
            default:
                return false;
        }
    }
}
