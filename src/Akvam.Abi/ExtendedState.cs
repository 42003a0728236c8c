using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>KVM_GET_FPU, KVM_SET_FPU: x87 and SSE state; <c>ftwx</c> has one bit a register, as FXSAVE writes it. [KVM 4.22]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_fpu
{
    /// <summary>Eight x87 registers of 16 bytes, ST(0) first, ten bytes of each used.</summary>
    public U8x128 fpr;
    public ushort fcw;
    public ushort fsw;
    public byte ftwx;
    public byte pad1;
    public ushort last_opcode;
    public ulong last_ip;
    public ulong last_dp;

    /// <summary>Sixteen XMM registers of 16 bytes.</summary>
    public U8x256 xmm;
    public uint mxcsr;
    public uint pad2;
}

/// <summary>
/// KVM_GET_XSAVE, KVM_SET_XSAVE, KVM_GET_XSAVE2: an XSAVE image in the standard (not compacted) format, with offsets as CPUID leaf 0xD gives them. What
/// KVM_CAP_XSAVE2 reports beyond 4096 bytes follows the structure. [KVM 4.42]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_xsave
{
    public U32x1024 region;
}

/// <summary>One extended control register.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_xcr
{
    public uint xcr;
    public uint reserved;
    public ulong value;
}

/// <summary>KVM_GET_XCRS, KVM_SET_XCRS: the first <c>nr_xcrs</c> entries count. [KVM 4.44]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_xcrs
{
    public uint nr_xcrs;
    public uint flags;
    public XcrArray xcrs;
    public U64x16 padding;

    /// <summary>KVM_MAX_XCRS registers.</summary>
    [System.Runtime.CompilerServices.InlineArray(16)]
    public struct XcrArray
    {
        private kvm_xcr _element0;
    }
}
