using Akvam.Abi;
using Akvam.Cpu.Msr;

namespace Akvam;

/// <summary>KVM_CAP_X86_USER_SPACE_MSR and KVM_X86_SET_MSR_FILTER: a filter and the refusals that become exits. Never changed, only replaced. [KVM 4.97] [KVM 7.21]</summary>
internal sealed class MsrPolicy : IMsrPolicy
{
    private const uint KnownRangeFlags = KvmState.KVM_MSR_FILTER_READ | KvmState.KVM_MSR_FILTER_WRITE;

    private readonly MsrFilterRange[] _ranges;
    private readonly bool _deniesByDefault;

    private MsrPolicy(MsrRefusal asks, MsrFilterRange[] ranges, bool deniesByDefault)
    {
        Asks = asks;
        _ranges = ranges;
        _deniesByDefault = deniesByDefault;
    }

    /// <summary>Allows everything, asks nobody.</summary>
    public static MsrPolicy None => new(MsrRefusal.None, [], deniesByDefault: false);

    public MsrRefusal Asks { get; }

    public MsrPolicy WithExits(ulong reasons)
    {
        const ulong Known = KvmExit.KVM_MSR_EXIT_REASON_INVAL | KvmExit.KVM_MSR_EXIT_REASON_UNKNOWN | KvmExit.KVM_MSR_EXIT_REASON_FILTER;
        return (reasons & ~Known) == 0 ? new MsrPolicy((MsrRefusal)reasons, _ranges, _deniesByDefault) : throw new KvmException(Errno.EINVAL, $"reasons {reasons:x} for MSR exits");
    }

    public MsrPolicy WithFilter(uint flags, ReadOnlySpan<MsrFilterRange> ranges)
    {
        var used = new List<MsrFilterRange>();
        foreach (ref readonly MsrFilterRange range in ranges)
        {
            if (range.Count == 0)
            {
                continue;
            }

            ulong size = (range.Count + 63ul) / 64 * 8;
            if ((range.Flags & ~KnownRangeFlags) != 0 || range.Flags == 0 || size > KvmState.KVM_MSR_FILTER_MAX_BITMAP_SIZE || (ulong)range.Bitmap.Length < size)
            {
                throw new KvmException(Errno.EINVAL, $"range of {range.Count} MSRs from {range.First:x}, flags {range.Flags:x}");
            }

            // A copy: the caller's memory may change.
            used.Add(range with { Bitmap = range.Bitmap[..(int)size].ToArray() });
        }

        bool denies = (flags & KvmState.KVM_MSR_FILTER_DEFAULT_DENY) != 0;
        if ((flags & ~KvmState.KVM_MSR_FILTER_DEFAULT_DENY) != 0 || ranges.Length > KvmState.KVM_MSR_FILTER_MAX_RANGES || (denies && used.Count == 0))
        {
            throw new KvmException(Errno.EINVAL, $"flags {flags:x} of kvm_msr_filter with {used.Count} ranges");
        }

        return new MsrPolicy(Asks, [.. used], denies);
    }

    /// <summary>The first range that has the MSR and the kind of access decides. The x2APIC's cannot be forbidden. [KVM 4.97]</summary>
    public bool Allows(uint index, bool isWrite)
    {
        if (index is >= 0x800 and <= 0x8FF)
        {
            return true;
        }

        uint kind = isWrite ? KvmState.KVM_MSR_FILTER_WRITE : KvmState.KVM_MSR_FILTER_READ;
        foreach (ref readonly MsrFilterRange range in _ranges.AsSpan())
        {
            uint bit = index - range.First;
            if (index >= range.First && bit < range.Count && (range.Flags & kind) != 0)
            {
                return (range.Bitmap.Span[(int)(bit / 8)] >> (int)(bit % 8) & 1) != 0;
            }
        }

        return !_deniesByDefault;
    }
}
