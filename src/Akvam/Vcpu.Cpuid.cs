using Akvam.Abi;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>The CPUID table of this processor. [KVM 4.20]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>KVM_MAX_CPUID_ENTRIES.</summary>
    public const int MaxCpuidEntries = 256;

    /// <exception cref="KvmException">E2BIG: too many entries; EINVAL: a linear address width that does not exist, or a change after the vCPU has run.</exception>
    public void SetCpuid2(ReadOnlySpan<kvm_cpuid_entry2> entries)
    {
        lock (_gate)
        {
            CpuState* s = State();
            if (entries.Length > MaxCpuidEntries)
            {
                throw new KvmException(Errno.E2BIG, $"{entries.Length} CPUID entries");
            }

            var table = new CpuidEntry[entries.Length];
            for (int i = 0; i < entries.Length; i++)
            {
                ref readonly kvm_cpuid_entry2 e = ref entries[i];
                if (e.function == 0x8000_0008 && (e.eax >> 8 & 0xFF) is not (0 or 48 or 57))
                {
                    throw new KvmException(Errno.EINVAL, $"{e.eax >> 8 & 0xFF} bits of linear address");
                }

                table[i] = new CpuidEntry { Function = e.function, Index = e.index, Flags = e.flags, Eax = e.eax, Ebx = e.ebx, Ecx = e.ecx, Edx = e.edx };
            }

            if (_vm.IsNested && Has(table, 0x8000_0001, e => e.Ecx >> 2) && !Has(table, 0x8000_0001, e => e.Edx >> 29))
            {
                // An SMI while L2 runs needs the SMRAM map with 64-bit registers: KVM accepts it, and the VM is dead then.
                throw new KvmException(Errno.EINVAL, "SVM without long mode");
            }

            if (_hasRun)
            {
                // Blocks were decoded, and the guest has seen it: the same table, or none. [KVM 4.92]
                CheckUnchanged(table);
                return;
            }

            _processor.Cpuid.SetEntries(table);
            if (_bus.Lapic is { } lapic)
            {
                lapic.X2ApicAvailable = _processor.Cpuid.Allows(Feature.X2apic);
                lapic.TscDeadlineAvailable = _processor.Cpuid.Allows(Feature.TscDeadline);
                lapic.PhysicalAddressBits = _processor.Cpuid.PhysicalAddressBits;
            }

            ControlRegisters.Reloaded(s);
        }
    }

    private static bool Has(CpuidEntry[] table, uint function, Func<CpuidEntry, uint> bit) => Array.Exists(table, e => e.Function == function && (bit(e) & 1) != 0);

    private void CheckUnchanged(ReadOnlySpan<CpuidEntry> table)
    {
        ReadOnlySpan<CpuidEntry> now = _processor.Cpuid.Entries;
        bool same = table.Length == now.Length;
        for (int i = 0; same && i < table.Length; i++)
        {
            (CpuidEntry a, CpuidEntry b) = (table[i], now[i]);
            same = (a.Function, a.Index, a.Flags, a.Eax, a.Ebx, a.Ecx, a.Edx) == (b.Function, b.Index, b.Flags, b.Eax, b.Ebx, b.Ecx, b.Edx);
        }

        if (!same)
        {
            throw new KvmException(Errno.EINVAL, "the CPUID table cannot change once the vCPU has run");
        }
    }

    /// <summary>The table as it was set.</summary>
    public kvm_cpuid_entry2[] GetCpuid2()
    {
        lock (_gate)
        {
            State();
            ReadOnlySpan<CpuidEntry> table = _processor.Cpuid.Entries;
            var entries = new kvm_cpuid_entry2[table.Length];
            for (int i = 0; i < entries.Length; i++)
            {
                entries[i] = SupportedCpuid.ToAbi(in table[i]);
            }

            return entries;
        }
    }
}
