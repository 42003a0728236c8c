namespace Akvam;

/// <content>MSRs that the client answers or forbids.</content>
public sealed partial class Vm
{
    private MsrPolicy? _msrPolicy;

    /// <summary>Null: nothing was ever asked for, and nothing is looked at.</summary>
    internal MsrPolicy? MsrPolicy => Volatile.Read(ref _msrPolicy);

    /// <summary>KVM_X86_SET_MSR_FILTER: replaces the filter. What it forbids is #GP, or KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR where that is enabled. [KVM 4.97]</summary>
    /// <param name="flags">KVM_MSR_FILTER_DEFAULT_DENY, or 0: what no range decides is allowed.</param>
    /// <param name="ranges">At most 16.</param>
    /// <exception cref="KvmException">EINVAL: flags, a range, or nothing but denial.</exception>
    public void SetMsrFilter(uint flags, ReadOnlySpan<MsrFilterRange> ranges)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            SetMsrPolicy((_msrPolicy ?? Akvam.MsrPolicy.None).WithFilter(flags, ranges));
        }
    }

    private void SetMsrPolicy(MsrPolicy policy)
    {
        Volatile.Write(ref _msrPolicy, policy);
        foreach (Vcpu vcpu in _vcpus)
        {
            vcpu.Processor.MsrPolicy = policy;
        }
    }
}
