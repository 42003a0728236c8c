using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Msr;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Model-specific registers. [KVM 4.18] [KVM 4.19]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>Reads the MSRs that <paramref name="entries"/> names, in order, up to the first that cannot be read.</summary>
    /// <returns>How many were read.</returns>
    public int GetMsrs(Span<kvm_msr_entry> entries)
    {
        lock (_gate)
        {
            CpuState* s = State();
            _bus.HostAccess = true;
            try
            {
                for (int i = 0; i < entries.Length; i++)
                {
                    if (_processor.Msrs.Read(s, entries[i].index, out entries[i].data, hostInitiated: true) != MsrAccess.Done)
                    {
                        return i;
                    }
                }

                return entries.Length;
            }
            finally
            {
                _bus.HostAccess = false;
            }
        }
    }

    /// <summary>Writes MSRs in order, up to the first that does not take its value; those before it are written.</summary>
    /// <returns>How many were written.</returns>
    public int SetMsrs(ReadOnlySpan<kvm_msr_entry> entries)
    {
        lock (_gate)
        {
            CpuState* s = State();
            _bus.HostAccess = true;
            try
            {
                for (int i = 0; i < entries.Length; i++)
                {
                    if (entries[i].index == MsrIndex.MSR_IA32_TSC)
                    {
                        SetTsc(s, entries[i].data);
                    }
                    else if (_processor.Msrs.Write(s, entries[i].index, entries[i].data, hostInitiated: true) != MsrAccess.Done)
                    {
                        return i;
                    }
                }

                return entries.Length;
            }
            finally
            {
                _bus.HostAccess = false;
            }
        }
    }

    private void SetTsc(CpuState* s, ulong value)
    {
        s->TscOffset = _vm.SynchronizeTsc(value, _bus.ReadTsc(), _bus.TscKhz) + _processor.Nested.TscOffset;
        _bus.TscChanged();
    }
}
