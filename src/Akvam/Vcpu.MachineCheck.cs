using Akvam.Abi;
using Akvam.Cpu.Msr;
using Akvam.Cpu.State;
using Akvam.Devices;

namespace Akvam;

/// <content>Machine checks from the client. [KVM 4.104] [KVM 4.106]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>MCG_SER_P: software error recovery.</summary>
    private const ulong SoftwareRecovery = 1 << 24;

    /// <summary>Bits of IA32_MCG_CAP that only count: banks, and extended registers.</summary>
    private const ulong Counts = 0xFF | 0xFF0000;

    // Status of a bank [APM2 9.3.2.1] and of all [APM2 9.3.1]
    private const ulong BankValid = 1ul << 63, BankOverflow = 1ul << 62, BankUncorrected = 1ul << 61;
    private const ulong BankContextCorrupt = 1ul << 57, BankSignalled = 1ul << 56, BankActionRequired = 1ul << 55;
    private const ulong InProgress = 1 << 2;

    /// <summary>KVM_X86_GET_MCE_CAP_SUPPORTED.</summary>
    public static ulong SupportedMceCapabilities => MachineCheckBanks.MCG_CTL_P | MachineCheckBanks.MCG_CMCI_P | SoftwareRecovery;

    /// <summary>KVM_X86_SETUP_MCE: IA32_MCG_CAP, with the number of banks in bits 7:0.</summary>
    /// <exception cref="KvmException">EINVAL: no banks or too many, or capabilities that are not there.</exception>
    public void SetupMce(ulong capabilities)
    {
        lock (_gate)
        {
            State();
            if ((capabilities & 0xFF) is 0 or > MachineCheckBanks.MaxBanks || (capabilities & ~(SupportedMceCapabilities | Counts)) != 0)
            {
                throw new KvmException(Errno.EINVAL, $"machine-check capabilities {capabilities:x}");
            }

            _processor.Msrs.MachineCheck.Setup(capabilities);
            if (_bus.Lapic is { } lapic)
            {
                lapic.CmciAvailable = (capabilities & MachineCheckBanks.MCG_CMCI_P) != 0;
            }
        }
    }

    /// <summary>KVM_X86_SET_MCE: an error that a bank reports; one that is not corrected raises #MC, or shuts the processor down if it cannot take one. [APM2 9.3.3]</summary>
    /// <exception cref="KvmException">EINVAL: no such bank, or the status is not a valid one.</exception>
    public void SetMce(in kvm_x86_mce mce)
    {
        lock (_gate)
        {
            CpuState* s = State();
            MachineCheckBanks banks = _processor.Msrs.MachineCheck;
            if (mce.bank >= (banks.Capabilities & 0xFF) || (mce.status & BankValid) == 0)
            {
                throw new KvmException(Errno.EINVAL, $"machine check in bank {mce.bank}, status {mce.status:x}");
            }

            uint control = MsrIndex.MSR_IA32_MC0_CTL + (mce.bank * 4u);
            ulong before = Read(banks, control + 1);
            if (mce.mcg_status == 0 && (mce.status & BankUncorrected) != 0 && (mce.status & (BankContextCorrupt | BankSignalled | BankActionRequired)) == 0)
            {
                // Not corrected, and no action required: it is recorded, and told as a corrected one is. [SDM3 16.6.3]
                Report(banks, control, in mce, mce.status, keepAddress: false);
                banks.Status = 0;
                TellCorrected(banks, mce.bank);
                return;
            }

            if ((mce.status & BankUncorrected) == 0)
            {
                // An error that was not corrected is not overwritten by one that was.
                bool keep = (before & (BankValid | BankUncorrected)) == (BankValid | BankUncorrected);
                Report(banks, control, in mce, keep ? before | BankOverflow : mce.status | (before & BankValid) >> 1, keep);
                TellCorrected(banks, mce.bank);
                return;
            }

            bool enabled = ((banks.Capabilities & MachineCheckBanks.MCG_CTL_P) == 0 || Read(banks, MsrIndex.MSR_IA32_MCG_CTL) == ulong.MaxValue) && Read(banks, control) == ulong.MaxValue;
            if (!enabled)
            {
                return;
            }

            if ((banks.Status & InProgress) != 0 || (s->Cr4 & Cr4.MCE) == 0)
            {
                s->TripleFault = 1;
            }
            else
            {
                Report(banks, control, in mce, mce.status | (before & BankValid) >> 1, keepAddress: false);
                banks.Status = mce.mcg_status;
                _processor.InjectedException = new FaultRecord { Vector = Cpu.State.Vector.MC };
                ExceptionIsPending = true;
                _exceptionHasPayload = false;
            }

            Changed(s);
        }
    }

    private void TellCorrected(MachineCheckBanks banks, int bank)
    {
        if (banks.Interrupts(bank))
        {
            _bus.Lapic?.DeliverLvt(LapicLvt.Cmci);
        }
    }

    private static ulong Read(MachineCheckBanks banks, uint index)
    {
        banks.TryRead(index, out ulong value);
        return value;
    }

    private static void Report(MachineCheckBanks banks, uint control, in kvm_x86_mce mce, ulong status, bool keepAddress)
    {
        banks.TryWrite(control + 1, status, anyStatus: true);
        if (!keepAddress)
        {
            banks.TryWrite(control + 2, mce.addr, anyStatus: true);
            banks.TryWrite(control + 3, mce.misc, anyStatus: true);
        }
    }
}
