using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Extended state in XSAVE's standard format. [KVM 4.42] [KVM 4.43]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>Bytes of <see cref="GetXsave2"/>: what KVM_CAP_XSAVE2 reports.</summary>
    public static int XsaveSize => Math.Max(sizeof(kvm_xsave), XsaveImage.Size);

    public kvm_xsave GetXsave()
    {
        var xsave = default(kvm_xsave);
        GetXsave2(MemoryMarshal.AsBytes((Span<uint>)xsave.region));
        return xsave;
    }

    /// <summary>KVM_GET_XSAVE2: as <see cref="GetXsave"/>, to a buffer of any size from <see cref="XsaveSize"/>.</summary>
    public void GetXsave2(Span<byte> area)
    {
        lock (_gate)
        {
            CpuState* s = State();
            if (area.Length < XsaveImage.Size)
            {
                throw new KvmException(Errno.EINVAL, $"an area of {XsaveImage.Size} bytes");
            }

            XsaveImage.Write(s, area);
        }
    }

    /// <exception cref="KvmException">EINVAL, nothing changed: components that the processor does not have, or reserved bits.</exception>
    public void SetXsave(in kvm_xsave xsave) => SetXsave(MemoryMarshal.AsBytes((ReadOnlySpan<uint>)xsave.region));

    /// <summary>As <see cref="SetXsave(in kvm_xsave)"/>, from a buffer as <see cref="GetXsave2"/> fills it.</summary>
    public void SetXsave(ReadOnlySpan<byte> area)
    {
        lock (_gate)
        {
            if (!XsaveImage.TryRead(State(), area, _processor.Cpuid.SupportedXcr0))
            {
                throw new KvmException(Errno.EINVAL, "the XSAVE area");
            }
        }
    }
}
