using Akvam.Abi;

namespace Akvam;

/// <summary>An access to a guest-physical address without memory. [KVM 5 KVM_EXIT_MMIO]</summary>
public readonly ref struct MmioExit
{
    private readonly ref kvm_run _run;

    internal MmioExit(ref kvm_run run)
    {
        _run = ref run;
    }

    public ulong Address => _run.mmio.phys_addr;

    /// <summary>A write; otherwise the client fills <see cref="Data"/> before it runs the vCPU again.</summary>
    public bool IsWrite => _run.mmio.is_write != 0;

    /// <summary>1 to 8 bytes.</summary>
    public Span<byte> Data => ((Span<byte>)_run.mmio.data)[..(int)Math.Min(_run.mmio.len, 8)];
}
