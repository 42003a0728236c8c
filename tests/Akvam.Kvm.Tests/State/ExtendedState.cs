using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>x87, SSE, AVX and PKRU through the three pairs of ioctls. [KVM 4.22] [KVM 4.42] [KVM 4.44]</summary>
public sealed class ExtendedState
{
    [Fact]
    public void TheFpuComesBack()
    {
        using var guest = new Guest([0xF4]);
        var fpu = new kvm_fpu { fcw = 0x37F, fsw = 0x3800, ftwx = 0x80, last_opcode = 0x123, last_ip = 0x4567, last_dp = 0x89AB, mxcsr = 0x1F80 };
        for (int i = 0; i < 256; i++)
        {
            fpu.xmm[i] = (byte)i;
        }

        for (int i = 0; i < 10; i++)
        {
            fpu.fpr[i] = (byte)(0xA0 + i);
        }

        guest.Vcpu.SetFpu(fpu);
        AbiAssert.Equal(fpu, guest.Vcpu.GetFpu());
    }

    [Fact]
    public void XsaveSeesWhatTheFpuIoctlSet()
    {
        using var guest = new Guest([0xF4]);
        var fpu = new kvm_fpu { fcw = 0x37F, mxcsr = 0x1F80 };
        fpu.xmm[17] = 0x5A;
        guest.Vcpu.SetFpu(fpu);
        kvm_xsave xsave = guest.Vcpu.GetXsave();
        Assert.Equal(0x5A, MemoryMarshal.AsBytes((Span<uint>)xsave.region)[160 + 17]);
    }

    [Fact]
    public void XsaveComesBack()
    {
        using var guest = new Guest([0xF4]);
        kvm_xsave xsave = guest.Vcpu.GetXsave();
        Span<byte> area = MemoryMarshal.AsBytes((Span<uint>)xsave.region);
        area[160] = 0x77;
        BinaryPrimitives.WriteUInt64LittleEndian(area[512..], 3);
        guest.Vcpu.SetXsave(xsave);
        kvm_xsave now = guest.Vcpu.GetXsave();
        AbiAssert.Equal(xsave, now);
    }

    [Fact]
    public void ComponentsThatTheProcessorDoesNotHaveAreRefused()
    {
        using var guest = new Guest([0xF4]);
        kvm_xsave before = guest.Vcpu.GetXsave();
        kvm_xsave xsave = before;
        BinaryPrimitives.WriteUInt64LittleEndian(MemoryMarshal.AsBytes((Span<uint>)xsave.region)[512..], 1ul << 40);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetXsave(xsave)).Errno);
        AbiAssert.Equal(before, guest.Vcpu.GetXsave());
    }

    [Fact]
    public void Xcr0NeedsX87AndComponentsOfCpuid()
    {
        using var guest = new Guest([0xF4]);
        kvm_xcrs xcrs = guest.Vcpu.GetXcrs();
        Assert.Equal(1u, xcrs.nr_xcrs);
        Assert.Equal(1ul, xcrs.xcrs[0].value);
        xcrs.xcrs[0].value = 3;
        guest.Vcpu.SetXcrs(xcrs);
        Assert.Equal(3ul, guest.Vcpu.GetXcrs().xcrs[0].value);
        foreach (ulong wrong in (ReadOnlySpan<ulong>)[0, 2, 5, 1ul << 62 | 1])
        {
            xcrs.xcrs[0].value = wrong;
            Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetXcrs(xcrs)).Errno);
        }

        Assert.Equal(3ul, guest.Vcpu.GetXcrs().xcrs[0].value);
    }
}
